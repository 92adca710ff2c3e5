"""Electrostatic potentials round molecules.

With V the potential of the model's charges and induced dipoles at points round a molecule, the
loss is the mean over molecules of

    pseudo-Huber(RMS(V - V_ref)/(s + f·RMS(V_ref))),

RMS the root mean square over the points of a molecule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from openff_bytepol.graph import MolecularGraph
from openff_bytepol.nn.model import Model
from openff_bytepol.potentials import Pairs, electrostatic_potentials
from openff_bytepol.potentials.inputs import sum_by
from openff_bytepol.training.config import TargetConfig
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.splits import Split
from openff_bytepol.training.targets.base import robust, shuffled

_SMALLEST: Final = 1e-12
"""(kcal/mol/e)²; keeps the derivative of a root finite."""


@dataclass(frozen=True)
class PotentialBatch:
    """One geometry of each molecule with points round it."""

    graph: MolecularGraph
    pairs: Pairs
    coordinates: Tensor
    """(n_atoms, 3), Å, about the mean position of each molecule"""
    points: Tensor
    """(n_points, 3), Å, about the same positions"""
    molecules: Tensor
    """Molecule of each point, (n_points,)"""
    potentials: Tensor
    """(n_points,), kcal/mol/e"""
    smiles: tuple[str, ...]


@dataclass(frozen=True)
class _Item:
    molecule: int
    smiles: str
    coordinates: Tensor
    points: Tensor
    potentials: Tensor


class PotentialTarget:
    """Molecules with their electrostatic potential at some points.

    Parameters
    ----------
    rows
        Rows of the potentials schema by split.
    library
        Molecules of the run.
    config
        Scales.
    """

    name = "potentials"

    def __init__(
        self,
        rows: Mapping[Split, Sequence[dict[str, Any]]],
        library: MoleculeLibrary,
        config: TargetConfig,
    ) -> None:
        self._config = config
        self._library = library
        self._rows = {
            split: [r for r in of_split if r["mapped_smiles"] in library and len(r["potential"])]
            for split, of_split in rows.items()
        }
        self._items = {
            split: [_item(row, library) for row in kept] for split, kept in self._rows.items()
        }

    def size(self, split: Split) -> int:
        return len(self._items[split])

    def rows(self, split: Split) -> Sequence[dict[str, Any]]:
        """Rows of a split, in the order of its items."""
        return self._rows[split]

    def order(self, split: Split, seed: int) -> list[int]:
        return shuffled(self.size(split), seed)

    def collate(self, split: Split, items: list[int], seed: int) -> PotentialBatch:  # noqa: ARG002
        chosen = [self._items[split][i] for i in items]
        counts = torch.tensor([len(item.points) for item in chosen])
        return PotentialBatch(
            graph=self._library.batch([item.molecule for item in chosen]),
            pairs=Pairs.concatenate([self._library.pairs([item.molecule]) for item in chosen]),
            coordinates=torch.cat([item.coordinates for item in chosen]),
            points=torch.cat([item.points for item in chosen]),
            molecules=torch.repeat_interleave(counts),
            potentials=torch.cat([item.potentials for item in chosen]),
            smiles=tuple(item.smiles for item in chosen),
        )

    def losses(self, model: Model, batch: PotentialBatch) -> dict[str, Tensor]:
        parameters = model.network.without_terms(batch.graph)
        potentials = electrostatic_potentials(
            parameters, batch.coordinates, batch.points, batch.molecules, pairs=batch.pairs
        )
        return {"rms": potential_loss(potentials, batch, self._config)}

    def describe(self, batch: PotentialBatch) -> str:
        return ", ".join(batch.smiles)


def potential_loss(potentials: Tensor, batch: PotentialBatch, config: TargetConfig) -> Tensor:
    """Mean pseudo-Huber of RMS(V - V_ref)/(scale + fraction·RMS(V_ref)), (n_members,).

    Parameters
    ----------
    potentials
        Predicted, kcal/mol/e; (n_members, n_points).
    batch
        Reference.
    config
        Scales.
    """
    residuals = _root_mean_square(potentials - batch.potentials, batch)
    size = _root_mean_square(batch.potentials, batch)
    width = config.potential_scale + config.potential_relative_scale * size
    return robust(residuals / width).mean(-1)


def _root_mean_square(values: Tensor, batch: PotentialBatch) -> Tensor:
    """Of each molecule; (..., n_points) to (..., n_molecules)."""
    counts = torch.bincount(batch.molecules, minlength=batch.pairs.n_systems)
    squares = sum_by(values.square(), batch.molecules, batch.pairs.n_systems) / counts
    return squares.clamp_min(_SMALLEST).sqrt()


def _item(row: dict[str, Any], library: MoleculeLibrary) -> _Item:
    coordinates = np.reshape(row["coordinates"], (-1, 3))
    centre = coordinates.mean(0)
    return _Item(
        library.index(row["mapped_smiles"]),
        row["name"],
        torch.tensor(coordinates - centre, dtype=torch.float32),
        torch.tensor(np.reshape(row["points"], (-1, 3)) - centre, dtype=torch.float32),
        torch.tensor(np.asarray(row["potential"]), dtype=torch.float32),
    )
