"""Induced dipoles: analytic cases, solvers against each other, failures."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from openff_bytepol.exceptions import ConvergenceError, PolarizationCatastropheError
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import (
    SolverOptions,
    dipole_moments,
    energy,
    energy_and_forces,
    induced_dipoles,
    interaction_components,
    molecular_polarizabilities,
    smallest_response_eigenvalue,
)
from openff_bytepol.units import COULOMB
from tests.potentials import naive
from tests.potentials.molecules import cluster, molecule

CG = SolverOptions(method="cg")
DENSE = SolverOptions(method="dense")


def atoms(charges, polarizabilities, *, damping=1.0):
    """Monatomic molecules."""
    single, _ = molecule("[Li+]")
    joined = ParameterSet.concatenate([single] * len(charges))
    return replace(
        joined,
        charges=torch.tensor(charges, dtype=torch.float64),
        polarizabilities=torch.tensor(polarizabilities, dtype=torch.float64),
        dampings=torch.full((len(charges),), damping, dtype=torch.float64),
    )


def line(*positions):
    x = torch.zeros((len(positions), 3), dtype=torch.float64)
    x[:, 2] = torch.tensor(positions)
    return x


def test_atom_near_a_charge():
    """-alpha·q²/(2·r⁴), and a dipole alpha·E that points away from a positive charge."""
    alpha, q, r = 1.3, 0.7, 9.0
    parameters, coordinates = atoms([q, 0.0], [1e-9, alpha]), line(0.0, r)
    induction = energy(parameters, coordinates).induction.item()
    assert induction == pytest.approx(-COULOMB * alpha * q**2 / (2 * r**4), rel=1e-8)
    dipole = induced_dipoles(parameters, coordinates)[1]
    assert dipole.tolist() == pytest.approx([0.0, 0.0, alpha * q / r**2], rel=1e-8)


def test_two_atoms_respond_together():
    """Silberstein's diatomic: alpha_parallel = 2·alpha/(1 - 2·alpha/r³) and its counterpart."""
    alpha, r = 1.1, 6.0
    parameters, coordinates = atoms([0.0, 0.0], [alpha, alpha]), line(0.0, r)
    tensor = molecular_polarizabilities(parameters, coordinates)[0]
    parallel, perpendicular = 2 * alpha / (1 - 2 * alpha / r**3), 2 * alpha / (1 + alpha / r**3)
    expected = torch.diag(torch.tensor([perpendicular, perpendicular, parallel]).double())
    torch.testing.assert_close(tensor, expected, rtol=1e-7, atol=1e-7)
    smallest = smallest_response_eigenvalue(parameters, coordinates).item()
    assert smallest == pytest.approx(1 - 2 * alpha / r**3, rel=1e-8)


def test_bonded_atoms_polarize_each_other_but_charges_do_not_reach_them():
    """Dipole tensors act on 1-2 pairs; the field of charges begins at 1-4."""
    parameters, coordinates = molecule("O")
    assert (induced_dipoles(parameters, coordinates) == 0).all()
    tensor = molecular_polarizabilities(parameters, coordinates)[0]
    along, *_, out = torch.linalg.eigvalsh(tensor).flip(0)
    assert along > 1.05 * out  # no atom is anisotropic: only the coupling can do this
    assert abs(tensor.trace() / 3 - parameters.polarizabilities.sum()) > 0.02


def test_dipoles_of_a_direct_solve():
    parameters, coordinates = cluster("CC(=O)C", "[Li+]", "CCO")
    matrix, field = naive.response_parts(parameters, coordinates, naive.separations(parameters))
    expected = torch.linalg.solve(matrix, field).reshape(-1, 3)
    for options in (CG, DENSE):
        dipoles = induced_dipoles(parameters, coordinates, solver=options)
        torch.testing.assert_close(dipoles, expected, rtol=1e-9, atol=1e-10)


def test_polarizability_is_the_response_to_a_far_charge():
    parameters, coordinates = molecule("CC#N")
    neutral = replace(parameters, charges=torch.zeros_like(parameters.charges))
    distance, q = 1e4, 1e4
    probe = atoms([q], [1e-9])
    pair = ParameterSet.concatenate([neutral, probe])
    x = torch.cat([coordinates, torch.tensor([[0.0, 0.0, -distance]]).double()])
    induced = induced_dipoles(pair, x)[: parameters.n_atoms].sum(0)
    tensor = molecular_polarizabilities(parameters, coordinates)[0]
    torch.testing.assert_close(tensor, tensor.T, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(induced / (q / distance**2), tensor[:, 2], rtol=2e-3, atol=2e-3)


def test_dipole_moment_is_the_force_on_a_far_charge():
    parameters, coordinates = cluster("CCCO")
    distance, q = 1e5, 1e-3
    probe = atoms([q], [1e-9])
    pair = ParameterSet.concatenate([parameters, probe])
    center = coordinates.mean(0)
    x = torch.cat([coordinates - center, torch.tensor([[distance, 0.0, 0.0]]).double()])
    elec = interaction_components(pair, x).elec.item()
    moment = dipole_moments(parameters, coordinates - center)[0, 0].item()
    assert elec == pytest.approx(COULOMB * q * moment / distance**2, rel=2e-2)


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=15)
def test_solvers_agree_on_energies_forces_and_parameter_gradients(seed):
    generator = torch.Generator().manual_seed(seed)
    parameters, coordinates = cluster("C=O", "O", "[Na+]", gap=1.5)
    coordinates = coordinates + 0.1 * torch.randn(coordinates.shape, generator=generator)
    results = []
    for options in (DENSE, CG):
        alpha = parameters.polarizabilities.clone().requires_grad_(True)
        changed = replace(parameters, polarizabilities=alpha)
        components, force = energy_and_forces(
            changed, coordinates, solver=options, create_graph=True
        )
        (gradient,) = torch.autograd.grad(force.square().sum() + components.total.sum(), alpha)
        results.append((components.induction, force, gradient))
    for dense, iterative in zip(*results, strict=True):
        torch.testing.assert_close(iterative, dense, rtol=1e-7, atol=1e-7)


def test_solvers_agree_over_systems_of_different_size():
    parts = [cluster("CCO", "O"), molecule("[Li+]"), cluster("c1ccccc1", "C")]
    parameters = ParameterSet.concatenate([p for p, _ in parts])
    coordinates = torch.cat([x for _, x in parts])
    index = torch.repeat_interleave(torch.tensor([p.n_atoms for p, _ in parts]))
    conformers = torch.stack([coordinates, 1.02 * coordinates])
    dense = energy(parameters, conformers, index, solver=DENSE).induction
    iterative = energy(parameters, conformers, index, solver=CG).induction
    mixed = energy(parameters, conformers, index, solver=SolverOptions(dense_limit=5)).induction
    torch.testing.assert_close(iterative, dense, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(mixed, dense, rtol=1e-10, atol=1e-10)


def test_third_derivatives():
    parameters, coordinates = cluster("O", "[Li+]")
    for options in (DENSE, SolverOptions(method="cg", tolerance=1e-14)):
        x = coordinates.clone().requires_grad_(True)
        value = energy(parameters, x, solver=options).induction.sum()
        direction = torch.ones_like(x).cumsum(0)
        derivatives = []
        for _ in range(3):
            (gradient,) = torch.autograd.grad(value, x, create_graph=True)
            value = (gradient * direction).sum()
            derivatives.append(value.item())
        h = 1e-3

        def along(t, options=options, direction=direction):
            return energy(parameters, coordinates + t * direction, solver=options).induction.item()

        third = (along(2 * h) - 2 * along(h) + 2 * along(-h) - along(-2 * h)) / (2 * h**3)
        assert derivatives[2] == pytest.approx(third, rel=1e-3)


def test_single_precision_conjugate_gradients():
    parameters, coordinates = cluster("CC(=O)C", "O", "[Li+]")
    dense = induced_dipoles(parameters, coordinates, solver=DENSE)
    single = induced_dipoles(parameters.to(dtype=torch.float32), coordinates.float(), solver=CG)
    torch.testing.assert_close(single.double(), dense, rtol=1e-4, atol=2e-6)


def test_vanishing_polarizability_is_harmless():
    parameters, coordinates = cluster("[Li+]", "O")
    frozen = replace(
        parameters, polarizabilities=torch.full_like(parameters.polarizabilities, 1e-12)
    )
    components, force = energy_and_forces(frozen, coordinates)
    assert abs(components.induction.item()) < 1e-6
    assert force.isfinite().all()


@pytest.mark.parametrize("options", [DENSE, CG])
def test_polarization_catastrophe_names_the_atoms(options):
    parameters = atoms([0.0, 0.0, 0.5], [2.0, 2.0, 0.1], damping=1e-3)
    coordinates = line(0.0, 1.5, -8.0)  # Thole's critical distance is (4·alpha²)^(1/6) = 1.59 Å
    with pytest.raises(PolarizationCatastropheError, match="atoms 0 and 1") as caught:
        energy(parameters, coordinates, solver=options)
    assert caught.value.atoms == (0, 1)
    assert smallest_response_eigenvalue(parameters, coordinates).item() < 0
    assert smallest_response_eigenvalue(parameters, line(0.0, 1.7, -8.0)).item() > 0
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.atoms) == (str(caught.value), (0, 1))


def test_catastrophe_names_system_and_conformer():
    parameters = atoms([0.0, 0.5, 0.0, 0.5], [2.0] * 4, damping=1e-3)
    good, bad = line(0.0, 4.0, 0.0, 4.0), line(0.0, 4.0, 0.0, 1.0)
    with pytest.raises(PolarizationCatastropheError, match=r"system 1 \(conformer 1\).*2 and 3"):
        energy(parameters, torch.stack([good, bad]), torch.tensor([0, 0, 1, 1]))


def test_too_few_iterations():
    parameters, coordinates = cluster("CC(=O)C", "[Li+]")
    options = SolverOptions(method="cg", max_iterations=3)
    with pytest.raises(ConvergenceError, match="system 0 did not converge in 3 iterations"):
        energy(parameters, coordinates, solver=options)


def test_smallest_eigenvalue_of_the_dense_matrix_and_its_gradient():
    parameters, coordinates = cluster("CCO", "O")
    matrix, _ = naive.response_parts(parameters, coordinates, naive.separations(parameters))
    roots = parameters.polarizabilities.sqrt().repeat_interleave(3)
    expected = torch.linalg.eigvalsh(roots[:, None] * matrix * roots)[0]
    value = smallest_response_eigenvalue(parameters, coordinates)
    torch.testing.assert_close(value[0], expected, rtol=1e-10, atol=1e-10)
    x = coordinates.requires_grad_(True)
    assert torch.autograd.gradcheck(
        lambda y: smallest_response_eigenvalue(parameters, y), x, fast_mode=True
    )
