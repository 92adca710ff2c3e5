"""Atom pairs by number of bonds between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import coo_matrix
from torch import Tensor


class PairLists(NamedTuple):
    """Atom index pairs (i < j) by bonds on the shortest path, each of shape (n, 2)."""

    pairs_12: Tensor
    pairs_13: Tensor
    pairs_14: Tensor
    pairs_15: Tensor


def find_pairs(bonds: Tensor, n_atoms: int) -> PairLists:
    """Pairs one, two, three and four bonds apart on the shortest path.

    Parameters
    ----------
    bonds
        Bonded atoms, shape (n_bonds, 2).
    n_atoms
        Number of atoms.

    Returns
    -------
    PairLists
        Sorted, on the CPU, int64.
    """
    ends = bonds.detach().cpu().numpy().reshape(-1, 2)
    rows = np.concatenate([ends[:, 0], ends[:, 1]])
    columns = np.concatenate([ends[:, 1], ends[:, 0]])
    adjacency = coo_matrix(
        (np.ones(len(rows), dtype=np.int32), (rows, columns)), shape=(n_atoms, n_atoms)
    ).tocsr()
    reached = adjacency + _identity(n_atoms)
    shells = [_upper_pairs(adjacency)]
    frontier = adjacency
    for _ in range(3):
        frontier = frontier @ adjacency
        frontier.data[:] = 1
        frontier = frontier - frontier.multiply(reached.astype(bool))
        frontier.eliminate_zeros()
        shells.append(_upper_pairs(frontier))
        reached = reached + frontier
    return PairLists(*shells)


def _identity(n_atoms: int):  # type: ignore[no-untyped-def]
    index = np.arange(n_atoms)
    return coo_matrix((np.ones(n_atoms, dtype=np.int32), (index, index))).tocsr()


def _upper_pairs(matrix) -> Tensor:  # type: ignore[no-untyped-def]
    coordinates = matrix.tocoo()
    keep = coordinates.row < coordinates.col
    pairs = np.stack([coordinates.row[keep], coordinates.col[keep]], axis=1).astype(np.int64)
    return torch.from_numpy(pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))])
