"""Geometries of chosen molecules, and when two geometries are the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from active_learning.config import GeometryConfig
from active_learning.labelling.base import LabelJob
from openff_bytepol.training.labels import geometries

FloatArray = NDArray[np.float64]

SAME_GEOMETRY: Final = 0.05
"""Root mean square difference of sorted distances below which geometries are one, Å."""


def monomer_job(smiles: str, level: str, config: GeometryConfig, seed: int) -> LabelJob:
    """Relaxed and distorted conformers of a molecule.

    Raises
    ------
    DataError
        If RDKit finds no geometry.
    """
    mol = geometries.hydrogenated(smiles)
    relaxed = geometries.conformers(mol, config.conformers, seed)
    generator = np.random.default_rng(seed)
    distorted = [
        relaxed + generator.normal(scale=width, size=relaxed.shape) for width in config.distortions
    ]
    return LabelJob(
        kind="monomer",
        level=level,
        smiles=(str(Chem.MolToSmiles(mol)),),
        charges=(Chem.GetFormalCharge(mol),),
        coordinates=np.concatenate([relaxed, *distorted]),
    )


def torsion_jobs(smiles: str, level: str, config: GeometryConfig, seed: int) -> list[LabelJob]:
    """Scans about the molecule's first rotatable bonds; none for a rigid molecule.

    Raises
    ------
    DataError
        If RDKit finds no geometry.
    """
    mol = geometries.hydrogenated(smiles)
    dihedrals = geometries.rotatable_bonds(mol)[: config.torsions_per_molecule]
    start = geometries.conformers(mol, 1, seed) if dihedrals else None
    return [
        LabelJob(
            kind="torsion",
            level=level,
            smiles=(str(Chem.MolToSmiles(mol)),),
            charges=(Chem.GetFormalCharge(mol),),
            coordinates=start[:1],
            dihedral=dihedral,
            spacing=config.torsion_spacing,
        )
        for dihedral in dihedrals
        if start is not None
    ]


def geometry_vector(atomic_numbers: Sequence[int], coordinates: FloatArray) -> FloatArray:
    """Sorted distances of each pair of elements: equal for equal geometries.

    The same after rotation, translation, reflection and renumbering of like atoms.

    Parameters
    ----------
    atomic_numbers
        (n_atoms,).
    coordinates
        (n_atoms, 3), Å.
    """
    numbers = np.asarray(atomic_numbers)
    i, j = np.triu_indices(len(numbers), k=1)
    low, high = np.minimum(numbers[i], numbers[j]), np.maximum(numbers[i], numbers[j])
    distances = np.linalg.norm(coordinates[i] - coordinates[j], axis=1)
    order = np.lexsort((distances, high, low))
    return np.asarray(distances[order], dtype=np.float64)


class KnownGeometries:
    """Geometries seen so far, by molecules."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], list[FloatArray]] = {}

    def add(self, molecules: Sequence[str], vector: FloatArray) -> bool:
        """Take in a geometry; False if there is one like it already.

        Parameters
        ----------
        molecules
            Canonical SMILES, in any order.
        vector
            Of `geometry_vector`.
        """
        known = self._seen.setdefault(tuple(sorted(molecules)), [])
        if any(float(np.sqrt(np.mean((vector - v) ** 2))) < SAME_GEOMETRY for v in known):
            return False
        known.append(vector)
        return True
