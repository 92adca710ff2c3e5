"""A model, and dimers and a response of water made with parameters that are to be found."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from openff_bytepol.models import load_model
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import (
    dipole_moments,
    interaction_components,
    molecular_polarizabilities,
)
from openff_bytepol.training.config import LabelConfig, TargetConfig, TrainingConfig
from openff_bytepol.training.labels.anchor_fit import FreeParameters
from openff_bytepol.training.labels.config import AnchorConfig
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.rigid_pairs import place
from openff_bytepol.training.targets.dimers import CONTACTS
from tests.training.conftest import METHANE, METHANE_XYZ, WATER, WATER_XYZ

OTHER_ORDER = "[H:1][O:2][H:3]"
SHAPES = {
    WATER: (WATER_XYZ, [1.5, 1.1, 1.1]),
    OTHER_ORDER: (WATER_XYZ[[1, 0, 2]], [1.1, 1.5, 1.1]),
    METHANE: (METHANE_XYZ, [1.7, 1.1, 1.1, 1.1, 1.1]),
}
SCALES = TargetConfig(dimer_energy_scale=0.05, dimer_relative_scale=0.04, wall_energy=20.0)


@pytest.fixture(scope="package")
def model() -> Model:
    return load_model("bytepol")


@pytest.fixture(scope="package")
def library(model: Model) -> MoleculeLibrary:
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    library.add([WATER, OTHER_ORDER, METHANE])
    return library


@pytest.fixture(scope="package")
def start(model: Model) -> ParameterSet:
    return model.predict([WATER])[0]


def water(start: ParameterSet) -> FreeParameters:
    return FreeParameters(start, torch.tensor([0, 1, 1]))


@pytest.fixture(scope="package")
def known(start: ParameterSet) -> dict[str, torch.Tensor]:
    """Parameters of water that are to be found."""
    free = water(start)
    with torch.no_grad():
        free.variables["charges"] += torch.tensor([-0.2, 0.2])
        free.variables["volumes"] += 0.4
        free.variables["epsilons"][0] += 0.3
    return {name: value.detach() for name, value in free.values().items()}


def set_of(mapped: str, model: Model, known: dict[str, torch.Tensor]) -> ParameterSet:
    (found,) = model.predict([mapped])
    if mapped == METHANE:
        return found
    order = [1, 0, 2] if mapped == OTHER_ORDER else [0, 1, 2]
    return replace(found, **{name: value[order] for name, value in known.items()})


@pytest.fixture(scope="package")
def dimers(model: Model, known: dict[str, torch.Tensor]) -> list[dict]:
    """Random contacts with the energies of the known parameters."""
    generator = np.random.default_rng(5)
    rows = []
    for number in range(32):
        a, b = ((WATER, WATER), (WATER, METHANE), (OTHER_ORDER, WATER), (METHANE, WATER))[
            number % 4
        ]
        sums = np.add.outer(SHAPES[a][1], SHAPES[b][1])
        xyz = place(SHAPES[a][0], SHAPES[b][0], sums, generator.uniform(0.8, 1.2), generator)
        both = ParameterSet.concatenate([set_of(one, model, known) for one in (a, b)])
        energies = interaction_components(both, torch.from_numpy(xyz))
        contact = number >= 16
        rows.append(
            {
                "subset": CONTACTS if contact else "toy", "name": str(number), "level": "made up",
                "smiles_a": a, "smiles_b": b, "coordinates": xyz.ravel(),
                "elst": float(energies.elec), "exch": float(energies.pauli),
                "ind": math.nan if contact else float(energies.pol + energies.ct),
                "disp": math.nan if contact else float(energies.disp),
                "total": float(energies.total), "weight": 1.0,
            }
        )  # fmt: skip
    return rows


@pytest.fixture(scope="package")
def response(model: Model, known: dict[str, torch.Tensor]) -> dict:
    parameters = set_of(WATER, model, known)
    xyz = torch.from_numpy(WATER_XYZ - WATER_XYZ.mean(0))
    return {
        "subset": "toy", "name": "O", "level": "made up", "mapped_smiles": WATER,
        "coordinates": xyz.numpy().ravel(),
        "dipole": dipole_moments(parameters, xyz).numpy().ravel(),
        "polarizability": molecular_polarizabilities(parameters, xyz).numpy().ravel(),
    }  # fmt: skip


def run_config(c6_weight: float = 0.0, **settings: object) -> TrainingConfig:
    anchors = AnchorConfig(molecules=("O",), c6_weight=c6_weight, **settings)
    return TrainingConfig(
        name="x", reference_data="x", output="x", stages=(), targets=SCALES,
        labels=LabelConfig(anchors=anchors),
    )  # fmt: skip
