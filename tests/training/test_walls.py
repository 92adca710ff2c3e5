"""Walls against atoms that fall into each other."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from openff_bytepol.models import load_model
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import interaction_components
from openff_bytepol.training.molecules import gather_nonbonded
from openff_bytepol.training.targets import walls
from openff_bytepol.training.targets.walls import (
    DISTANCES,
    FRACTIONS,
    LIKE_ENERGY,
    SHIFTS,
    wall_penalty,
)


@pytest.fixture(scope="module")
def water():
    return load_model("bytepol").predict(["O"])[0].to(dtype=torch.float64)


def penalty_of_pairs(parameters, pairs):
    """Pair by pair through the dimer energies, for which atoms are molecules."""
    penalty = 0.0
    for i, j in pairs:
        pair = gather_nonbonded(parameters, torch.tensor([i, j]), torch.tensor([0, 1]))
        for distance in DISTANCES:
            xyz = torch.tensor([[0.0, 0, 0], [distance, 0, 0]], dtype=torch.float64)
            parts = interaction_components(pair, xyz)
            missing = max(0.0, (900.0 - float(parts.total - parts.pol)) / 900.0)
            penalty += (1.0 + missing**2) ** 0.5 - 1.0
    return penalty


def test_penalty_is_that_of_lone_pairs_of_atoms(water):
    expected = penalty_of_pairs(water, [(i, (i - n) % 3) for n in SHIFTS for i in range(3)])
    assert expected > 0.0
    assert float(wall_penalty(water, 900.0)) == pytest.approx(expected, rel=1e-6)


def test_lone_ions_meet_every_atom(monkeypatch):
    monkeypatch.setattr(walls, "SHIFTS", (0,))
    both = ParameterSet.concatenate(load_model("bytepol").predict(["CI", "[Li+]"])).to(
        dtype=torch.float64
    )
    expected = penalty_of_pairs(both, [(i, j) for i in range(6) for j in (i, 5)])
    assert float(wall_penalty(both, 900.0)) == pytest.approx(expected / 2, rel=1e-6)


def test_like_atoms_that_bind_each_other_cost(water):
    assert float(wall_penalty(water, 1.0)) == 0.0
    strong = water.ct_epsilons * torch.tensor([1.0, 0.0, 0.0])
    greedy = replace(water, ct_epsilons=strong, ct_lambdas=water.ct_lambdas * 0.4)
    expected = 0.0
    pair = gather_nonbonded(greedy, torch.tensor([0, 0]), torch.tensor([0, 1]))
    for fraction in FRACTIONS:
        xyz = torch.tensor([[0.0, 0, 0], [2.0 * fraction * float(water.radii[0]), 0, 0]])
        parts = interaction_components(pair, xyz.double())
        missing = max(0.0, 1.0 - float(parts.pauli + parts.disp + parts.ct) / LIKE_ENERGY)
        expected += (1.0 + missing**2) ** 0.5 - 1.0
    assert expected > 0.1
    assert float(wall_penalty(greedy, 1e-6)) == pytest.approx(expected, rel=1e-6)


def test_atoms_that_repel_cost_nothing_and_those_that_collapse_do(water):
    assert float(wall_penalty(water, 1.0)) == 0.0
    soft = replace(water, epsilons=water.epsilons * 1e-3)
    soft.epsilons.requires_grad_(True)
    penalty = wall_penalty(soft, 20.0)
    assert float(penalty.detach()) > 0.1
    (gradient,) = torch.autograd.grad(penalty, soft.epsilons)
    assert (gradient < 0.0).any()
    assert (gradient <= 0.0).all()
