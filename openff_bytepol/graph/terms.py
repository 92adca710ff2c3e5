"""Angles, propers and impropers of a bond list, with the bonds along each term."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

TRANS_CONNECTIVITY = 6
"""Connectivity of centres whose opposite neighbours share no angle term."""


class Neighbours(NamedTuple):
    """Neighbours of every atom, one row per directed bond, sorted by atom and neighbour."""

    atom: Indices
    neighbour: Indices
    bond: Indices
    degree: Indices
    """Number of neighbours of each atom, (n_atoms,)."""
    start: Indices
    """First row of each atom, (n_atoms,)."""


def find_neighbours(bonds: Indices, n_atoms: int) -> Neighbours:
    """Neighbour rows of a bond list of shape (n_bonds, 2)."""
    atom = np.concatenate([bonds[:, 0], bonds[:, 1]])
    neighbour = np.concatenate([bonds[:, 1], bonds[:, 0]])
    order = np.lexsort((neighbour, atom))
    degree = np.bincount(atom, minlength=n_atoms)
    return Neighbours(
        atom[order],
        neighbour[order],
        np.tile(np.arange(len(bonds)), 2)[order],
        degree,
        np.cumsum(degree) - degree,
    )


def find_angles(table: Neighbours, *, trans: bool) -> tuple[Indices, Indices]:
    """All pairs of neighbours of each atom.

    Around an atom with six neighbours, taken in index order, neighbours i and i + 3 are
    opposite and get no term unless ``trans`` is set: a harmonic angle around 90°
    would pull them together.

    Returns
    -------
    tuple
        Atoms (n, 3), centre in the middle, sorted; bonds (n, 2).
    """
    first, second = [], []
    for step in range(1, int(table.degree.max(initial=0))):
        row = np.arange(len(table.atom) - step)
        same = table.atom[row] == table.atom[row + step]
        if step == TRANS_CONNECTIVITY // 2 and not trans:
            same &= table.degree[table.atom[row]] != TRANS_CONNECTIVITY
        first.append(row[same])
        second.append(row[same] + step)
    if not first:
        return np.zeros((0, 3), dtype=np.int64), np.zeros((0, 2), dtype=np.int64)
    p, q = np.concatenate(first), np.concatenate(second)
    atoms = np.stack([table.neighbour[p], table.atom[p], table.neighbour[q]], axis=1)
    order = np.lexsort(atoms.T[::-1])
    return atoms[order], np.stack([table.bond[p], table.bond[q]], axis=1)[order]


def find_propers(table: Neighbours, bonds: Indices) -> tuple[Indices, Indices]:
    """Every path of four different atoms along three bonds.

    Returns
    -------
    tuple
        Atoms (n, 4), first below last, sorted; bonds (n, 3).
    """
    left, right = bonds[:, 0], bonds[:, 1]
    counts = table.degree[left] * table.degree[right]
    centre = np.repeat(np.arange(len(bonds)), counts)
    rank = np.arange(len(centre)) - np.repeat(np.cumsum(counts) - counts, counts)
    left, right = left[centre], right[centre]
    p = table.start[left] + rank // table.degree[right]
    q = table.start[right] + rank % table.degree[right]
    a, d = table.neighbour[p], table.neighbour[q]
    atoms = np.stack([a, left, right, d], axis=1)
    along = np.stack([table.bond[p], centre, table.bond[q]], axis=1)
    keep = (a != right) & (d != left) & (a != d)
    atoms, along = atoms[keep], along[keep]
    flip = atoms[:, 0] > atoms[:, 3]
    atoms[flip] = atoms[flip, ::-1]
    along[flip] = along[flip, ::-1]
    order = np.lexsort(atoms.T[::-1])
    return atoms[order], along[order]


def find_impropers(
    table: Neighbours, atomic_numbers: Indices, *, trefoil: bool
) -> tuple[Indices, Indices]:
    """Carbon and nitrogen atoms with exactly three neighbours.

    Parameters
    ----------
    table
        From `find_neighbours`.
    atomic_numbers
        Shape (n_atoms,).
    trefoil
        List the three cyclic permutations of the sorted neighbours; otherwise only the
        sorted neighbours.

    Returns
    -------
    tuple
        Atoms (n, 4), centre first; bonds (n, 3) from the centre to each neighbour.
    """
    centre = np.flatnonzero((table.degree == 3) & np.isin(atomic_numbers, (6, 7)))
    rows = table.start[centre, None] + np.arange(3)
    if trefoil:
        centre = np.repeat(centre, 3)
        rows = rows[:, [[0, 1, 2], [1, 2, 0], [2, 0, 1]]].reshape(-1, 3)
    atoms = np.concatenate([centre[:, None], table.neighbour[rows]], axis=1)
    return atoms, table.bond[rows]
