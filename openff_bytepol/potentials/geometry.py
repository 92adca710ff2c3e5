"""Distances, angles and dihedral cosines, finite at every geometry.

Coordinates are stored as (..., 3, n_atoms), so that every operation over pairs runs
along contiguous memory. Leading axes (conformers, ensemble members) broadcast.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

MIN_DISTANCE: Final = 0.01
"""Å; shorter distances count as this one, so that overlapping atoms stay finite."""

_LINEAR: Final = 1e-16
"""Å⁴ added to the squared cross product of two bonds: 1e-8 rad at an exactly linear angle."""

_COLLINEAR: Final = 1e-10
"""Å⁴; below it, three atoms of a dihedral lie on a line and the dihedral is undefined."""


def pair_vectors(xyz: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Vectors from the first to the second atom of each pair, Å.

    Parameters
    ----------
    xyz
        Coordinates, Å; (..., 3, n_atoms).
    first, second
        Atom indices; (n_pairs,).

    Returns
    -------
    Tensor
        Shape (..., 3, n_pairs).
    """
    return xyz.index_select(-1, second) - xyz.index_select(-1, first)


def norms(vectors: Tensor) -> Tensor:
    """Lengths of vectors (..., 3, n), no shorter than `MIN_DISTANCE`; (..., n), Å."""
    return vectors.square().sum(-2).clamp_min(MIN_DISTANCE**2).sqrt()


def bond_angles(xyz: Tensor, angles: Tensor) -> Tensor:
    """Angles i-j-k at the central atom j, rad.

    Parameters
    ----------
    xyz
        Coordinates, Å; (..., 3, n_atoms).
    angles
        Atom indices; (n_angles, 3).

    Returns
    -------
    Tensor
        Between 0 and pi; (..., n_angles). Derivatives of all orders are finite at
        exactly linear geometries, where the gradient is zero.
    """
    i, j, k = angles.unbind(-1)
    a = pair_vectors(xyz, j, i)
    b = pair_vectors(xyz, j, k)
    sine = (torch.linalg.cross(a, b, dim=-2).square().sum(-2) + _LINEAR).sqrt()
    return torch.atan2(sine, (a * b).sum(-2))


def dihedral_cosines(xyz: Tensor, dihedrals: Tensor) -> Tensor:
    """Cosines of the dihedral angles i-j-k-l.

    The torsion energy is a polynomial of the cosine (phases are 0 or pi), so the angle
    itself, and its singularities at 0 and pi, are not needed.

    Parameters
    ----------
    xyz
        Coordinates, Å; (..., 3, n_atoms).
    dihedrals
        Atom indices; (n_dihedrals, 4).

    Returns
    -------
    Tensor
        Shape (..., n_dihedrals); 1 with zero gradient where three atoms lie on a line.
    """
    i, j, k, l = dihedrals.unbind(-1)  # noqa: E741
    axis = pair_vectors(xyz, j, k)
    m = torch.linalg.cross(pair_vectors(xyz, j, i), axis, dim=-2)
    n = torch.linalg.cross(pair_vectors(xyz, k, l), axis, dim=-2)
    squares = m.square().sum(-2), n.square().sum(-2)
    defined = (squares[0] > _COLLINEAR) & (squares[1] > _COLLINEAR)
    one = torch.ones((), dtype=xyz.dtype, device=xyz.device)
    scale = torch.where(defined, squares[0] * squares[1], one).rsqrt()
    return torch.where(defined, (m * n).sum(-2) * scale, one)
