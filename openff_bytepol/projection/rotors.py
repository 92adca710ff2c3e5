"""Rotatable bonds and the torsions about them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.projection.source import Source

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_OFF_AXIS: Final = 0.3
"""Å; a torsion whose first or last atom is nearer to its axis is undefined."""


@dataclass(frozen=True, eq=False)
class Rotor:
    """A bond outside rings, about which one part of the molecule turns.

    Attributes
    ----------
    axis
        Its two atoms.
    fixed, moving
        Atoms of the two parts, each with its end of the axis last; the smaller part moves.
    propers
        Rows of the proper torsions about the bond.
    """

    axis: tuple[int, int]
    fixed: Indices
    moving: Indices
    propers: Indices

    @cached_property
    def order(self) -> Indices:
        """Atoms of the fixed, then of the moving part."""
        return np.concatenate([self.fixed, self.moving])

    def matrices(self, xyz: Floats, angles: Floats) -> Floats:
        """Rotation matrices about the axis for angles in rad; (n_angles, 3, 3)."""
        axis = xyz[self.axis[1]] - xyz[self.axis[0]]
        x, y, z = axis / np.sqrt(axis @ axis)
        cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
        sine, cosine = np.sin(angles)[:, None, None], np.cos(angles)[:, None, None]
        matrices: Floats = np.eye(3) + sine * cross + (1.0 - cosine) * (cross @ cross)
        return matrices


def find_rotors(source: Source, xyz: Floats) -> list[Rotor]:
    """Bonds outside rings with at least one defined proper torsion.

    Parameters
    ----------
    source
        The molecule.
    xyz
        One conformer, Å; (n_atoms, 3).
    """
    if len(source.propers) == 0:
        return []
    first, second = source.bonds.T
    nearer_first = source.distances[first] < source.distances[second]
    crossing = nearer_first[:, first] != nearer_first[:, second]
    defined = _defined(source, xyz)
    middle = source.propers[:, 1:3]
    rotors = []
    for bond in np.flatnonzero(crossing.sum(axis=1) == 1):
        i, j = int(first[bond]), int(second[bond])
        about = ((middle == (i, j)) | (middle == (j, i))).all(axis=1)
        propers = np.flatnonzero(about & defined)
        if len(propers) == 0:
            continue
        side = nearer_first[bond]
        if 2 * np.count_nonzero(side) < source.n_atoms:
            i, j, side = j, i, ~side
        parts = np.flatnonzero(side), np.flatnonzero(~side)
        fixed = np.append(parts[0][parts[0] != i], i)
        moving = np.append(parts[1][parts[1] != j], j)
        rotors.append(Rotor((i, j), fixed, moving, propers))
    return rotors


def _defined(source: Source, xyz: Floats) -> NDArray[np.bool_]:
    i, j, k, l = xyz.T[:, source.propers].transpose(2, 0, 1)  # noqa: E741
    axis = k - j
    least = _OFF_AXIS**2 * (axis * axis).sum(axis=0)
    first, last = _cross(i - j, axis), _cross(l - k, axis)
    defined: NDArray[np.bool_] = ((first * first).sum(axis=0) > least) & (
        (last * last).sum(axis=0) > least
    )
    return defined


def turn(rotors: list[Rotor], xyz: Floats, angles: Floats) -> Floats:
    """New conformer with every rotor turned by its own angle.

    Parameters
    ----------
    rotors
        In any order.
    xyz
        Å; (n_atoms, 3).
    angles
        rad; (n_rotors,).

    Returns
    -------
    ndarray
        Å; (n_atoms, 3).
    """
    xyz = xyz.copy()
    for rotor, matrix_angle in zip(rotors, angles[:, None], strict=True):
        origin = xyz[rotor.axis[0]]
        matrix = rotor.matrices(xyz, matrix_angle)[0]
        xyz[rotor.moving] = origin + (xyz[rotor.moving] - origin) @ matrix.T
    return xyz


def dihedrals(xyz: Floats, propers: Indices) -> Floats:
    """Dihedral angles, rad; (n_propers,). Undefined ones are finite and meaningless."""
    a, b, c = (xyz.T[:, propers[:, n + 1]] - xyz.T[:, propers[:, n]] for n in range(3))
    m, n = _cross(a, b), _cross(b, c)
    sine = (a * n).sum(axis=0) * np.sqrt((b * b).sum(axis=0))
    angles: Floats = np.arctan2(sine, (m * n).sum(axis=0))
    return angles


def _cross(a: Floats, b: Floats) -> Floats:
    """Vector products of (3, n) arrays."""
    return np.stack(
        [
            a[1] * b[2] - a[2] * b[1],
            a[2] * b[0] - a[0] * b[2],
            a[0] * b[1] - a[1] * b[0],
        ]
    )
