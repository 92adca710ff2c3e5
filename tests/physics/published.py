"""Nonbonded parameters published with ByteFF-Pol, and geometries that go with them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor

from openff_bytepol.parameters import ParameterSet
from openff_bytepol.settings import PUBLISHED_SETTINGS
from openff_bytepol.units import OPENMM_C6, OPENMM_CT_EPSILON, OPENMM_ENERGY, OPENMM_POLARIZABILITY

FIELDS = {
    "charges": ("charge", 1.0),
    "polarizabilities": ("alpha", OPENMM_POLARIZABILITY),
    "dampings": ("pol_damping", OPENMM_POLARIZABILITY),
    "c6": ("C6", OPENMM_C6),
    "radii": ("Rvdw", 0.1),
    "epsilons": ("eps", OPENMM_ENERGY),
    "lambdas": ("lamb", 1.0),
    "ct_epsilons": ("ct_eps", OPENMM_CT_EPSILON),
    "ct_lambdas": ("ct_lamb", 1.0),
}
ELEMENTS = {"h": 1, "li": 3, "c": 6, "n": 7, "o": 8, "f": 9, "p": 15, "s": 16}


def parameters(reference_data: Path, name: str) -> ParameterSet:
    """Parameters of one molecule, bonds included but without bonded energies."""
    folder = reference_data / "reference" / "byteff_pol_published" / name
    values = json.loads((folder / f"{name}.json").read_text())
    sections: dict[str, list[list[str]]] = {}
    for line in (folder / f"{name}.itp").read_text().splitlines():
        if line.startswith("["):
            rows = sections.setdefault(line.split()[1], [])
        elif line.strip() and not line.lstrip().startswith(";"):
            rows.append(line.split())
    symbols = [row[4].rstrip("0123456789").lower() for row in sections["atoms"]]
    bonds = [[int(i) - 1 for i in row[:2]] for row in sections.get("bonds", [])]
    none = torch.zeros(0, dtype=torch.float64)
    return ParameterSet(
        atomic_numbers=torch.tensor([ELEMENTS[symbol] for symbol in symbols]),
        molecule_index=torch.zeros(len(symbols), dtype=torch.int64),
        **{
            field: torch.tensor(values[key], dtype=torch.float64) / unit
            for field, (key, unit) in FIELDS.items()
        },
        bonds=torch.tensor(bonds, dtype=torch.int64).reshape(-1, 2),
        bond_k=torch.zeros(len(bonds), dtype=torch.float64),
        bond_r0=torch.ones(len(bonds), dtype=torch.float64),
        angles=torch.zeros((0, 3), dtype=torch.int64),
        angle_k=none,
        angle_theta0=none,
        propers=torch.zeros((0, 4), dtype=torch.int64),
        proper_k=none.reshape(0, 4),
        impropers=torch.zeros((0, 4), dtype=torch.int64),
        improper_k=none,
        settings=PUBLISHED_SETTINGS,
    )


def last_frame(path: Path) -> Tensor:
    """Coordinates of the last frame of an extended-XYZ file, Å."""
    lines = path.read_text().split("\n")
    n_atoms = int(lines[0])
    frames = [line for line in lines if line.strip()]
    return torch.tensor(
        [[float(v) for v in row.split()[1:4]] for row in frames[-n_atoms:]], dtype=torch.float64
    )


def acetone_liquid(reference_data: Path, n_molecules: int) -> Tensor:
    """The molecules of the published acetone box nearest to its middle, unwrapped; Å."""
    path = reference_data / "reference" / "byteff_pol_published" / "liquid.gro"
    rows = path.read_text().splitlines()[2:-1]
    x = torch.tensor(
        [[10 * float(row[20 + 8 * k : 28 + 8 * k]) for k in range(3)] for row in rows],
        dtype=torch.float64,
    ).reshape(-1, 10, 3)
    whole = x[(x - x[:, :1]).abs().amax((1, 2)) < 6.0]
    centers = whole.mean(1)
    nearest = (centers - centers.mean(0)).norm(dim=1).argsort()[:n_molecules]
    return whole[nearest]
