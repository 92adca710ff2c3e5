"""Pair parameters from atom parameters: radii arithmetic, all others geometric.

Source: ByteFF-Pol, arXiv:2508.08575.
"""

from __future__ import annotations

from torch import Tensor


def arithmetic(values: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """(v_i + v_j)/2 of each pair; atoms (..., n_atoms) to pairs (..., n_pairs)."""
    return 0.5 * (values.index_select(-1, first) + values.index_select(-1, second))


def geometric(values: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """sqrt(v_i·v_j) of each pair; atoms (..., n_atoms) to pairs (..., n_pairs)."""
    roots = values.sqrt()
    return roots.index_select(-1, first) * roots.index_select(-1, second)


def product(values: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """v_i·v_j of each pair; atoms (..., n_atoms) to pairs (..., n_pairs)."""
    return values.index_select(-1, first) * values.index_select(-1, second)
