"""Where a model binds two rigid molecules, and how near it lets them come."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist

from openff_bytepol.models import load_model
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import interaction_components
from openff_bytepol.training.rigid_pairs import Molecule, bound_pairs, descend
from openff_bytepol.training.sanity import closest_approaches
from tests.training.conftest import METHANE, METHANE_XYZ, WATER, WATER_XYZ

WATER_RADII = np.array([1.52, 1.2, 1.2])
METHANE_RADII = np.array([1.7, 1.2, 1.2, 1.2, 1.2])


@pytest.fixture(scope="module")
def molecules() -> tuple[Molecule, Molecule]:
    water, methane = load_model("bytepol").predict([WATER, METHANE])
    return (
        Molecule(water.to(dtype=torch.float64), WATER_XYZ, WATER_RADII),
        Molecule(methane.to(dtype=torch.float64), METHANE_XYZ, METHANE_RADII),
    )


def interaction(pair, coordinates) -> float:
    parameters = ParameterSet.concatenate([one.parameters for one in pair])
    return float(
        interaction_components(parameters, torch.tensor(np.concatenate(coordinates))).total
    )


def test_minima_of_rigid_pairs(molecules) -> None:
    water, methane = molecules
    pairs = [(water, water), (methane, water)]
    found = bound_pairs(pairs, n_starts=4, seed=3)
    for pair, minima in zip(pairs, found, strict=True):
        assert [m.energy for m in minima] == sorted(m.energy for m in minima)
        for minimum in minima:
            for one, xyz in zip(pair, minimum.coordinates, strict=True):
                np.testing.assert_allclose(pdist(xyz), pdist(one.coordinates), atol=1e-9)
            assert minimum.energy == pytest.approx(interaction(pair, minimum.coordinates), abs=1e-6)
        first, second = minima[0].coordinates
        for shift in 0.1 * np.concatenate([np.eye(3), -np.eye(3)]):
            assert interaction(pair, (first, second + shift)) > minima[0].energy - 0.05
    (water_dimer, *_), (mixed, *_) = found
    assert -6.5 < water_dimer.energy < -4.0, "a hydrogen bond: CCSD(T) has -5.0"
    assert -2.0 < mixed.energy < -0.3


def test_starts_follow_the_seed(molecules) -> None:
    pairs = [(molecules[0], molecules[1])]
    ((one,),), ((same,),), ((other,),) = (
        bound_pairs(pairs, n_starts=1, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.coordinates[1], same.coordinates[1])
    assert not np.allclose(one.coordinates[1], other.coordinates[1])


def test_descent_on_any_surface() -> None:
    """Springs of 3 and 5 Å between the oxygens of two pairs, of which one has a methane."""
    lengths = torch.tensor([3.0, 5.0], dtype=torch.float64)
    ends = torch.tensor([[0, 3], [6, 9]])

    def springs(coordinates: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        xyz = coordinates.clone().requires_grad_(True)
        energies = 10.0 * ((xyz[ends[:, 0]] - xyz[ends[:, 1]]).norm(dim=1) - lengths) ** 2
        (slope,) = torch.autograd.grad(energies.sum(), xyz)
        return energies.detach(), slope

    shifts = np.array([[4.0, 0.5, 0.0], [0.0, 3.5, 1.0]])
    placed = [(WATER_XYZ, WATER_XYZ + shifts[0]), (WATER_XYZ, METHANE_XYZ + shifts[1])]
    found = descend(placed, springs)
    for pair, (first, second), length in zip(found, placed, lengths, strict=True):
        assert pair.energy == pytest.approx(0.0, abs=0.01)
        np.testing.assert_array_equal(pair.coordinates[0], first)
        np.testing.assert_allclose(pdist(pair.coordinates[1]), pdist(second), atol=1e-9)
        end = np.linalg.norm(pair.coordinates[0][0] - pair.coordinates[1][0])
        assert end == pytest.approx(float(length), abs=0.05)


def greedy(predict):
    """Predictions whose oxygens transfer charge to each other."""

    def changed(smiles):
        return [
            replace(
                one,
                ct_epsilons=torch.where(one.atomic_numbers == 8, 4000.0, one.ct_epsilons),
                ct_lambdas=torch.where(one.atomic_numbers == 8, 0.7, one.ct_lambdas),
            )
            for one in predict(smiles)
        ]

    return changed


def test_oxygens_that_attract_each_other_are_found() -> None:
    model = load_model("bytepol")
    (sound,) = closest_approaches(model, [("O", "O")], n_starts=4)
    assert not sound.collapses
    assert sound.elements == "O-O"
    assert 2.7 < sound.distance < 3.1
    assert sound.fraction == pytest.approx(sound.distance / 3.1, rel=0.03)
    (hole,) = closest_approaches(
        SimpleNamespace(predict=greedy(model.predict)), [("O", "O")], n_starts=4
    )
    assert hole.collapses
    assert hole.distance < 2.3
    assert hole.energy < sound.energy


FEW = ("O", "CC(=O)O", "CSC", "CN(C)C")
MANY = (
    *FEW, "CO", "CC(C)=O", "CC#N", "CS(C)=O", "CS", "CSSC", "CNC", "CN", "N", "COC", "C1CO1", "C#N",
    "C[N+](=O)[O-]", "ClCCl", "CCl", "CF", "CBr", "C=O", "NC=O", "CP", "CPC", "C1CN1", "C1CS1",
    "S=C=S", "O=S=O", "O=C=O",
)  # fmt: skip


@pytest.mark.parametrize("names", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_the_default_model_lets_no_two_molecules_fall_into_each_other(names) -> None:
    pairs = [(one, other) for one in names for other in dict.fromkeys((one, "O", "CN(C)C"))]
    approaches = closest_approaches(load_model("bytepol"), pairs, n_starts=6)
    assert not [approach for approach in approaches if approach.collapses]
