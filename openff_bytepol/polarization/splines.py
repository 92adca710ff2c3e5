"""Cardinal B-splines: spreading on a mesh and interpolation from it.

A mesh has ORDER planes more along z than the box, copies of the first ones, so that the
innermost loop runs over consecutive numbers.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit, prange

from openff_bytepol.polarization.arrays import FAST, Floats

ORDER: Final = 6
"""Points over which an atom is spread along each axis; the splines are of degree ORDER - 1."""
_ATOMS: Final = 16
"""Atoms that a thread takes at a time."""


def at_knots() -> Floats:
    """The spline at the integers 1 … ORDER - 1; (ORDER - 1,)."""
    values = np.zeros((3, ORDER))
    _fill(0.0, values)
    return values[0, :-1]


@njit(**FAST)
def _fill(fraction, out):
    """Spline and its first two derivatives at the mesh points around a fraction of a spacing.

    ``out`` is (3, ORDER), its first column for the point ORDER - 1 before the next one.
    """
    w = np.zeros(ORDER)
    w[0], w[1] = 1.0 - fraction, fraction
    for degree in range(2, ORDER):
        if degree == ORDER - 2:
            for k in range(ORDER):
                here = w[k]
                one = w[k - 1] if k > 0 else 0.0
                two = w[k - 2] if k > 1 else 0.0
                out[2, k] = here - 2.0 * one + two
        if degree == ORDER - 1:
            for k in range(ORDER):
                out[1, k] = (w[k - 1] if k > 0 else 0.0) - w[k]
        inverse = 1.0 / degree
        w[degree] = inverse * fraction * w[degree - 1]
        for k in range(degree - 1, 0, -1):
            w[k] = inverse * ((fraction + degree - k) * w[k - 1] + (1.0 + k - fraction) * w[k])
        w[0] = inverse * (1.0 - fraction) * w[0]
    for k in range(ORDER):
        out[0, k] = w[k]


@njit(parallel=True, **FAST)
def place(x, to_mesh, size, first, theta):
    """First mesh point of each atom (n_atoms, 3) and its splines (n_atoms, 3, 3, ORDER)."""
    n_atoms = len(x)
    for part in prange((n_atoms + _ATOMS - 1) // _ATOMS):
        values = np.empty((3, ORDER))
        for i in range(part * _ATOMS, min((part + 1) * _ATOMS, n_atoms)):
            for axis in range(3):
                u = 0.0
                for c in range(3):
                    u += x[i, c] * to_mesh[c, axis]
                u -= size[axis] * np.floor(u / size[axis])
                cell = int(u)
                _fill(u - cell, values)
                first[i, axis] = (cell - ORDER + 1 + size[axis]) % size[axis]
                for d in range(3):
                    for k in range(ORDER):
                        theta[i, axis, d, k] = values[d, k]


@njit(parallel=True, **FAST)
def spread(mesh, first, theta, charges, dipoles, threads):  # noqa: PLR0917
    """Charges and dipoles (per mesh spacing; (n_atoms, 3)) onto a padded mesh.

    Each thread fills a slab of planes, so that none writes where another does.
    """
    nx, ny = mesh.shape[0], mesh.shape[1]
    for slab in prange(threads):
        start, stop = nx * slab // threads, nx * (slab + 1) // threads
        mesh[start:stop] = 0.0
        for i in range(len(charges)):
            q, mx = mesh.dtype.type(charges[i]), mesh.dtype.type(dipoles[i, 0])
            my, mz = mesh.dtype.type(dipoles[i, 1]), mesh.dtype.type(dipoles[i, 2])
            z = first[i, 2]
            for a in range(ORDER):
                plane = first[i, 0] + a
                plane = plane - nx if plane >= nx else plane
                if start <= plane < stop:
                    along = q * theta[i, 0, 0, a] + mx * theta[i, 0, 1, a]
                    across = my * theta[i, 0, 0, a]
                    up = mz * theta[i, 0, 0, a]
                    for b in range(ORDER):
                        row = first[i, 1] + b
                        row = row - ny if row >= ny else row
                        value = along * theta[i, 1, 0, b] + across * theta[i, 1, 1, b]
                        slope = up * theta[i, 1, 0, b]
                        line = mesh[plane, row, z : z + ORDER]
                        for c in range(ORDER):
                            line[c] += value * theta[i, 2, 0, c] + slope * theta[i, 2, 1, c]


@njit(parallel=True, **FAST)
def field(mesh, first, theta, to_mesh, out):
    """Add minus the gradient of a potential at the atoms to ``out`` (n_atoms, 3)."""
    nx, ny = mesh.shape[0], mesh.shape[1]
    for i in prange(len(out)):
        zero = mesh.dtype.type(0.0)
        px, py, pz = zero, zero, zero
        z = first[i, 2]
        for a in range(ORDER):
            plane = first[i, 0] + a
            plane = plane - nx if plane >= nx else plane
            along, across, up = zero, zero, zero
            for b in range(ORDER):
                row = first[i, 1] + b
                row = row - ny if row >= ny else row
                line = mesh[plane, row, z : z + ORDER]
                value, slope = zero, zero
                for c in range(ORDER):
                    value += line[c] * theta[i, 2, 0, c]
                    slope += line[c] * theta[i, 2, 1, c]
                along += value * theta[i, 1, 0, b]
                across += value * theta[i, 1, 1, b]
                up += slope * theta[i, 1, 0, b]
            px += along * theta[i, 0, 1, a]
            py += across * theta[i, 0, 0, a]
            pz += up * theta[i, 0, 0, a]
        for c in range(3):
            out[i, c] -= px * to_mesh[c, 0] + py * to_mesh[c, 1] + pz * to_mesh[c, 2]


@njit(parallel=True, **FAST)
def energy_and_forces(mesh, first, theta, to_mesh, charges, dipoles, energy, force):  # noqa: PLR0917
    """Add half the potential energy and the force of charges and dipoles (per mesh spacing)."""
    nx, ny = mesh.shape[0], mesh.shape[1]
    for i in prange(len(charges)):
        zero = mesh.dtype.type(0.0)
        p, px, py, pz = zero, zero, zero, zero
        pxx, pxy, pxz, pyy, pyz, pzz = zero, zero, zero, zero, zero, zero
        z = first[i, 2]
        for a in range(ORDER):
            plane = first[i, 0] + a
            plane = plane - nx if plane >= nx else plane
            f, fy, fz, fyy, fyz, fzz = zero, zero, zero, zero, zero, zero
            for b in range(ORDER):
                row = first[i, 1] + b
                row = row - ny if row >= ny else row
                line = mesh[plane, row, z : z + ORDER]
                g0, g1, g2 = zero, zero, zero
                for c in range(ORDER):
                    g0 += line[c] * theta[i, 2, 0, c]
                    g1 += line[c] * theta[i, 2, 1, c]
                    g2 += line[c] * theta[i, 2, 2, c]
                t0, t1, t2 = theta[i, 1, 0, b], theta[i, 1, 1, b], theta[i, 1, 2, b]
                f += g0 * t0
                fy += g0 * t1
                fz += g1 * t0
                fyy += g0 * t2
                fyz += g1 * t1
                fzz += g2 * t0
            t0, t1, t2 = theta[i, 0, 0, a], theta[i, 0, 1, a], theta[i, 0, 2, a]
            p += f * t0
            px += f * t1
            py += fy * t0
            pz += fz * t0
            pxx += f * t2
            pxy += fy * t1
            pxz += fz * t1
            pyy += fyy * t0
            pyz += fyz * t0
            pzz += fzz * t0
        q, mx, my, mz = charges[i], dipoles[i, 0], dipoles[i, 1], dipoles[i, 2]
        energy[i] += 0.5 * (q * p + mx * px + my * py + mz * pz)
        gx = q * px + mx * pxx + my * pxy + mz * pxz
        gy = q * py + mx * pxy + my * pyy + mz * pyz
        gz = q * pz + mx * pxz + my * pyz + mz * pzz
        for c in range(3):
            force[i, c] -= gx * to_mesh[c, 0] + gy * to_mesh[c, 1] + gz * to_mesh[c, 2]
