"""What bonded neighbours feel differently from all other pairs.

Pairs up to four bonds apart can have charge-charge energies and charge-dipole fields scaled; the
main loops treat them like any others, and the difference is made up here.
"""

from __future__ import annotations

from math import sqrt

from numba import njit

from openff_bytepol.polarization.arrays import FAST
from openff_bytepol.polarization.radial import undamped_parts


@njit(**FAST)
def near_field(  # noqa: PLR0917
    x, box, pairs, charge_scales, field_scales, charges, weights, energy, force, field, parts
):
    """Add the missing energy (e²/Å), forces (e²/Å²) and field (e/Å²) of the charges.

    ``parts`` (n_pairs, 5) is filled with displacement and radial functions for `near_forces`.
    """
    for p in range(len(pairs)):
        i, j = pairs[p, 0], pairs[p, 1]
        dx, dy, dz = x[j, 0] - x[i, 0], x[j, 1] - x[i, 1], x[j, 2] - x[i, 2]
        n = round(dz / box[2, 2])
        dx, dy, dz = dx - n * box[2, 0], dy - n * box[2, 1], dz - n * box[2, 2]
        n = round(dy / box[1, 1])
        dx, dy = dx - n * box[1, 0], dy - n * box[1, 1]
        dx -= round(dx / box[0, 0]) * box[0, 0]
        square = dx * dx + dy * dy + dz * dz
        inverse = 1.0 / sqrt(square)
        inverse3 = inverse * inverse * inverse
        d3, d5, _ = undamped_parts(square, weights[i] * weights[j])
        missing = field_scales[p] - 1.0
        c3 = missing * (inverse3 - d3)
        parts[p, 0], parts[p, 1], parts[p, 2] = dx, dy, dz
        parts[p, 3] = c3
        parts[p, 4] = missing * (3.0 * inverse3 * inverse * inverse - d5)
        qq = (charge_scales[p] - 1.0) * charges[i] * charges[j]
        energy[i] += qq * inverse
        for c in range(3):
            v = parts[p, c]
            force[i, c] -= qq * inverse3 * v
            force[j, c] += qq * inverse3 * v
            field[i, c] -= charges[j] * c3 * v
            field[j, c] += charges[i] * c3 * v


@njit(**FAST)
def near_forces(pairs, parts, charges, dipoles, energy, force):  # noqa: PLR0917
    """Add the missing energy and forces of charges and dipoles (n_atoms, 3)."""
    for p in range(len(pairs)):
        i, j = pairs[p, 0], pairs[p, 1]
        qi, qj, c3, c5 = charges[i], charges[j], parts[p, 3], parts[p, 4]
        along = 0.0
        for c in range(3):
            along += (qj * dipoles[i, c] - qi * dipoles[j, c]) * parts[p, c]
        energy[i] += c3 * along
        for c in range(3):
            value = c3 * (qj * dipoles[i, c] - qi * dipoles[j, c]) - c5 * along * parts[p, c]
            force[i, c] += value
            force[j, c] -= value
