"""Classes of atoms and bonds that a molecule's symmetry makes equivalent.

Bond orders and formal charges are left out, so that atoms which differ only between
resonance structures are equivalent. Stereochemistry is left out, too.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path

Indices = NDArray[np.int64]

LONGEST_COUNTED_PATH: Final = 8
"""Bonds up to which shortest paths are counted; pairs farther apart count none."""


def refined_classes(atomic_numbers: Indices, bonds: Indices) -> tuple[Indices, Indices]:
    """Classes from elements and shortest paths, refined until they are stable.

    Every pair of atoms is labelled with the length and the number of its shortest paths.
    Two atoms are in one class if they have equally labelled pairs with atoms of each
    class; two bonds, if their ends are and have equally labelled pairs with the same atoms
    of each class. This is the colour refinement of Weisfeiler and Leman on the complete
    graph of labelled pairs; unlike refinement along bonds, it separates chains from rings
    (ether and morpholine in C1CN(CCOCCN2CCOCC2)CCO1).

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).
    bonds
        Shape (n_bonds, 2).

    Returns
    -------
    tuple
        Class of each atom (n_atoms,) and of each bond (n_bonds,), numbered from 0.
    """
    pairs = _pair_labels(bonds, len(atomic_numbers))
    classes = _label(atomic_numbers)
    n_classes = 0
    while n_classes < (n_found := int(classes.max()) + 1):
        n_classes = n_found
        profile = np.sort(pairs * n_classes + classes, axis=1)
        classes = _label(np.column_stack([classes, profile]))
    return classes, _bond_classes(classes, bonds, pairs)


def _pair_labels(bonds: Indices, n_atoms: int) -> Indices:
    """Number every pair of atoms by length and number of its shortest paths, (n, n)."""
    rows, columns = np.concatenate([bonds, bonds[:, ::-1]]).T
    adjacency = csr_array((np.ones(len(rows)), (rows, columns)), shape=(n_atoms, n_atoms))
    distances = shortest_path(adjacency, method="D", unweighted=True).astype(np.int64)
    step = np.eye(n_atoms)
    n_paths = step.copy()
    for length in range(1, min(int(distances.max()), LONGEST_COUNTED_PATH) + 1):
        step = (adjacency @ step) * (distances == length)
        n_paths += step
    codes = distances * (int(n_paths.max()) + 1) + n_paths.astype(np.int64)
    labels: Indices = np.unique(codes, return_inverse=True)[1].reshape(codes.shape)
    return labels


def _bond_classes(classes: Indices, bonds: Indices, pairs: Indices) -> Indices:
    if len(bonds) == 0:
        return np.zeros(0, dtype=np.int64)
    n_classes, n_labels = int(classes.max()) + 1, int(pairs.max()) + 1
    from_a, from_b = pairs[bonds[:, 0]], pairs[bonds[:, 1]]
    forward = np.sort((from_a * n_labels + from_b) * n_classes + classes, axis=1)
    backward = np.sort((from_b * n_labels + from_a) * n_classes + classes, axis=1)
    first, second = classes[bonds].T
    differ = (np.arange(len(bonds)), (forward != backward).argmax(axis=1))
    swap = (first > second) | ((first == second) & (forward[differ] > backward[differ]))
    profile = np.where(swap[:, None], backward, forward)
    return _label(np.column_stack([np.sort(classes[bonds], axis=1), profile]))


def _label(rows: Indices) -> Indices:
    """Number equal rows, in the order in which they are met."""
    numbers: dict[bytes, int] = {}
    return np.array(
        [numbers.setdefault(row.tobytes(), len(numbers)) for row in rows], dtype=np.int64
    )


def canonical_rank_classes(atomic_numbers: Indices, bonds: Indices) -> tuple[Indices, Indices]:
    """Classes as ByteFF-Pol defines them, for its published checkpoints.

    Atoms with equal RDKit canonical ranks before tie breaking, all bonds taken as single
    and all charges as zero; bonds whose two atoms have equal ranks. These classes can
    merge atoms that are not equivalent (arXiv:2508.08575,
    https://github.com/ByteDance-Seed/byteff2).

    Returns
    -------
    tuple
        Class of each atom (n_atoms,) and of each bond (n_bonds,), numbered from 0.
    """
    skeleton = Chem.RWMol()
    for number in atomic_numbers.tolist():
        atom = Chem.Atom(number)
        atom.SetNoImplicit(True)
        skeleton.AddAtom(atom)
    for i, j in bonds.tolist():
        skeleton.AddBond(i, j, Chem.BondType.SINGLE)
    skeleton.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(skeleton)
    ranks = Chem.CanonicalRankAtoms(skeleton, breakTies=False, includeChirality=False)
    classes = _label(np.array(ranks, dtype=np.int64))
    return classes, _label(np.sort(classes[bonds], axis=1))
