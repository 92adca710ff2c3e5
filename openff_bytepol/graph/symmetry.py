"""Classes of atoms and bonds that a molecule's symmetry makes equivalent.

Bond orders and formal charges are left out, so that atoms which differ only between
resonance structures are equivalent. Stereochemistry is left out, too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

Indices = NDArray[np.int64]


def refined_classes(
    atomic_numbers: Indices, bonds: Indices, distances: Indices
) -> tuple[Indices, Indices]:
    """Classes from element and topological distances, refined until they are stable.

    Two atoms are in one class if they have equal numbers of atoms of each class at each
    distance; two bonds, if their atoms agree and every class of atoms lies at equal
    distances from the two ends. This is the colour refinement of Weisfeiler and Leman
    on the complete graph of distances, which, unlike refinement over bonds, separates
    chains from rings (morpholine ring and ether chain in C1CN(CCOCCN2CCOCC2)CCO1).

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).
    bonds
        Shape (n_bonds, 2).
    distances
        Number of bonds on the shortest path, shape (n_atoms, n_atoms).

    Returns
    -------
    tuple
        Class of each atom (n_atoms,) and of each bond (n_bonds,), numbered from 0.
    """
    classes = _label(atomic_numbers)
    n_classes = 0
    while n_classes < (n_found := int(classes.max()) + 1):
        n_classes = n_found
        profile = np.sort(distances * n_classes + classes, axis=1)
        classes = _label(np.column_stack([classes, profile]))
    return classes, _bond_classes(classes, bonds, distances)


def _bond_classes(classes: Indices, bonds: Indices, distances: Indices) -> Indices:
    if len(bonds) == 0:
        return np.zeros(0, dtype=np.int64)
    ends = np.sort(classes[bonds], axis=1)
    from_a, from_b = distances[bonds[:, 0]], distances[bonds[:, 1]]
    span = int(distances.max()) + 1
    n_classes = int(classes.max()) + 1
    forward = np.sort((from_a * span + from_b) * n_classes + classes, axis=1)
    backward = np.sort((from_b * span + from_a) * n_classes + classes, axis=1)
    swap = classes[bonds[:, 0]] > classes[bonds[:, 1]]
    tied = classes[bonds[:, 0]] == classes[bonds[:, 1]]
    differ = forward != backward
    where = (np.arange(len(bonds)), differ.argmax(axis=1))
    swap |= tied & (forward[where] > backward[where])
    profile = np.where(swap[:, None], backward, forward)
    return _label(np.column_stack([ends, profile]))


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
