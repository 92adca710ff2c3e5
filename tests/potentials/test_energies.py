"""Total energies: independent implementation, batching, derivatives, invariances."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from openff_bytepol.exceptions import ParameterError
from openff_bytepol.parameters import ATOM_PARAMETERS, TERM_PARAMETERS, ParameterSet
from openff_bytepol.potentials import (
    Pairs,
    dipole_moments,
    energy,
    energy_and_forces,
    forces,
    induced_dipoles,
    interaction_components,
    molecular_polarizabilities,
    smallest_response_eigenvalue,
)
from openff_bytepol.settings import PUBLISHED_SETTINGS, NonbondedSettings
from tests.factories import C8
from tests.potentials import naive
from tests.potentials.molecules import cluster, molecule

FLOATS = [*ATOM_PARAMETERS, *(name for names in TERM_PARAMETERS.values() for name in names)]
CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def with_values(parameters, values):
    return replace(parameters, **dict(zip(FLOATS, values, strict=True)))


def ensemble(parameters, n_members=3):
    generator = torch.Generator().manual_seed(3)
    changed = {}
    for name in FLOATS:
        value = getattr(parameters, name)
        noise = torch.rand((n_members, *value.shape), generator=generator, dtype=value.dtype)
        changed[name] = value * (0.95 + 0.1 * noise)
    return replace(parameters, **changed)


@pytest.mark.parametrize("smiles", [("CCCCO",), ("CC(=O)C", "[Li+]"), ("c1ccncc1", "CCO", "O")])
@pytest.mark.parametrize("constants", [None, PUBLISHED_SETTINGS, NonbondedSettings(**C8)])
def test_nonbonded_terms_of_an_independent_implementation(smiles, constants):
    parameters, coordinates = cluster(*smiles, settings=constants)
    ours = energy(parameters, coordinates).as_dict()
    for name, expected in naive.nonbonded_energies(parameters, coordinates).items():
        torch.testing.assert_close(ours[name][0], expected, **CLOSE)


def test_total_is_the_sum_of_nine_terms():
    parameters, coordinates = cluster("CC(=O)C", "O")
    components = energy(parameters, coordinates + 0.05 * torch.sin(7 * coordinates))
    assert len(components.as_dict()) == 9
    assert all((value != 0).all() for value in components.as_dict().values())
    torch.testing.assert_close(components.total, sum(components.as_dict().values()))


def test_batch_of_systems_equals_its_parts():
    parts = [cluster("CCO", "O"), molecule("c1ccccc1"), cluster("[Li+]"), cluster("C", "CF", "O")]
    parameters = ParameterSet.concatenate([p for p, _ in parts])
    coordinates = torch.cat([x for _, x in parts])
    index = torch.repeat_interleave(torch.tensor([p.n_atoms for p, _ in parts]))
    components, batch_forces = energy_and_forces(parameters, coordinates, index)
    alone = [energy_and_forces(*part) for part in parts]
    for name, values in components.as_dict().items():
        expected = torch.cat([getattr(c, name) for c, _ in alone])
        torch.testing.assert_close(values, expected, **CLOSE)
    torch.testing.assert_close(batch_forces, torch.cat([f for _, f in alone]), **CLOSE)
    dipoles = induced_dipoles(parameters, coordinates, index)
    torch.testing.assert_close(
        dipoles, torch.cat([induced_dipoles(*part) for part in parts]), **CLOSE
    )


def test_conformers_and_members():
    parameters, coordinates = cluster("CC=O", "O")
    members = ensemble(parameters)
    generator = torch.Generator().manual_seed(1)
    noise = 0.05 * torch.randn((4, *coordinates.shape), generator=generator).double()
    conformers = coordinates + noise
    pairs = Pairs.from_parameters(members)
    components, all_forces = energy_and_forces(members, conformers, pairs=pairs)
    interactions = interaction_components(members, conformers, pairs=pairs)
    assert components.total.shape == (3, 4, 1)
    assert all_forces.shape == (3, 4, parameters.n_atoms, 3)
    assert energy(members, conformers[0]).total.shape == (3, 1)
    for m in range(3):
        one = members.member(m)
        for c in range(4):
            alone, force = energy_and_forces(one, conformers[c], pairs=pairs)
            torch.testing.assert_close(components.total[m, c], alone.total, **CLOSE)
            torch.testing.assert_close(all_forces[m, c], force, **CLOSE)
            inter = interaction_components(one, conformers[c])
            torch.testing.assert_close(interactions.total[m, c], inter.total, **CLOSE)
    moments = dipole_moments(members, conformers)
    alphas = molecular_polarizabilities(members, conformers)
    eigenvalues = smallest_response_eigenvalue(members, conformers)
    last = (members.member(2), conformers[3])
    torch.testing.assert_close(moments[2, 3], dipole_moments(*last), **CLOSE)
    torch.testing.assert_close(alphas[2, 3], molecular_polarizabilities(*last), **CLOSE)
    torch.testing.assert_close(eigenvalues[2, 3], smallest_response_eigenvalue(*last), **CLOSE)


def test_coordinate_derivatives_to_second_order():
    parameters, coordinates = cluster("C=O", "[Li+]", settings=NonbondedSettings(**C8))

    def total(x):
        return energy(parameters, x).total

    x = coordinates.requires_grad_(True)
    assert torch.autograd.gradcheck(total, x, atol=1e-4, rtol=1e-5)
    assert torch.autograd.gradgradcheck(total, x, atol=1e-3, rtol=1e-4, fast_mode=True)


def test_parameter_derivatives_to_second_order():
    parameters, coordinates = cluster("O", "[Na+]", settings=NonbondedSettings(**C8))
    values = [getattr(parameters, name).clone().requires_grad_(True) for name in FLOATS]
    used = [value for value in values if value.numel()]

    def total(*_):
        return energy(with_values(parameters, values), coordinates).total

    assert torch.autograd.gradcheck(total, used, atol=1e-5, rtol=1e-5, fast_mode=True)
    assert torch.autograd.gradgradcheck(total, used, atol=1e-4, rtol=1e-4, fast_mode=True)


def test_force_matching_gradient():
    """Derivative of a force loss with respect to every parameter, by finite differences."""
    parameters, coordinates = cluster("CO", "O")
    values = [getattr(parameters, name).clone().requires_grad_(True) for name in FLOATS]

    def loss(current):
        changed = with_values(parameters, current)
        _, predicted = energy_and_forces(changed, coordinates, create_graph=True)
        return predicted.square().mean()

    gradients = torch.autograd.grad(loss(values), values, allow_unused=True)
    generator = torch.Generator().manual_seed(0)
    for index, gradient in enumerate(gradients):
        if not values[index].numel():
            continue
        direction = torch.randn(values[index].shape, generator=generator, dtype=torch.float64)
        h = 1e-5
        shifted = []
        for sign in (h, -h):
            moved = [v.detach() for v in values]
            moved[index] = moved[index] + sign * direction
            shifted.append(loss(moved).item())
        numeric = (shifted[0] - shifted[1]) / (2 * h)
        analytic = (gradient * direction).sum().item()
        assert analytic == pytest.approx(numeric, rel=1e-5, abs=1e-5), FLOATS[index]


def test_forces_carry_gradients_only_on_request():
    parameters, coordinates = cluster("O", "O")
    charges = parameters.charges.clone().requires_grad_(True)
    changed = replace(parameters, charges=charges)
    assert not forces(changed, coordinates).requires_grad
    assert forces(changed, coordinates, create_graph=True).requires_grad
    assert not coordinates.requires_grad


@given(st.integers(0, 2**31 - 1))
@settings(deadline=None, max_examples=10)
def test_rigid_motion_and_numbering(seed):
    parameters, coordinates = cluster("CC(=O)N", "CO")
    rotation = torch.tensor(Rotation.random(rng=seed).as_matrix())
    generator = torch.Generator().manual_seed(seed)
    shift = 10 * torch.randn(3, generator=generator, dtype=torch.float64)
    components, force = energy_and_forces(parameters, coordinates)
    turned, turned_force = energy_and_forces(parameters, coordinates @ rotation.T + shift)
    for name, value in components.as_dict().items():
        torch.testing.assert_close(getattr(turned, name), value, rtol=1e-9, atol=1e-8)
    torch.testing.assert_close(turned_force, force @ rotation.T, rtol=1e-8, atol=1e-7)
    torch.testing.assert_close(force.sum(0), torch.zeros(3).double(), rtol=0, atol=1e-9)
    torque = torch.linalg.cross(coordinates, force).sum(0)
    torch.testing.assert_close(torque, torch.zeros(3).double(), rtol=0, atol=1e-8)

    orders = [torch.randperm(p.n_atoms, generator=generator) for p in parameters.split()]
    pieces = [p.permute(o.tolist()) for p, o in zip(parameters.split(), orders, strict=True)]
    order = torch.cat([orders[0], orders[1] + len(orders[0])])
    renumbered, moved = energy_and_forces(ParameterSet.concatenate(pieces), coordinates[order])
    torch.testing.assert_close(renumbered.total, components.total, rtol=1e-11, atol=1e-9)
    torch.testing.assert_close(moved, force[order], rtol=1e-9, atol=1e-8)


def test_single_precision():
    parameters, coordinates = cluster("CC(=O)C", "O", "[Na+]")
    exact, exact_forces = energy_and_forces(parameters, coordinates)
    single, single_forces = energy_and_forces(
        parameters.to(dtype=torch.float32), coordinates.float()
    )
    for name, value in exact.as_dict().items():
        torch.testing.assert_close(getattr(single, name).double(), value, rtol=2e-5, atol=1e-4)
    scale = exact_forces.abs().max()
    assert (single_forces.double() - exact_forces).abs().max() < 1e-5 * scale
    exact_parts = interaction_components(parameters, coordinates).as_dict()
    single_parts = interaction_components(
        parameters.to(dtype=torch.float32), coordinates.float()
    ).as_dict()
    for name, value in exact_parts.items():
        torch.testing.assert_close(single_parts[name].double(), value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 3), (7, 2), (2, 6, 3), (1, 1, 3, 3), (9,)])
def test_wrong_coordinate_shape(shape):
    parameters, _ = cluster("O")
    with pytest.raises(ParameterError, match="coordinates have shape"):
        energy(parameters, torch.zeros(shape, dtype=torch.float64))


def test_mixed_precision_is_refused():
    parameters, coordinates = cluster("O")
    with pytest.raises(ParameterError, match=r"float32.*float64"):
        energy(parameters, coordinates.float())


def test_pairs_of_another_molecule_are_refused():
    parameters, coordinates = cluster("O")
    other = Pairs.from_parameters(cluster("CO")[0])
    with pytest.raises(ParameterError, match="made for 6 atoms"):
        energy(parameters, coordinates, pairs=other)
    with pytest.raises(ParameterError, match="not both"):
        energy(
            parameters,
            coordinates,
            torch.zeros(3, dtype=torch.int64),
            pairs=Pairs.from_parameters(parameters),
        )


def test_a_lone_ion_has_no_energy():
    parameters, coordinates = cluster("[Li+]")
    components, force = energy_and_forces(parameters, coordinates)
    assert components.total.tolist() == [0.0]
    assert (force == 0).all()
    assert smallest_response_eigenvalue(parameters, coordinates).tolist() == [1.0]
    alpha = parameters.polarizabilities.item()
    expected = alpha * torch.eye(3, dtype=torch.float64)[None]
    torch.testing.assert_close(molecular_polarizabilities(parameters, coordinates), expected)
