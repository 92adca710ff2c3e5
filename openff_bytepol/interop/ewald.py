"""Particle-mesh Ewald settings that every engine can be given exactly.

With the same screening, mesh and spline order, smooth PME is one and the same sum in
OpenMM, GROMACS and sander, whatever its own error is.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from scipy.fft import next_fast_len

from openff_bytepol.interop.fixed_charge import Floats

SPLINE_ORDER: Final = 5
"""Order of the B-splines in OpenMM's PME, which cannot be changed."""


class Ewald(NamedTuple):
    """Screening ``alpha`` of erfc(alpha·r), 1/Å, and number of mesh points along each axis."""

    alpha: float
    mesh: tuple[int, int, int]

    def direct_tolerance(self, cutoff: float) -> float:
        """erfc(alpha·cutoff), the strength that GROMACS asks for; cutoff in Å."""
        return math.erfc(self.alpha * cutoff)


def ewald_settings(box: Floats, cutoff: float, tolerance: float = 1e-6) -> Ewald:
    """Screening and mesh for a relative error in the forces of about ``tolerance``.

    The estimates are OpenMM's (user guide, section "Coulomb Interaction with Particle
    Mesh Ewald"); the mesh is rounded up to even products of 2, 3 and 5, which every FFT
    takes.

    Parameters
    ----------
    box
        Box vectors as rows, Å.
    cutoff
        Of the direct space, Å.
    tolerance
        Error tolerance, dimensionless.
    """
    alpha = math.sqrt(-math.log(2.0 * tolerance)) / cutoff
    points = 2.0 * alpha * np.diag(box) / (3.0 * tolerance**0.2)
    x, y, z = (2 * int(next_fast_len(math.ceil(max(n, 8) / 2), real=True)) for n in points)
    return Ewald(alpha, (x, y, z))
