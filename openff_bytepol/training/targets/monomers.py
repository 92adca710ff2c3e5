"""Energies and forces of molecules at many geometries.

With d = E_model - E_ref of each geometry of a molecule, w = 1/(1 + E_ref/softening) and
d's weighted mean removed (molecules have no common zero), the loss is the weighted mean
pseudo-Huber of d/scale, plus those of force residuals over their scale, and of
|mu - mu_ref|/(scale + fraction·|mu_ref|), which ties charges to the far field of a molecule.
Dipoles that are NaN do not count. With ``wall_energy``, `wall_penalty` is added: many molecules
are in no dimer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from openff_bytepol.graph import MolecularGraph
from openff_bytepol.nn.model import Model
from openff_bytepol.potentials import Pairs, dipole_moments, energy_and_forces
from openff_bytepol.training.config import TargetConfig
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.splits import Split
from openff_bytepol.training.targets.base import robust, shuffled
from openff_bytepol.training.targets.walls import wall_penalty


@dataclass(frozen=True)
class MonomerBatch:
    """The same number of geometries of each molecule."""

    graph: MolecularGraph
    pairs: Pairs
    coordinates: Tensor
    """(n_geometries, n_atoms, 3), Å"""
    energies: Tensor
    """(n_geometries, n_molecules), kcal/mol above the lowest"""
    forces: Tensor
    """(n_geometries, n_atoms, 3), kcal/mol/Å"""
    dipoles: Tensor
    """(n_geometries, n_molecules, 3), e·Å, about the mean position of the atoms; NaN if unknown"""
    smiles: tuple[str, ...]


@dataclass(frozen=True)
class _Item:
    molecule: int
    smiles: str
    coordinates: Tensor
    energies: Tensor
    forces: Tensor
    dipoles: Tensor


class MonomerTarget:
    """Molecules with labelled geometries.

    Parameters
    ----------
    rows
        Rows of the molecules schema by split.
    library
        Molecules of the run.
    config
        Scales and number of geometries in a batch.
    """

    name = "monomers"

    def __init__(
        self,
        rows: Mapping[Split, Sequence[dict[str, Any]]],
        library: MoleculeLibrary,
        config: TargetConfig,
    ) -> None:
        self._config = config
        self._library = library
        self._items = {
            split: [
                _item(row, library)
                for row in of_split
                if row["mapped_smiles"] in library and len(row["energies"]) > 1
            ]
            for split, of_split in rows.items()
        }

    def size(self, split: Split) -> int:
        return len(self._items[split])

    def order(self, split: Split, seed: int) -> list[int]:
        return shuffled(self.size(split), seed)

    def collate(self, split: Split, items: list[int], seed: int) -> MonomerBatch:
        chosen = [self._items[split][i] for i in items]
        generator = torch.Generator().manual_seed(seed)
        count = self._config.n_geometries
        picks = [_pick(len(item.energies), count, generator) for item in chosen]
        picked = list(zip(chosen, picks, strict=True))
        return MonomerBatch(
            graph=self._library.batch([item.molecule for item in chosen]),
            pairs=Pairs.concatenate([self._library.pairs([item.molecule]) for item in chosen]),
            coordinates=torch.cat([item.coordinates[p] for item, p in picked], dim=1),
            energies=torch.stack([item.energies[p] for item, p in picked], dim=1),
            forces=torch.cat([item.forces[p] for item, p in picked], dim=1),
            dipoles=torch.stack([item.dipoles[p] for item, p in picked], dim=1),
            smiles=tuple(item.smiles for item in chosen),
        )

    def losses(self, model: Model, batch: MonomerBatch) -> dict[str, Tensor]:
        parameters = model.network(batch.graph)
        components, forces = energy_and_forces(
            parameters, batch.coordinates, pairs=batch.pairs, create_graph=torch.is_grad_enabled()
        )
        dipoles = dipole_moments(parameters, batch.coordinates, pairs=batch.pairs)
        losses = monomer_losses(components.total, forces, batch, self._config)
        losses["dipoles"] = dipole_loss(dipoles, batch, self._config)
        if self._config.wall_energy:
            losses["walls"] = wall_penalty(parameters, self._config.wall_energy)
        return losses

    def describe(self, batch: MonomerBatch) -> str:
        return ", ".join(batch.smiles)


def monomer_losses(
    energies: Tensor, forces: Tensor, batch: MonomerBatch, config: TargetConfig
) -> dict[str, Tensor]:
    """Energy and force parts of the loss, (n_members,).

    Parameters
    ----------
    energies
        Predicted, kcal/mol; (n_members, n_geometries, n_molecules).
    forces
        Predicted, kcal/mol/Å; (n_members, n_geometries, n_atoms, 3).
    batch
        Reference.
    config
        Scales.
    """
    weights = 1.0 / (1.0 + batch.energies / config.monomer_energy_softening)
    residuals = energies - batch.energies
    mean = (residuals * weights).sum(1, keepdim=True) / weights.sum(0)
    energy_loss = robust((residuals - mean) / config.monomer_energy_scale) * weights
    force_loss = robust((forces - batch.forces) / config.monomer_force_scale)
    return {
        "energies": energy_loss.sum((1, 2)) / weights.sum(),
        "forces": force_loss.mean((1, 2, 3)),
    }


def dipole_loss(dipoles: Tensor, batch: MonomerBatch, config: TargetConfig) -> Tensor:
    """Mean pseudo-Huber of |mu - mu_ref|/(scale + fraction·|mu_ref|), (n_members,).

    Over known dipoles; 0 if none is known.

    Parameters
    ----------
    dipoles
        Predicted, e·Å; (n_members, n_geometries, n_molecules, 3).
    batch
        Reference.
    config
        Scales.
    """
    known = ~batch.dipoles.isnan().any(-1)
    reference = batch.dipoles[known]
    residuals = (dipoles[:, known] - reference).norm(dim=-1)
    scale = config.monomer_dipole_scale or config.dipole_scale
    width = scale + config.dipole_relative_scale * reference.norm(dim=-1)
    return robust(residuals / width).sum(-1) / max(1, len(reference))


def _item(row: dict[str, Any], library: MoleculeLibrary) -> _Item:
    molecule = library.index(row["mapped_smiles"])
    shape = (len(row["energies"]), library.graphs[molecule].n_atoms, 3)
    arrays = {
        name: torch.from_numpy(np.array(row[name], dtype=np.float32).reshape(shape))
        for name in ("coordinates", "forces")
    }
    arrays["coordinates"] -= arrays["coordinates"].mean(1, keepdim=True)
    return _Item(
        molecule,
        row["smiles"],
        energies=torch.tensor(row["energies"], dtype=torch.float32),
        dipoles=torch.from_numpy(np.array(row["dipoles"], dtype=np.float32).reshape(-1, 3)),
        **arrays,
    )


def _pick(available: int, count: int, generator: torch.Generator) -> Tensor:
    """Distinct geometries where there are enough, all and repeats otherwise."""
    order = torch.randperm(available, generator=generator)
    return order.repeat(-(-count // available))[:count]
