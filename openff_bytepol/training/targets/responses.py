"""Dipole moments and static polarizabilities of molecules.

With A the polarizability tensor that the model's coupled induced dipoles give, and a a third
of its trace, the loss is the sum of the means of

- pseudo-Huber(ln(a/a_ref)/scale);
- pseudo-Huber(|A' - A'_ref|/(3·scale·a_ref)), the parts without trace, where tensors are known;
- pseudo-Huber(|mu - mu_ref|/(s + f·|mu_ref|)), where dipoles are known.

References are of two levels. Where quantum chemistry gave a tensor, it counts as it is. For
the many other molecules a_ref is the sum of DFT-D4's atomic polarizabilities, which add up to
that of the molecule, times one factor that removes their mean deviation from the first level:
the cheap level teaches differences between molecules, the good one the value.

With ``wall_energy``, `wall_penalty` is added: here are molecules of every kind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from openff_bytepol.graph import MolecularGraph
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import Pairs, dipole_moments, molecular_polarizabilities
from openff_bytepol.smiles import canonical_smiles
from openff_bytepol.training.config import TargetConfig
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.splits import Split
from openff_bytepol.training.targets.base import robust, shuffled
from openff_bytepol.training.targets.walls import wall_penalty

Rows = Mapping[Split, Sequence[dict[str, Any]]]

FEWEST: Final = 10
"""Molecules with both levels that are needed to compare the levels."""


@dataclass(frozen=True)
class ResponseBatch:
    """One geometry of each molecule; NaN where there is no reference."""

    graph: MolecularGraph
    pairs: Pairs
    coordinates: Tensor
    """(n_atoms, 3), Å, about the mean position of each molecule"""
    polarizabilities: Tensor
    """(n_molecules,), Å³"""
    tensors: Tensor
    """(n_molecules, 3, 3), Å³"""
    dipoles: Tensor
    """(n_molecules, 3), e·Å"""
    smiles: tuple[str, ...]


@dataclass(frozen=True)
class _Item:
    molecule: int
    smiles: str
    coordinates: Tensor
    polarizability: float
    tensor: Tensor
    dipole: Tensor


class ResponseTarget:
    """Molecules with a polarizability, some with its tensor and a dipole moment.

    Parameters
    ----------
    rows
        Rows of the responses schema by split.
    molecules
        Rows of the molecules schema by split; those that ``rows`` lack are used with their
        DFT-D4 polarizability at the lowest geometry.
    library
        Molecules of the run.
    config
        Scales.
    """

    name = "responses"

    def __init__(
        self, rows: Rows, molecules: Rows, library: MoleculeLibrary, config: TargetConfig
    ) -> None:
        self._config = config
        self._library = library
        good = {
            canonical_smiles(row["mapped_smiles"]): _trace(row)
            for of_split in rows.values()
            for row in of_split
        }
        self.level_factor = level_factor(good, molecules)
        self._items: dict[Split, list[_Item]] = {}
        for split, of_split in molecules.items():
            labelled = [r for r in rows.get(split, ()) if r["mapped_smiles"] in library]
            cheap = [
                r for r in of_split if r["mapped_smiles"] in library and r["smiles"] not in good
            ]
            self._items[split] = [_item(r, library) for r in labelled]
            self._items[split] += [_cheap_item(r, library, self.level_factor) for r in cheap]

    def size(self, split: Split) -> int:
        return len(self._items[split])

    def order(self, split: Split, seed: int) -> list[int]:
        return shuffled(self.size(split), seed)

    def collate(self, split: Split, items: list[int], seed: int) -> ResponseBatch:  # noqa: ARG002
        return _collate([self._items[split][i] for i in items], self._library)

    def losses(self, model: Model, batch: ResponseBatch) -> dict[str, Tensor]:
        parameters = model.network.without_terms(batch.graph)
        losses = response_losses(*predict_responses(parameters, batch), batch, self._config)
        if self._config.wall_energy:
            losses["walls"] = wall_penalty(parameters, self._config.wall_energy)
        return losses

    def describe(self, batch: ResponseBatch) -> str:
        return ", ".join(batch.smiles)


def collate_responses(rows: Sequence[dict[str, Any]], library: MoleculeLibrary) -> ResponseBatch:
    """Batch of rows of the responses schema; every molecule must be in the library."""
    return _collate([_item(row, library) for row in rows], library)


def predict_responses(parameters: ParameterSet, batch: ResponseBatch) -> tuple[Tensor, Tensor]:
    """Polarizability tensors (…, n_molecules, 3, 3), Å³, and dipoles (…, n_molecules, 3), e·Å."""
    tensors = molecular_polarizabilities(parameters, batch.coordinates, pairs=batch.pairs)
    return tensors, dipole_moments(parameters, batch.coordinates, pairs=batch.pairs)


def response_losses(
    tensors: Tensor, dipoles: Tensor, batch: ResponseBatch, config: TargetConfig
) -> dict[str, Tensor]:
    """Parts of the loss, (n_members,).

    Parameters
    ----------
    tensors
        Predicted, Å³; (n_members, n_molecules, 3, 3).
    dipoles
        Predicted, e·Å; (n_members, n_molecules, 3).
    batch
        Reference.
    config
        Scales.
    """
    scale = config.log_molecular_polarizability_scale
    mean = tensors.diagonal(dim1=-2, dim2=-1).mean(-1)
    known = ~batch.polarizabilities.isnan()
    ratio = (mean[:, known] / batch.polarizabilities[known]).clamp(min=1e-3).log()
    losses = {"trace": _mean(robust(ratio / scale))}
    known = ~batch.tensors.isnan().any(-1).any(-1)
    difference = _traceless(tensors[:, known]) - _traceless(batch.tensors[known])
    width = 3.0 * scale * batch.polarizabilities[known]
    losses["anisotropy"] = _mean(robust(difference.flatten(-2).norm(dim=-1) / width))
    known = ~batch.dipoles.isnan().any(-1)
    residuals = (dipoles[:, known] - batch.dipoles[known]).norm(dim=-1)
    width = config.dipole_scale + config.dipole_relative_scale * batch.dipoles[known].norm(dim=-1)
    losses["dipoles"] = _mean(robust(residuals / width))
    return losses


def level_factor(good: Mapping[str, float], molecules: Rows) -> float:
    """Median ratio of good to DFT-D4 mean polarizabilities; 1 with fewer than `FEWEST`.

    A molecule that an epoch shows several times counts once.
    """
    once = {row["smiles"]: row for row in molecules.get("train", ())}
    ratios = [
        good[smiles] / float(np.sum(row["polarizabilities"]))
        for smiles, row in once.items()
        if smiles in good
    ]
    return float(np.nanmedian(ratios)) if len(ratios) >= FEWEST else 1.0


def _collate(items: Sequence[_Item], library: MoleculeLibrary) -> ResponseBatch:
    return ResponseBatch(
        graph=library.batch([item.molecule for item in items]),
        pairs=Pairs.concatenate([library.pairs([item.molecule]) for item in items]),
        coordinates=torch.cat([item.coordinates for item in items]),
        polarizabilities=torch.tensor([item.polarizability for item in items]),
        tensors=torch.stack([item.tensor for item in items]),
        dipoles=torch.stack([item.dipole for item in items]),
        smiles=tuple(item.smiles for item in items),
    )


def _mean(values: Tensor) -> Tensor:
    return values.sum(-1) / max(1, values.shape[-1])


def _traceless(tensors: Tensor) -> Tensor:
    mean = tensors.diagonal(dim1=-2, dim2=-1).mean(-1)
    unit = torch.eye(3, dtype=tensors.dtype, device=tensors.device)
    return tensors - mean[..., None, None] * unit


def _trace(row: dict[str, Any]) -> float:
    return float(np.trace(np.reshape(row["polarizability"], (3, 3))) / 3.0)


def _item(row: dict[str, Any], library: MoleculeLibrary) -> _Item:
    return _Item(
        library.index(row["mapped_smiles"]),
        row["name"],
        _centred(np.reshape(row["coordinates"], (-1, 3))),
        _trace(row),
        torch.tensor(np.reshape(row["polarizability"], (3, 3)), dtype=torch.float32),
        torch.tensor(np.asarray(row["dipole"]), dtype=torch.float32),
    )


def _cheap_item(row: dict[str, Any], library: MoleculeLibrary, factor: float) -> _Item:
    energies = np.asarray(row["energies"])
    geometries = np.asarray(row["coordinates"]).reshape(len(energies), -1, 3)
    return _Item(
        library.index(row["mapped_smiles"]),
        row["smiles"],
        _centred(geometries[int(energies.argmin())]),
        factor * float(np.sum(row["polarizabilities"])),
        torch.full((3, 3), math.nan),
        torch.full((3,), math.nan),
    )


def _centred(coordinates: Any) -> Tensor:
    return torch.tensor(coordinates - coordinates.mean(0), dtype=torch.float32)
