"""The dipole response matrix, pair by pair, and the fields of charges and dipoles.

A = 1/alpha + T is the 3n×3n response matrix of n atoms: inverse polarizabilities on the
diagonal and dipole-dipole tensors T = c3·1 - c5·v⊗v of all pairs (1-2 and 1-3 too) off it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from openff_bytepol.potentials.blocks import Block


class Response(NamedTuple):
    """The matrix A of any number of conformers; leading axes may broadcast."""

    first: Tensor
    """First atom of each pair; (n_pairs,)."""
    second: Tensor
    """Second atom of each pair; (n_pairs,)."""
    c3: Tensor
    """Damped 1/r³, Å⁻³; (..., n_pairs)."""
    c5: Tensor
    """Damped 3/r⁵, Å⁻⁵; (..., n_pairs)."""
    vectors: Tensor
    """From first to second, Å; (..., 3, n_pairs)."""
    polarizabilities: Tensor
    """Å³; (..., n_atoms)."""

    def part(self, pairs: slice) -> Response:
        """The same atoms with a part of the pairs."""
        return Response(
            self.first[pairs],
            self.second[pairs],
            self.c3[..., pairs],
            self.c5[..., pairs],
            self.vectors[..., pairs],
            self.polarizabilities,
        )


def charge_field(charges: Tensor, response: Response, scale: Tensor | None = None) -> Tensor:
    """Damped field of the charges at the other atom of each pair.

    Parameters
    ----------
    charges
        e; (..., n_atoms).
    response
        Pairs that take part.
    scale
        Factor on each pair; (n_pairs,). 1 by default.

    Returns
    -------
    Tensor
        e/Å²; (..., 3, n_atoms).
    """
    c3 = response.c3 if scale is None else response.c3 * scale
    per_charge = c3.unsqueeze(-2) * response.vectors
    at_first = per_charge * charges.index_select(-1, response.second).unsqueeze(-2)
    at_second = per_charge * charges.index_select(-1, response.first).unsqueeze(-2)
    return _gather(response, -at_first, at_second, charges.shape[-1])


def dipole_field(dipoles: Tensor, response: Response) -> Tensor:
    """Damped field -T·mu of dipoles at the other atom of each pair.

    Parameters
    ----------
    dipoles
        e·Å; (..., 3, n_atoms).
    response
        Pairs that take part.

    Returns
    -------
    Tensor
        e/Å²; (..., 3, n_atoms).
    """
    at_first = _tensor_field(dipoles.index_select(-1, response.second), response)
    at_second = _tensor_field(dipoles.index_select(-1, response.first), response)
    return _gather(response, at_first, at_second, dipoles.shape[-1])


def _tensor_field(dipoles: Tensor, response: Response) -> Tensor:
    along = response.c5 * (response.vectors * dipoles).sum(-2)
    return along.unsqueeze(-2) * response.vectors - response.c3.unsqueeze(-2) * dipoles


def _gather(response: Response, at_first: Tensor, at_second: Tensor, n_atoms: int) -> Tensor:
    total = at_first.new_zeros((*at_first.shape[:-1], n_atoms))
    total = total.index_add(-1, response.first, at_first)
    return total.index_add(-1, response.second, at_second)


def scaled_matrices(block: Block, response: Response) -> Tensor:
    """Lower triangles of 1 + sqrt(alpha)·T·sqrt(alpha) of the groups of a block.

    Scaling makes the matrix dimensionless with unit diagonal, so atoms of vanishing
    polarizability do no harm.

    Parameters
    ----------
    block
        Layout of the matrices.
    response
        With one leading axis (m) in every tensor.

    Returns
    -------
    Tensor
        Zero above the diagonal; (m, n_matrices, 3·size, 3·size).
    """
    roots = response.polarizabilities.sqrt()
    first, second = response.first[block.pairs], response.second[block.pairs]
    weight = roots.index_select(-1, first) * roots.index_select(-1, second)
    c3 = response.c3.index_select(-1, block.pairs) * weight
    c5 = response.c5.index_select(-1, block.pairs) * weight
    vectors = response.vectors.index_select(-1, block.pairs)
    tensors = -(c5.unsqueeze(-2) * vectors).unsqueeze(-2) * vectors.unsqueeze(-3)
    diagonal = c3.unsqueeze(-1).expand(*c3.shape, 3)
    tensors = tensors + torch.diag_embed(diagonal, dim1=-3, dim2=-2)
    rows, n_matrices = 3 * block.size, len(block.groups)
    unit = torch.eye(rows, dtype=c3.dtype, device=c3.device).flatten().repeat(n_matrices)
    flat = unit.expand(c3.shape[0], -1)
    flat = flat.index_copy(-1, block.entries.flatten(), tensors.flatten(1))
    return flat.reshape(-1, n_matrices, rows, rows)


def full_matrices(lower: Tensor) -> Tensor:
    """Symmetric matrices from lower triangles with unit diagonal; (..., rows, rows)."""
    unit = torch.eye(lower.shape[-1], dtype=lower.dtype, device=lower.device)
    return lower + lower.transpose(-1, -2) - unit
