"""Van der Waals curves of atom pairs in the polarizable model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.projection.source import Source

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


class VdwCurves(NamedTuple):
    """Repulsion, dispersion and charge transfer of n pairs, each array (n,).

    U(r) = a·exp(-b·r) + (s12/r)¹² - C6/(k·R⁶ + r⁶) - C8/(k^(4/3)·R⁸ + r⁸)
    - eps_ct·exp[-(lambda_ct·r/R)³]/r⁴ with a = 6·eps·exp(lambda), b = lambda/R and
    C8 = s·C6·R² (ByteFF-Pol, arXiv:2508.08575; C8 ours). Functions take distances in Å of
    shape (..., n).
    """

    prefactor: Floats
    decay: Floats
    core: Floats
    c6: Floats
    damping: Floats
    """k·R⁶, Å⁶"""
    c8: Floats
    ct_epsilon: Floats
    ct_decay: Floats

    @classmethod
    def of(cls, source: Source, first: Indices, second: Indices) -> VdwCurves:
        """Curves of atom pairs, radii mixed arithmetically and all others geometrically."""

        def geometric(values: Floats) -> Floats:
            root = np.sqrt(values)
            return root[first] * root[second]

        settings = source.settings
        radius = 0.5 * (source.radii[first] + source.radii[second])
        c6 = geometric(source.c6)
        steepness = geometric(source.lambdas)
        return cls(
            prefactor=6.0 * geometric(source.epsilons) * np.exp(steepness),
            decay=steepness / radius,
            core=np.full(len(first), settings.repulsion_s12**12),
            c6=c6,
            damping=settings.dispersion_damping * radius**6,
            c8=settings.dispersion_c8 * c6 * radius**2,
            ct_epsilon=geometric(source.ct_epsilons),
            ct_decay=(geometric(source.ct_lambdas) / radius) ** 3,
        )

    def scaled(self, contact: Floats, transfer: Floats) -> VdwCurves:
        """Curves times factors on repulsion and dispersion, and on charge transfer; (n,)."""
        return self._replace(
            prefactor=self.prefactor * contact,
            core=self.core * contact,
            c6=self.c6 * contact,
            c8=self.c8 * contact,
            ct_epsilon=self.ct_epsilon * transfer,
        )

    def energy(self, r: Floats) -> Floats:
        """U(r), kcal/mol."""
        cube = r * r * r
        sixth = cube * cube
        energy = self.prefactor * np.exp(-self.decay * r)
        energy += self.core / (sixth * sixth)
        energy -= self.c6 / (self.damping + sixth)
        energy -= self.c8 / (self.damping ** (4 / 3) + sixth * r * r)
        energy -= self.ct_epsilon * np.exp(-self.ct_decay * cube) / (cube * r)
        return energy

    def slope(self, r: Floats) -> Floats:
        """dU/dr, kcal/mol/Å."""
        cube = r * r * r
        sixth = cube * cube
        repulsion = self.decay * self.prefactor * np.exp(-self.decay * r)
        repulsion = repulsion + 12.0 * self.core / (sixth * sixth * r)
        dispersion = 6.0 * self.c6 * sixth / (r * (self.damping + sixth) ** 2)
        eighth = self.damping ** (4 / 3) + sixth * r * r
        dispersion = dispersion + 8.0 * self.c8 * sixth * r / eighth**2
        reduced = self.ct_decay * cube
        transfer = self.ct_epsilon * np.exp(-reduced) * (4.0 + 3.0 * reduced) / (cube * r * r)
        return dispersion - repulsion + transfer
