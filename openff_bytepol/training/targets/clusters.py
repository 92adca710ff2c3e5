"""Three-body energies of trimers.

What three molecules A, B, C interact beyond the sum over their pairs is, of all components of the
functional form, polarization alone:

    E₃ = POL[ABC] - POL[AB] - POL[AC] - POL[BC].

Repulsion, dispersion, charge transfer and the electrostatics of charges and frozen dipoles, those
that each molecule induces in itself, are sums over pairs of molecules and cancel. So dimers leave
E₃ open: charge transfer can take over in pairs what polarization should do. With residuals r
between model and reference, the loss is the mean over trimers of

    pseudo-Huber(r/(s + f·|E₃_ref|)).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from openff_bytepol.graph import MolecularGraph
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import Pairs, polarization_energies
from openff_bytepol.training.config import TargetConfig
from openff_bytepol.training.molecules import MoleculeLibrary, gather_nonbonded
from openff_bytepol.training.splits import Split
from openff_bytepol.training.targets.base import robust, shuffled_in_blocks

TRIMERS: Final = "liquid trimers"
"""Subset of the clusters that are cut from simulated liquids."""
PARTS: Final = ((0, 1, 2), (0, 1), (0, 2), (1, 2))
"""Molecules of the four systems that each trimer makes: the whole and its pairs."""


@dataclass(frozen=True)
class ClusterBatch:
    """The systems ABC, AB, AC and BC of each trimer, one after another; distinct molecules only
    once in the graph.
    """

    graph: MolecularGraph
    atoms: Tensor
    """Row in the graph of each atom of the systems."""
    coordinates: Tensor
    """(n_atoms, 3), Å."""
    pairs: Pairs
    reference: Tensor
    """Three-body energies, kcal/mol, (n_trimers,)."""
    molecules: tuple[int, ...]
    """Number in the library of each molecule of the graph."""
    names: tuple[str, ...]


class ClusterTarget:
    """Trimers with reference three-body energies.

    Parameters
    ----------
    rows
        Rows of the clusters schema by split; those that are no trimers, or have no three-body
        energy, are left out.
    library
        Molecules of the run; rows of molecules that it lacks are left out.
    config
        Scales.
    """

    name = "clusters"

    def __init__(
        self,
        rows: Mapping[Split, Sequence[dict[str, Any]]],
        library: MoleculeLibrary,
        config: TargetConfig,
    ) -> None:
        self._config = config
        self._library = library
        self._rows = {
            split: [row for row in known_trimers(of_split) if _covered(row, library)]
            for split, of_split in rows.items()
        }

    def size(self, split: Split) -> int:
        return len(self._rows[split])

    def rows(self, split: Split) -> Sequence[dict[str, Any]]:
        """Rows of a split, in the order of its items."""
        return self._rows[split]

    def order(self, split: Split, seed: int) -> list[int]:
        """Shuffled in blocks of trimers of the same molecules."""
        groups: dict[tuple[str, ...], list[list[int]]] = {}
        for item, row in enumerate(self._rows[split]):
            groups.setdefault(tuple(sorted(row["smiles"])), []).append([item])
        return shuffled_in_blocks(groups.values(), seed)

    def collate(self, split: Split, items: list[int], seed: int) -> ClusterBatch:  # noqa: ARG002
        return collate_clusters([self._rows[split][i] for i in items], self._library)

    def losses(self, model: Model, batch: ClusterBatch) -> dict[str, Tensor]:
        predicted = predict_three_body(model, batch)
        return {"three-body": cluster_loss(predicted, batch.reference, self._config)}

    def describe(self, batch: ClusterBatch) -> str:
        return ", ".join(batch.names)


def known_trimers(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the clusters schema with three molecules and a three-body energy."""
    return [row for row in rows if len(row["smiles"]) == 3 and not math.isnan(row["three_body"])]


def collate_clusters(rows: Sequence[dict[str, Any]], library: MoleculeLibrary) -> ClusterBatch:
    """Batch of trimers; every molecule must be in the library."""
    trimers = [tuple(library.index(smiles) for smiles in row["smiles"]) for row in rows]
    distinct = sorted({molecule for trimer in trimers for molecule in trimer})
    in_graph = library.atom_rows(distinct)
    atoms, coordinates, pairs = [], [], []
    for row, trimer in zip(rows, trimers, strict=True):
        xyz = torch.tensor(row["coordinates"], dtype=torch.float32).reshape(-1, 3)
        places = torch.split(xyz, [len(in_graph[molecule]) for molecule in trimer])
        for part in PARTS:
            atoms += [in_graph[trimer[i]] for i in part]
            coordinates += [places[i] for i in part]
            pairs.append(library.pairs([trimer[i] for i in part]))
    return ClusterBatch(
        graph=library.batch(distinct),
        atoms=torch.cat(atoms),
        coordinates=torch.cat(coordinates),
        pairs=Pairs.concatenate(pairs),
        reference=torch.tensor([row["three_body"] for row in rows], dtype=torch.float32),
        molecules=tuple(distinct),
        names=tuple(f"{row['subset']} {row['name']}" for row in rows),
    )


def predict_three_body(model: Model, batch: ClusterBatch) -> Tensor:
    """Three-body energies of every member, kcal/mol, (n_members, n_trimers)."""
    return three_body_energies(model.network.without_terms(batch.graph), batch)


def three_body_energies(parameters: ParameterSet, batch: ClusterBatch) -> Tensor:
    """Three-body energies from the parameters of the batch's distinct molecules.

    Parameters
    ----------
    parameters
        With an ensemble axis or without.
    batch
        Trimers.

    Returns
    -------
    Tensor
        kcal/mol; (n_members, n_trimers) or (n_trimers,).

    Raises
    ------
    PolarizationCatastropheError
        If induced dipoles have no minimum.
    """
    placed = gather_nonbonded(parameters, batch.atoms, batch.pairs.atom_molecule)
    coordinates = batch.coordinates.to(parameters.charges.dtype)
    energies = polarization_energies(placed, coordinates, pairs=batch.pairs)
    whole, *pairs = (energies[..., part :: len(PARTS)] for part in range(len(PARTS)))
    return whole - torch.stack(pairs).sum(0)


def cluster_loss(predicted: Tensor, reference: Tensor, config: TargetConfig) -> Tensor:
    """Mean pseudo-Huber of (E₃ - E₃_ref)/(scale + fraction·|E₃_ref|), (n_members,).

    Parameters
    ----------
    predicted
        kcal/mol; (n_members, n_trimers).
    reference
        kcal/mol; (n_trimers,).
    config
        Scales.
    """
    width = config.cluster_energy_scale + config.cluster_relative_scale * reference.abs()
    return robust((predicted - reference) / width).mean(-1)


def _covered(row: dict[str, Any], library: MoleculeLibrary) -> bool:
    return all(smiles in library for smiles in row["smiles"])
