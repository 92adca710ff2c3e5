"""Virial of charges and induced dipoles.

Dipoles that minimise the energy need not be differentiated, and do not turn with the box. Source:
Allen and Tildesley, Computer Simulation of Liquids, 2nd ed., Oxford 2017, section 2.4.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from openff_bytepol.polarization.arrays import FAST, Floats
from openff_bytepol.polarization.mesh import Mesh
from openff_bytepol.polarization.radial import screened_powers
from openff_bytepol.polarization.rows import Rows
from openff_bytepol.polarization.sites import Sites
from openff_bytepol.units import COULOMB


def virial_tensor(  # noqa: PLR0917
    sites: Sites, rows: Rows, parts: Floats, mesh: Mesh | None, dipoles: Floats, kappa: float
) -> Floats:
    """Minus the derivative of the energy by strain, kcal/mol; (3, 3), symmetric.

    Parameters
    ----------
    sites
        Charges and scale factors.
    rows
        Pairs, as `pairs.screen` leaves them.
    parts
        Of near pairs, as `near.near_field` leaves them; (n_pairs, 5).
    mesh
        With splines at the positions; None without a box.
    dipoles
        e·Å; (n_atoms, 3).
    kappa
        Screening, 1/Å; 0 without a box.
    """
    of_atoms = np.empty((len(dipoles), 3, 3))
    _of_pairs(*rows.radial, sites.charges, dipoles, kappa, of_atoms)
    tensor: Floats = of_atoms.sum(0)
    _of_near_pairs(sites.near_pairs, sites.charge_scales, parts, sites.charges, dipoles, tensor)
    if mesh is not None:
        tensor += mesh.virial(sites.charges, dipoles)
        volume = float(np.linalg.det(mesh.box))
        background = math.pi / (2.0 * kappa**2 * volume) * float(sites.charges.sum()) ** 2
        tensor -= background * np.eye(3)
    symmetric: Floats = COULOMB * 0.5 * (tensor + tensor.T)
    return symmetric


@njit(parallel=True, **FAST)
def _of_pairs(index, v, c3, c5, c7, count, charges, dipoles, kappa, tensor):  # noqa: PLR0917
    """Half of the sum of force times displacement over the neighbours of each atom, e²/Å."""
    for i in prange(len(count)):
        sums = np.zeros((3, 3))
        qi, ix, iy, iz = charges[i], dipoles[i, 0], dipoles[i, 1], dipoles[i, 2]
        for k in range(count[i]):
            j = index[i, k]
            x, y, z = float(v[0, i, k]), float(v[1, i, k]), float(v[2, i, k])
            a3, a5, a7 = float(c3[i, k]), float(c5[i, k]), float(c7[i, k])
            _, b1, _, _ = screened_powers(x * x + y * y + z * z, kappa)
            qj, jx, jy, jz = charges[j], dipoles[j, 0], dipoles[j, 1], dipoles[j, 2]
            i_along = ix * x + iy * y + iz * z
            j_along = jx * x + jy * y + jz * z
            mixed = qj * i_along - qi * j_along
            dots = ix * jx + iy * jy + iz * jz
            radial = a7 * i_along * j_along - a5 * (mixed + dots) - qi * qj * b1
            on_i = a3 * qj - a5 * j_along
            on_j = -a3 * qi - a5 * i_along
            force = (
                radial * x + on_i * ix + on_j * jx,
                radial * y + on_i * iy + on_j * jy,
                radial * z + on_i * iz + on_j * jz,
            )
            for a in range(3):
                sums[a, 0] -= 0.5 * force[a] * x
                sums[a, 1] -= 0.5 * force[a] * y
                sums[a, 2] -= 0.5 * force[a] * z
        tensor[i] = sums


@njit(**FAST)
def _of_near_pairs(pairs, charge_scales, parts, charges, dipoles, tensor):  # noqa: PLR0917
    """Add what bonded neighbours feel differently, e²/Å."""
    for p in range(len(pairs)):
        i, j = pairs[p, 0], pairs[p, 1]
        qi, qj, c3, c5 = charges[i], charges[j], parts[p, 3], parts[p, 4]
        square, along = 0.0, 0.0
        for c in range(3):
            square += parts[p, c] ** 2
            along += (qj * dipoles[i, c] - qi * dipoles[j, c]) * parts[p, c]
        between = (charge_scales[p] - 1.0) * qi * qj / (square * np.sqrt(square))
        for a in range(3):
            force = c3 * (qj * dipoles[i, a] - qi * dipoles[j, a])
            force -= (c5 * along + between) * parts[p, a]
            for b in range(3):
                tensor[a, b] -= force * parts[p, b]
