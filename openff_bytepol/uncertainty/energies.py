"""Disagreement of the members of an ensemble on energies, components and forces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from openff_bytepol.nn.model import Model
from openff_bytepol.potentials import Pairs, energy_and_forces
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.targets.dimers import collate_dimers, predict_dimers

FloatArray = NDArray[np.float64]

DIMER_QUANTITIES: Final = ("elst+exch", "ind", "disp", "total")
_DIMER_BATCH: Final = 128


@dataclass(frozen=True)
class DimerPrediction:
    """Mean and standard deviation over the ensemble, kcal/mol."""

    rows: list[dict[str, Any]]
    """Those that the model covers."""
    mean: dict[str, FloatArray]
    deviation: dict[str, FloatArray]
    """Zero for a single model."""


def complete_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of dimers with unknown labels where they have none, as the trainer wants them."""
    blank = dict.fromkeys(("elst", "exch", "ind", "disp", "total", "weight"), np.nan)
    return [blank | {"subset": "", "name": ""} | row for row in rows]


@torch.no_grad()
def dimer_disagreement(model: Model, rows: Sequence[dict[str, Any]]) -> DimerPrediction:
    """Interaction energies with their spread over the ensemble.

    Parameters
    ----------
    model
        Any.
    rows
        With ``smiles_a``, ``smiles_b`` (mapped) and ``coordinates`` (flattened, Å), such as
        rows of the dimer schema; those the model does not cover are left out.

    Raises
    ------
    PolarizationCatastropheError
        If a geometry has no stable induced dipoles.
    """
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    library.add(row[f"smiles_{side}"] for row in rows for side in "ab")
    kept = [r for r in rows if r["smiles_a"] in library and r["smiles_b"] in library]
    pieces: dict[str, list[Tensor]] = {name: [] for name in DIMER_QUANTITIES}
    for start in range(0, len(kept), _DIMER_BATCH):
        chunk = complete_rows(kept[start : start + _DIMER_BATCH])
        energies = predict_dimers(model, collate_dimers(chunk, library))
        values = (
            energies.elec + energies.pauli, energies.pol + energies.ct, energies.disp,
            energies.total,
        )  # fmt: skip
        for name, value in zip(DIMER_QUANTITIES, values, strict=True):
            pieces[name].append(value.double())
    empty = torch.empty((model.n_members, 0), dtype=torch.float64)
    joined = {name: torch.cat(parts or [empty], dim=1) for name, parts in pieces.items()}
    several = model.n_members > 1
    return DimerPrediction(
        kept,
        {name: value.mean(0).numpy() for name, value in joined.items()},
        {
            name: (value.std(0) if several else torch.zeros(value.shape[1])).numpy()
            for name, value in joined.items()
        },
    )


@dataclass(frozen=True)
class MonomerPrediction:
    """Relative energies and forces of one molecule's geometries."""

    energies: FloatArray
    """(n_members, n_geometries), kcal/mol, each member's mean removed"""
    forces: FloatArray
    """(n_members, n_geometries, n_atoms, 3), kcal/mol/Å"""


def monomer_members(model: Model, mapped_smiles: str, coordinates: Tensor) -> MonomerPrediction:
    """Every member's energies and forces.

    Parameters
    ----------
    model
        Any.
    mapped_smiles
        Its map numbers give the atom order.
    coordinates
        (n_geometries, n_atoms, 3), Å.
    """
    parameters = model.predict_members([mapped_smiles])[0]
    pairs = Pairs.from_parameters(parameters)
    components, forces = energy_and_forces(parameters, coordinates.double(), pairs=pairs)
    energies = components.total.detach().squeeze(-1)
    energies = energies - energies.mean(-1, keepdim=True)
    return MonomerPrediction(energies.numpy(), forces.detach().numpy())
