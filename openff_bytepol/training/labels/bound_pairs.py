"""Where a model binds two rigid molecules most, and where AIMNet2 does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import torch
from rdkit import Chem
from torch import Tensor

from openff_bytepol.nn.model import Model
from openff_bytepol.training.labels import aimnet2
from openff_bytepol.training.labels.rigid import RigidMolecule
from openff_bytepol.training.rigid_pairs import (
    BoundPair,
    Molecule,
    Surface,
    bound_pairs,
    descend,
)

_DISTINCT: Final = 0.3
"""Minima that lie closer in energy count as one, kcal/mol."""


def model_minima(
    model: Model, pair: tuple[RigidMolecule, RigidMolecule], *, n_starts: int, seed: int
) -> list[BoundPair]:
    """Minima of a model's interaction energy, from random contacts.

    Parameters
    ----------
    model
        Whose energy counts.
    pair
        Molecules, in their first conformers.
    n_starts, seed
        Number and seed of the contacts.

    Returns
    -------
    list of BoundPair
        The deepest first, each at least 0.3 kcal/mol above the last.
    """
    a, b = (
        Molecule(model.predict([one.mapped_smiles])[0], one.conformers[0], one.radii)
        for one in pair
    )
    (found,) = bound_pairs([(a, b)], n_starts=n_starts, seed=seed)
    return _distinct(found)


def aimnet2_minima(
    pair: tuple[RigidMolecule, RigidMolecule], starts: Sequence[BoundPair]
) -> list[BoundPair]:
    """Minima of AIMNet2's interaction energy next to others.

    On 535 neutral dimers of published sets AIMNet2 is 0.6 kcal/mol less bound than the reference
    (mean absolute error 0.85): good for where molecules lie, not for how much binds them.

    Parameters
    ----------
    pair
        Molecules, in their first conformers.
    starts
        Minima of another surface, of the same conformers.

    Returns
    -------
    list of BoundPair
        The deepest first, each at least 0.3 kcal/mol above the last.

    Raises
    ------
    MissingDependencyError
        If the AIMNet2 weights are not installed.
    """
    if not starts:
        return []
    found = descend([start.coordinates for start in starts], _aimnet2_surface(pair))
    return _distinct(sorted(found, key=lambda minimum: minimum.energy))


def _distinct(minima: Iterable[BoundPair]) -> list[BoundPair]:
    kept: list[BoundPair] = []
    for minimum in minima:
        if not kept or minimum.energy > kept[-1].energy + _DISTINCT:
            kept.append(minimum)
    return kept


def _aimnet2_surface(pair: tuple[RigidMolecule, RigidMolecule]) -> Surface:
    numbers = [
        torch.tensor([atom.GetAtomicNum() for atom in one.molecule.GetAtoms()]) for one in pair
    ]
    charges = [Chem.GetFormalCharge(one.molecule) for one in pair]
    alone = sum(
        float(aimnet2.evaluate(torch.from_numpy(one.conformers[:1]), z, q).energies)
        for one, z, q in zip(pair, numbers, charges, strict=True)
    )
    together = torch.cat(numbers)

    def surface(coordinates: Tensor) -> tuple[Tensor, Tensor]:
        xyz = coordinates.reshape(-1, len(together), 3)
        found = aimnet2.evaluate(xyz, together, sum(charges))
        return found.energies - alone, -found.forces.to(coordinates.dtype).reshape(-1, 3)

    return surface
