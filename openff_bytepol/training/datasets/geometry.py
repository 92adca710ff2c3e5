"""Whether a geometry is possible, and whether two are the same."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from scipy.spatial import cKDTree

from openff_bytepol.smiles import canonical_smiles
from openff_bytepol.training.labels.geometries import from_mapped_smiles
from openff_bytepol.units import BOHR_IN_ANGSTROM, NM_PER_ANGSTROM

FloatArray = NDArray[np.float64]

BOND_RANGE: Final = (0.6, 1.45)
"""Bond lengths allowed, as multiples of the sum of covalent radii."""
CLOSEST: Final = 0.8
"""Closest atoms of one molecule that are not bonded, in the same measure."""
OVERLAP: Final = 0.7
"""Closest atoms of two molecules, in the same measure; Li+ sits at 0.75 from oxygen."""
SAME: Final = 0.003
"""Two geometries are one if no sorted distance differs by more, Å."""
_UNIT_WIDTH: Final = 0.2
"""Bonds of molecules are within e^±0.2 of the sum of covalent radii."""


class Skeleton(NamedTuple):
    """What a mapped SMILES says about its molecule."""

    atomic_numbers: NDArray[np.int64]
    radii: FloatArray
    """Covalent, Å, (n_atoms,)"""
    bonded: NDArray[np.bool_]
    """(n_atoms, n_atoms)"""
    charge: int
    """Formal, e."""
    radicals: int
    smiles: str
    """Of `canonical_smiles`."""


@lru_cache(maxsize=20_000)
def skeleton(mapped_smiles: str) -> Skeleton:
    """Elements and bonds in the order of the map numbers.

    Raises
    ------
    DataError
        If the SMILES is invalid or lacks map numbers.
    """
    mol = from_mapped_smiles(mapped_smiles)
    table = Chem.GetPeriodicTable()
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()], dtype=np.int64)
    return Skeleton(
        numbers,
        np.array([table.GetRcovalent(int(z)) for z in numbers]),
        np.asarray(Chem.GetAdjacencyMatrix(mol), dtype=bool),
        Chem.GetFormalCharge(mol),
        sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()),
        canonical_smiles(mapped_smiles),
    )


def relative_distances(one: Skeleton, other: Skeleton, a: FloatArray, b: FloatArray) -> FloatArray:
    """Distances in multiples of the sum of covalent radii, (n_a, n_b)."""
    distances = np.linalg.norm(a[:, None] - b[None], axis=-1)
    return np.asarray(distances / (one.radii[:, None] + other.radii[None]))


def fault(molecules: list[Skeleton], coordinates: list[FloatArray]) -> str | None:
    """Why a geometry is impossible, or None.

    Parameters
    ----------
    molecules
        One skeleton for each molecule.
    coordinates
        (n_atoms, 3) of each, Å.
    """
    for one, xyz in zip(molecules, coordinates, strict=True):
        relative = relative_distances(one, one, xyz, xyz)
        bonds = relative[one.bonded]
        if bonds.size and (bonds.min() < BOND_RANGE[0] or bonds.max() > BOND_RANGE[1]):
            return _unit_fault(float(np.median(bonds))) or "broken connectivity"
        others = ~one.bonded & ~np.eye(len(xyz), dtype=bool)
        if others.any() and relative[others].min() < CLOSEST:
            return "atoms of one molecule overlap"
    for i, (one, a) in enumerate(zip(molecules, coordinates, strict=True)):
        for other, b in zip(molecules[:i], coordinates[:i], strict=True):
            if relative_distances(one, other, a, b).min() < OVERLAP:
                return "molecules overlap"
    return None


def _unit_fault(bond: float) -> str | None:
    """Whether the median relative bond is that of ångströms' usual mistakes."""
    for unit, factor in (("bohr", 1.0 / BOHR_IN_ANGSTROM), ("nm", NM_PER_ANGSTROM)):
        if abs(np.log(bond / factor)) < _UNIT_WIDTH:
            return f"coordinates look like {unit}"
    return None


def sorted_distances(atomic_numbers: NDArray[np.int64], coordinates: FloatArray) -> FloatArray:
    """All interatomic distances by pair of elements, then by length, Å.

    The same for copies that are moved, rotated, mirrored or have equal atoms exchanged.
    """
    i, j = np.triu_indices(len(atomic_numbers), k=1)
    low = np.minimum(atomic_numbers[i], atomic_numbers[j])
    high = np.maximum(atomic_numbers[i], atomic_numbers[j])
    distances = np.linalg.norm(coordinates[i] - coordinates[j], axis=1)
    return np.asarray(distances[np.lexsort((distances, high, low))])


def repeats(fingerprints: list[FloatArray]) -> set[int]:
    """Positions of geometries equal to an earlier one; all of one composition."""
    if len(fingerprints) < 2 or not len(fingerprints[0]):
        return set(range(1, len(fingerprints)))
    tree = cKDTree(np.array(fingerprints))
    return {max(pair) for pair in tree.query_pairs(SAME, p=np.inf)}
