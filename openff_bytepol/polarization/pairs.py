"""Real space: pairs of atoms within the cutoff.

With v = x_j - x_i and the screened, damped functions c3, c5, c7 of `radial`, a charge q_j makes the
field -q_j·c3·v at atom i and a dipole m_j the field -(c3 - c5·v⊗v)·m_j. What depends on positions
only is computed once (`screen`) and read by every iteration (`dipole_field`) and by the forces
(`dipole_forces`). Rows hold every neighbour of an atom, so that each pair is met twice; in return,
threads never write to the same atom and the loops vectorise.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit, prange

from openff_bytepol.polarization.arrays import FAST
from openff_bytepol.polarization.radial import screened_powers, undamped_parts

_BLOCK: Final = 1024
"""Neighbours treated at a time. Buffers are parts of one array at constant distances, so that the
compiler knows that they do not overlap."""
_X, _Y, _Z, _R2, _Q, _W = (k * _BLOCK for k in range(6))
_C3, _C5, _C7 = (k * _BLOCK for k in range(6, 9))
_ROWS: Final = 16
"""Atoms that a thread takes at a time."""


@njit(**FAST)
def _gather(b, n, x, neighbours, near):
    for k in range(n):
        j = neighbours[k]
        near[k] = j
        b[_X + k] = x[j, 0]
        b[_Y + k] = x[j, 1]
        b[_Z + k] = x[j, 2]


@njit(**FAST)
def _nearest_images(b, n, centre, box):
    """Displacements and their squares, in a box of reduced vectors."""
    x, y, z = centre[0], centre[1], centre[2]
    ax, bx, by = box[0, 0], box[1, 0], box[1, 1]
    cx, cy, cz = box[2, 0], box[2, 1], box[2, 2]
    per_x, per_y, per_z = 1.0 / ax, 1.0 / by, 1.0 / cz
    for k in range(n):
        dx, dy, dz = b[_X + k] - x, b[_Y + k] - y, b[_Z + k] - z
        s = np.floor(dz * per_z + 0.5)
        dx, dy, dz = dx - s * cx, dy - s * cy, dz - s * cz
        s = np.floor(dy * per_y + 0.5)
        dx, dy = dx - s * bx, dy - s * by
        dx -= np.floor(dx * per_x + 0.5) * ax
        b[_X + k], b[_Y + k], b[_Z + k] = dx, dy, dz
        b[_R2 + k] = dx * dx + dy * dy + dz * dz


@njit(**FAST)
def _within(b, n, near, charges, weights, cutoff2):  # noqa: PLR0917
    """Move what is within the cutoff to the front; returns how many."""
    m = 0
    for k in range(n):
        square = b[_R2 + k]
        j = near[k]
        near[m] = j
        b[_X + m], b[_Y + m], b[_Z + m] = b[_X + k], b[_Y + k], b[_Z + k]
        b[_R2 + m] = square
        b[_Q + m] = charges[j]
        b[_W + m] = weights[j]
        m += square < cutoff2
    return m


@njit(**FAST)
def _damped(b, m, kappa, weight):
    """Radial functions of close pairs; energy, force and field of their charges."""
    e, fx, fy, fz, gx, gy, gz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(m):
        b0, b1, b2, b3 = screened_powers(b[_R2 + k], kappa)
        d3, d5, d7 = undamped_parts(b[_R2 + k], weight * b[_W + k])
        c3 = b1 - d3
        b[_C3 + k] = c3
        b[_C5 + k] = b2 - d5
        b[_C7 + k] = b3 - d7
        q = b[_Q + k]
        e += q * b0
        fx -= q * b1 * b[_X + k]
        fy -= q * b1 * b[_Y + k]
        fz -= q * b1 * b[_Z + k]
        gx -= q * c3 * b[_X + k]
        gy -= q * c3 * b[_Y + k]
        gz -= q * c3 * b[_Z + k]
    return e, fx, fy, fz, gx, gy, gz


@njit(**FAST)
def _undamped(b, m, kappa):
    """The same of pairs beyond the range of damping, where force per charge is the field."""
    e, fx, fy, fz = 0.0, 0.0, 0.0, 0.0
    for k in range(m):
        b0, b1, b2, b3 = screened_powers(b[_R2 + k], kappa)
        b[_C3 + k] = b1
        b[_C5 + k] = b2
        b[_C7 + k] = b3
        q = b[_Q + k]
        e += q * b0
        fx -= q * b1 * b[_X + k]
        fy -= q * b1 * b[_Y + k]
        fz -= q * b1 * b[_Z + k]
    return e, fx, fy, fz


@njit(**FAST)
def _copy(b, start, m, row):
    for k in range(m):
        row[k] = b[start + k]


@njit(**FAST)
def _smallest(b, m):
    smallest = 1e30
    for k in range(m):
        smallest = min(smallest, b[_R2 + k])
    return smallest


@njit(parallel=True, **FAST)
def screen(  # noqa: PLR0917
    x, box, charges, weights, kappa, cutoff2, neighbours, n_close, n_all,
    index, v, c3, c5, c7, count, energy, force, field, closest,
):  # fmt: skip
    """Pairs within the cutoff, their radial functions, and all that charges do to each other.

    Written are, per atom and neighbour, ``index``, ``v``, ``c3``, ``c5`` and ``c7``; per atom the
    ``count`` of neighbours, half the charge-charge ``energy`` (e²/Å), the ``force`` of it (e²/Å²),
    the ``field`` of the charges (e/Å²) and the square of the distance of the ``closest`` atom.
    """
    n_atoms = len(x)
    for part in prange((n_atoms + _ROWS - 1) // _ROWS):
        b = np.empty(9 * _BLOCK)
        near = np.empty(_BLOCK, dtype=np.int32)
        for i in range(part * _ROWS, min((part + 1) * _ROWS, n_atoms)):
            e, fx, fy, fz, gx, gy, gz, smallest = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1e30
            total, start = 0, 0
            while start < n_all[i]:
                damped = start < n_close[i]
                n = min(_BLOCK, (n_close[i] if damped else n_all[i]) - start)
                _gather(b, n, x, neighbours[i, start:], near)
                _nearest_images(b, n, x[i], box)
                m = _within(b, n, near, charges, weights, cutoff2)
                if damped:
                    de, dx, dy, dz, hx, hy, hz = _damped(b, m, kappa, weights[i])
                    smallest = min(smallest, _smallest(b, m))
                else:
                    de, dx, dy, dz = _undamped(b, m, kappa)
                    hx, hy, hz = dx, dy, dz
                e, fx, fy, fz = e + de, fx + dx, fy + dy, fz + dz
                gx, gy, gz = gx + hx, gy + hy, gz + hz
                for k in range(m):
                    index[i, total + k] = near[k]
                _copy(b, _X, m, v[0, i, total:])
                _copy(b, _Y, m, v[1, i, total:])
                _copy(b, _Z, m, v[2, i, total:])
                _copy(b, _C3, m, c3[i, total:])
                _copy(b, _C5, m, c5[i, total:])
                _copy(b, _C7, m, c7[i, total:])
                total += m
                start += n
            count[i] = total
            energy[i] = 0.5 * charges[i] * e
            force[i, 0] = charges[i] * fx
            force[i, 1] = charges[i] * fy
            force[i, 2] = charges[i] * fz
            field[i, 0], field[i, 1], field[i, 2] = gx, gy, gz
            closest[i] = smallest


@njit(parallel=True, **FAST)
def dipole_field(index, v, c3, c5, count, dipoles, field):  # noqa: PLR0917
    """Add the field of ``dipoles`` (3, n_atoms) to ``field`` (n_atoms, 3)."""
    for i in prange(len(count)):
        gx, gy, gz = c3.dtype.type(0.0), c3.dtype.type(0.0), c3.dtype.type(0.0)
        for k in range(count[i]):
            j = index[i, k]
            x, y, z = v[0, i, k], v[1, i, k], v[2, i, k]
            mx, my, mz = dipoles[0, j], dipoles[1, j], dipoles[2, j]
            along = c5[i, k] * (mx * x + my * y + mz * z)
            minus = c3[i, k]
            gx += along * x - minus * mx
            gy += along * y - minus * my
            gz += along * z - minus * mz
        field[i, 0] += gx
        field[i, 1] += gy
        field[i, 2] += gz


@njit(parallel=True, **FAST)
def dipole_forces(index, v, c3, c5, c7, count, charges, dipoles, energy, force):  # noqa: PLR0917
    """Add half the energy (e²/Å) and the forces (e²/Å²) of charge-dipole and dipole-dipole pairs.

    The energy of a pair is c3·(q_j·m_i - q_i·m_j)·v + c3·m_i·m_j - c5·(m_i·v)(m_j·v).
    """
    zero = c3.dtype.type(0.0)
    for i in prange(len(count)):
        e, fx, fy, fz = zero, zero, zero, zero
        qi, ix, iy, iz = charges[i], dipoles[0, i], dipoles[1, i], dipoles[2, i]
        for k in range(count[i]):
            j = index[i, k]
            x, y, z = v[0, i, k], v[1, i, k], v[2, i, k]
            a3, a5, a7 = c3[i, k], c5[i, k], c7[i, k]
            qj, jx, jy, jz = charges[j], dipoles[0, j], dipoles[1, j], dipoles[2, j]
            i_along = ix * x + iy * y + iz * z
            j_along = jx * x + jy * y + jz * z
            mixed = qj * i_along - qi * j_along
            dots = ix * jx + iy * jy + iz * jz
            e += a3 * (mixed + dots) - a5 * i_along * j_along
            radial = a7 * i_along * j_along - a5 * (mixed + dots)
            on_i = a3 * qj - a5 * j_along
            on_j = -a3 * qi - a5 * i_along
            fx += radial * x + on_i * ix + on_j * jx
            fy += radial * y + on_i * iy + on_j * jy
            fz += radial * z + on_i * iz + on_j * jz
        energy[i] += 0.5 * e
        force[i, 0] += fx
        force[i, 1] += fy
        force[i, 2] += fz
