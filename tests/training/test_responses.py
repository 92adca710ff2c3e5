"""Polarizabilities and dipoles as a target: values, levels, missing references."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from openff_bytepol.nn.model import Model
from openff_bytepol.potentials import dipole_moments, molecular_polarizabilities
from openff_bytepol.training.config import TargetConfig
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.targets.responses import (
    ResponseTarget,
    level_factor,
    response_losses,
)
from tests.training.conftest import METHANE, METHANE_XYZ, WATER, WATER_XYZ, huber, molecule_row

CONFIG = TargetConfig(
    log_molecular_polarizability_scale=0.03, dipole_scale=0.05, dipole_relative_scale=0.1
)


def response_row(name: str, mapped: str, xyz: np.ndarray, alpha: float) -> dict:
    return {
        "subset": "toy",
        "name": name,
        "level": "made up",
        "mapped_smiles": mapped,
        "coordinates": xyz.ravel(),
        "dipole": np.array([0.1, 0.2, 0.0]),
        "polarizability": (alpha * np.diag([1.2, 1.0, 0.8])).ravel(),
    }


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(n_members=2, seed=3)


@pytest.fixture(scope="module")
def target(model: Model) -> ResponseTarget:
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    library.add([WATER, METHANE])
    molecules = [
        molecule_row("O", WATER, WATER_XYZ),
        molecule_row("C", METHANE, METHANE_XYZ, 1),
    ]
    rows = [response_row("O", WATER, WATER_XYZ, 1.5)]
    empty: dict = {"validation": [], "test": []}
    return ResponseTarget({"train": rows, **empty}, {"train": molecules, **empty}, library, CONFIG)


def test_quantum_chemistry_replaces_the_cheap_level(target: ResponseTarget) -> None:
    assert target.size("train") == 2
    batch = target.collate("train", [0, 1], 0)
    assert batch.smiles == ("O", "C")
    assert batch.polarizabilities.tolist() == pytest.approx([1.5, 0.8 + 4 * 0.3])
    assert batch.tensors[1].isnan().all()
    assert batch.dipoles[1].isnan().all()
    assert batch.coordinates[:3].mean(0).abs().max() < 1e-6


def test_loss_against_hand_values(target: ResponseTarget) -> None:
    batch = target.collate("train", [0, 1], 0)
    tensors = torch.stack([1.5 * torch.diag(torch.tensor([1.1, 1.1, 1.1])), 2.0 * torch.eye(3)])
    dipoles = torch.tensor([[0.1, 0.5, 0.0], [7.0, 7.0, 7.0]])
    losses = response_losses(tensors[None], dipoles[None], batch, CONFIG)

    assert losses["trace"].item() == pytest.approx(0.5 * huber(math.log(1.1) / 0.03), rel=1e-5)
    anisotropy = 1.5 * math.hypot(0.2, 0.2) / (3.0 * 0.03 * 1.5)
    assert losses["anisotropy"].item() == pytest.approx(huber(anisotropy), rel=1e-5)
    width = 0.05 + 0.1 * math.hypot(0.1, 0.2)
    assert losses["dipoles"].item() == pytest.approx(huber(0.3 / width), rel=1e-5)


def test_prediction_has_the_coupling_within_the_molecule(
    model: Model, target: ResponseTarget
) -> None:
    batch = target.collate("train", [0], 0)
    parameters = model.network(batch.graph)
    tensors = molecular_polarizabilities(parameters, batch.coordinates, pairs=batch.pairs)
    dipoles = dipole_moments(parameters, batch.coordinates, pairs=batch.pairs)
    expected = response_losses(tensors, dipoles, batch, CONFIG)
    found = target.losses(model, batch)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
        assert found[name].shape == (2,)
    additive = parameters.polarizabilities.sum(-1)
    coupled = tensors.diagonal(dim1=-2, dim2=-1).mean((-1, -2))
    assert (coupled < additive).all()


def test_levels_are_compared_where_both_are_known() -> None:
    rows = [{"smiles": str(i), "polarizabilities": [2.0, 3.0]} for i in range(12)]
    good = {str(i): 5.5 for i in range(12)}
    assert level_factor(good, {"train": rows}) == pytest.approx(1.1)
    assert level_factor(good, {"train": rows[:5]}) == 1.0
    often = rows + 50 * [rows[0]]
    assert level_factor(good | {rows[0]["smiles"]: 9.9}, {"train": often}) == pytest.approx(1.1)
