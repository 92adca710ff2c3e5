"""Lennard-Jones wells against the like-pair curves of the torch potentials."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import energy
from openff_bytepol.projection import project_fixed_charge
from openff_bytepol.projection.lennard_jones import (
    CONTACT_ENERGY,
    CONTACT_EPSILON,
    NO_EPSILON,
    NO_SIGMA,
)
from openff_bytepol.projection.source import Source
from openff_bytepol.projection.vdw import VdwCurves
from tests.factories import C8
from tests.projection.molecules import PUBLISHED, predicted, published

ATOMIC = (
    "charges", "polarizabilities", "dampings", "c6", "radii",
    "epsilons", "lambdas", "ct_epsilons", "ct_lambdas",
)  # fmt: skip


def lone(parameters: ParameterSet, atom: int) -> ParameterSet:
    """One atom of a molecule as a molecule of its own."""
    none = {name: getattr(parameters, name)[:0] for name in (
        "bonds", "bond_k", "bond_r0", "angles", "angle_k", "angle_theta0",
        "propers", "proper_k", "impropers", "improper_k",
    )}  # fmt: skip
    values = {name: getattr(parameters, name)[atom : atom + 1].double() for name in ATOMIC}
    return ParameterSet(
        atomic_numbers=parameters.atomic_numbers[atom : atom + 1],
        molecule_index=torch.zeros(1, dtype=torch.int64),
        settings=parameters.settings,
        **none,
        **values,
    )


def vdw(parameters: ParameterSet, i: int, j: int, r: float) -> float:
    pair = ParameterSet.concatenate([lone(parameters, i), lone(parameters, j)])
    xyz = torch.tensor([[0.0, 0.0, 0.0], [r, 0.0, 0.0]], dtype=torch.float64)
    e = energy(pair, xyz)
    return float(e.repulsion + e.dispersion + e.charge_transfer)


def lj(sigma: float, epsilon: float, r: float) -> float:
    return 4.0 * epsilon * ((sigma / r) ** 12 - (sigma / r) ** 6)


def check_well(parameters: ParameterSet, atom: int, sigma: float, epsilon: float) -> None:
    r_min = sigma * 2.0 ** (1.0 / 6.0)
    found = minimize_scalar(
        lambda r: vdw(parameters, atom, atom, r),
        bounds=(r_min - 0.2, r_min + 0.2),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert epsilon == pytest.approx(-found.fun, rel=1e-6)
    # The position from the slope, which is sharper than the energy.
    step = 1e-4
    slopes = [
        vdw(parameters, atom, atom, r + step) - vdw(parameters, atom, atom, r - step)
        for r in (r_min - 1e-3, r_min, r_min + 1e-3)
    ]
    zero = r_min - slopes[1] * 2e-3 / (slopes[2] - slopes[0])
    assert r_min == pytest.approx(zero, abs=1e-6)


@pytest.mark.parametrize("name", ["ACT", "EC", "DMC", "AFGBL", "PF6"])
def test_wells_of_published_molecules(reference_data, name):
    parameters, mol = published(reference_data, name)
    fixed = project_fixed_charge(parameters, mol, torsions="copy")
    _, atoms = np.unique(parameters.c6.numpy().round(1), return_index=True)
    for atom in atoms:
        check_well(parameters, int(atom), float(fixed.sigmas[atom]), float(fixed.epsilons[atom]))
    assert (fixed.sigmas > 2.0).all()
    assert (fixed.sigmas < 4.0).all()


@pytest.mark.parametrize("changed", [{}, C8], ids=["C6", "C8"])
def test_curves_are_those_of_the_potentials(changed):
    parameters, mol = predicted("CO", **changed)
    source = Source.read(parameters, mol)
    first, second = np.triu_indices(source.n_atoms)
    curves = VdwCurves.of(source, first, second)
    atoms = source.order[first].tolist(), source.order[second].tolist()
    r = np.array([[1.2], [2.5], [4.0], [9.0]])
    expected = [[vdw(parameters, i, j, *row) for i, j in zip(*atoms, strict=True)] for row in r]
    np.testing.assert_allclose(curves.energy(r), expected, rtol=1e-9)
    slopes = (curves.energy(r + 1e-4) - curves.energy(r - 1e-4)) / 2e-4
    np.testing.assert_allclose(curves.slope(r), slopes, rtol=1e-5)


@pytest.mark.parametrize("changed", [{}, C8], ids=["C6", "C8"])
def test_wells_of_shipped_model(changed):
    parameters, mol = predicted("CCO", **changed)
    fixed = project_fixed_charge(parameters, mol)
    for atom in (0, 1, 2, 3):
        check_well(parameters, atom, float(fixed.sigmas[atom]), float(fixed.epsilons[atom]))


def test_polar_hydrogen_keeps_the_contact_of_hydrogen_bonds():
    parameters, mol = predicted("O")
    fixed = project_fixed_charge(parameters, mol)
    assert float(fixed.epsilons[1]) == pytest.approx(CONTACT_EPSILON)
    sigma = 0.5 * float(fixed.sigmas[0] + fixed.sigmas[1])
    epsilon = float((fixed.epsilons[0] * fixed.epsilons[1]).sqrt())
    x = 0.5 + np.sqrt(0.25 + CONTACT_ENERGY / (4.0 * epsilon))
    contact = sigma / x ** (1.0 / 6.0)
    assert lj(sigma, epsilon, contact) == pytest.approx(CONTACT_ENERGY)
    assert vdw(parameters, 0, 1, contact) == pytest.approx(CONTACT_ENERGY, abs=1e-6)


def test_cation_keeps_its_contact(reference_data):
    parameters, mol = published(reference_data, "LI")
    fixed = project_fixed_charge(parameters, mol)
    sigma, epsilon = float(fixed.sigmas[0]), float(fixed.epsilons[0])
    assert epsilon == pytest.approx(CONTACT_EPSILON)
    x = 0.5 + np.sqrt(0.25 + CONTACT_ENERGY / (4.0 * epsilon))
    contact = sigma / x ** (1.0 / 6.0)
    assert vdw(parameters, 0, 0, contact) == pytest.approx(CONTACT_ENERGY, abs=1e-6)


def test_atom_without_minimum_keeps_its_wall():
    parameters, mol = predicted("[Cl-]")
    zero = torch.zeros_like(parameters.c6)
    repulsive = replace(parameters, c6=zero, ct_epsilons=zero)
    fixed = project_fixed_charge(repulsive, mol)
    assert float(fixed.epsilons[0]) == pytest.approx(CONTACT_EPSILON)
    assert 1.0 < float(fixed.sigmas[0]) < 5.0


def test_atom_without_repulsion_does_not_interact():
    parameters, mol = predicted("[Cl-]")
    zero = torch.zeros_like(parameters.c6)
    nothing = replace(
        parameters,
        c6=zero,
        ct_epsilons=zero,
        epsilons=zero,
        settings=parameters.settings.model_copy(update={"repulsion_s12": 0.0}),
    )
    fixed = project_fixed_charge(nothing, mol)
    assert (float(fixed.sigmas[0]), float(fixed.epsilons[0])) == (NO_SIGMA, NO_EPSILON)


@pytest.mark.parametrize("name", PUBLISHED)
def test_always_finite_and_positive(reference_data, name):
    fixed = project_fixed_charge(*published(reference_data, name))
    for values in (fixed.charges, fixed.sigmas, fixed.epsilons, fixed.proper_k):
        assert torch.isfinite(values).all()
    assert (fixed.sigmas > 0.0).all()
    assert (fixed.epsilons > 0.0).all()
