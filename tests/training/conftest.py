"""A training run small enough for a test: three molecules, a few dimers, a tiny network."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import yaml

from openff_bytepol.parameters import ATOM_PARAMETERS
from openff_bytepol.training.labels.geometries import hydrogenated
from openff_bytepol.training.labels.schema import MOLECULES, write_table
from openff_bytepol.training.targets.dimers import DIMERS

WATER = "[O:1]([H:2])[H:3]"
METHANE = "[C:1]([H:2])([H:3])([H:4])[H:5]"
WATER_XYZ = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
METHANE_XYZ = 0.63 * np.array(
    [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [-1.0, -1.0, 1.0], [-1.0, 1.0, -1.0], [1.0, -1.0, -1.0]]
)


def huber(x: float) -> float:
    """Pseudo-Huber function."""
    return math.sqrt(1.0 + x * x) - 1.0


def dimer_row(distance: float, name: str = "d") -> dict:
    """Water over methane with plausible made-up components."""
    exchange = 20.0 * np.exp(-3.0 * (distance - 3.0))
    parts = {"elst": -0.4 * exchange, "exch": exchange, "ind": -0.1 * exchange, "disp": -1.0}
    return {
        "subset": "toy",
        "name": name,
        "level": "made up",
        "smiles_a": WATER,
        "smiles_b": METHANE,
        "coordinates": np.concatenate(
            [WATER_XYZ, METHANE_XYZ + np.array([0.0, 0.0, distance])]
        ).ravel(),
        **parts,
        "total": sum(parts.values()),
        "weight": 1.0,
    }


def molecule_row(smiles: str, mapped: str, xyz: np.ndarray, seed: int = 0) -> dict:
    """A molecule with three geometries and made-up labels, no Sage terms."""
    rng = np.random.default_rng(seed)
    coordinates = xyz + 0.03 * rng.normal(size=(3, *xyz.shape))
    n = len(xyz)
    bonds = [[0, i] for i in range(1, n)]
    return {
        "smiles": smiles,
        "mapped_smiles": mapped,
        "source": "toy",
        "charges": [-0.1 * (n - 1)] + [0.1] * (n - 1),
        "c6": [400.0] + [40.0] * (n - 1),
        "polarizabilities": [0.8] + [0.3] * (n - 1),
        "bonds": np.ravel(bonds).tolist(),
        "bond_k": [800.0] * (n - 1),
        "bond_r0": [1.0] * (n - 1),
        "angles": [],
        "angle_k": [],
        "angle_theta0": [],
        "propers": [],
        "proper_k": [],
        "kinds": ["conformer", "distorted", "distorted"],
        "coordinates": coordinates.ravel(),
        "energies": [0.0, 3.0, 5.0],
        "forces": rng.normal(size=coordinates.shape).ravel(),
        "dipoles": rng.normal(size=9),
    }


def anchor_row(mapped: str, charges: list[float], **values: object) -> dict:
    """A fitted molecule with made-up parameters."""
    others = {name: [0.5 + 0.1 * abs(q) for q in charges] for name in ATOM_PARAMETERS}
    fit = {"n_dimers": 7, "loss_before": 2.0, "loss_after": 1.0}
    return {"mapped_smiles": mapped, **others, "charges": charges, **fit, **values}


@pytest.fixture
def toy_config(tmp_path: Path) -> Path:
    """Configuration with its data written, all three targets in two stages."""
    ethanol = hydrogenated("CCO")
    from rdkit import Chem

    from openff_bytepol.training.labels.geometries import conformers

    rows = [
        molecule_row("O", WATER, WATER_XYZ),
        molecule_row("C", METHANE, METHANE_XYZ, 1),
        molecule_row("CCO", Chem.MolToSmiles(ethanol), conformers(ethanol, 1, 1)[0], 2),
    ]
    rows[2] |= {"bonds": [0, 1, 1, 2], "bond_k": [600.0, 700.0], "bond_r0": [1.52, 1.41]}
    output = tmp_path / "output"
    write_table(rows, MOLECULES, output / "labels" / "pool-0000.parquet")
    dimers = [dimer_row(2.8 + 0.1 * i, f"d{i}") for i in range(12)]
    write_table(dimers, DIMERS, output / "dimers" / "ncia.parquet")
    config = {
        "name": "toy",
        "reference_data": "nowhere",
        "output": "output",
        "model": {
            "transformer": {"hidden": 16, "out": 16, "layers": 1, "channels": 4},
            "features": {"atom": {"hidden": 16, "out": 16}, "bond": {"hidden": 16, "out": 16}},
        },
        "split": {"pair_fraction": 0.0, "scaffold_fraction": 0.0},
        "targets": {"n_geometries": 3},
        "dimers": [{"path": "unused", "reader": "ncia"}],
        "stages": [
            {
                "name": "first",
                "weights": {"priors": 1.0, "dimers": 1.0},
                "batch_sizes": {"priors": 3, "dimers": 4},
                "epochs": 2,
                "steps_per_epoch": 4,
                "learning_rate": 3e-3,
            },
            {
                "name": "second",
                "weights": {"monomers": 1.0, "dimers": 0.5},
                "batch_sizes": {"monomers": 2, "dimers": 4},
                "epochs": 2,
                "steps_per_epoch": 4,
                "learning_rate": 3e-3,
            },
        ],
    }
    path = tmp_path / "train.yaml"
    path.write_text(yaml.safe_dump(config))
    return path
