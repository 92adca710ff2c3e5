"""Layout of many small symmetric matrices, one for each group of atoms.

Groups (systems or molecules) of similar size are padded to the same size and solved
together; padding is the identity, so it changes neither solutions nor determinants.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import torch
from torch import Tensor

_GROWTH: Final = 1.3
"""Sizes within this factor share a block."""


class Block(NamedTuple):
    """Groups of similar size; each matrix has 3·size rows, atom after atom."""

    groups: Tensor
    """Group of each matrix; (n_matrices,)."""
    size: int
    """Atoms that one matrix holds."""
    atoms: Tensor
    """Atoms of all groups; (n_block_atoms,)."""
    rows: Tensor
    """Places of x, y and z of those atoms in the padded vectors; (3, n_block_atoms)."""
    pairs: Tensor
    """Pairs of all groups; (n_block_pairs,)."""
    entries: Tensor
    """Places of the 3×3 tensors of those pairs in the lower triangles; (3, 3, n_block_pairs)."""


def make_blocks(group: Tensor, n_groups: int, first: Tensor, second: Tensor) -> list[Block]:
    """Distribute groups over blocks of similar size.

    Parameters
    ----------
    group
        Group of each atom; (n_atoms,).
    n_groups
        Number of groups.
    first, second
        Atoms of all pairs within groups, first < second; (n_pairs,).
    """
    sizes = torch.bincount(group, minlength=n_groups)
    order = torch.argsort(group, stable=True)
    starts = sizes.cumsum(0) - sizes
    rank = torch.empty_like(group)
    rank[order] = torch.arange(len(group), device=group.device) - starts[group[order]]

    by_bin: dict[int, list[int]] = {}
    for index, size in enumerate(sizes.tolist()):
        by_bin.setdefault(math.ceil(math.log(size, _GROWTH)) if size else -1, []).append(index)
    axes = torch.arange(3, device=group.device)
    blocks = []
    for members in by_bin.values():
        groups = torch.tensor(members, device=group.device)
        size = int(sizes[groups].max())
        matrix = torch.full_like(sizes, -1)
        matrix[groups] = torch.arange(len(members), device=group.device)
        atoms = (matrix[group] >= 0).nonzero().squeeze(-1)
        pairs = (matrix[group[first]] >= 0).nonzero().squeeze(-1)
        number = matrix[group[first[pairs]]] * 3 * size
        row = number + 3 * rank[second[pairs]] + axes[:, None, None]
        column = 3 * rank[first[pairs]] + axes[:, None]
        blocks.append(
            Block(
                groups=groups,
                size=size,
                atoms=atoms,
                rows=3 * (matrix[group[atoms]] * size + rank[atoms]) + axes[:, None],
                pairs=pairs,
                entries=row * 3 * size + column,
            )
        )
    return blocks
