"""Free-atom reference values of the Tkatchenko-Scheffler scaling.

Volumes, polarizabilities, C6 coefficients and radii of neutral free atoms follow
Tkatchenko and Scheffler, Phys. Rev. Lett. 102, 073005 (2009)
(https://doi.org/10.1103/PhysRevLett.102.073005). The alkali metals are the cations
they are in electrolytes: Li+ as in ByteFF-Pol (arXiv:2508.08575); Na+ and K+ from
their polarizabilities (Mahan, J. Chem. Phys. 76, 493 (1982),
https://doi.org/10.1063/1.442751), C6 scaled from the isoelectronic noble gas as
alpha^1.5, and R = 2.54·alpha^(1/7) (Fedorov et al., Phys. Rev. Lett. 121, 183401
(2018), https://doi.org/10.1103/PhysRevLett.121.183401). Only ratios to these
volumes enter the energy, so a volume is a choice of scale.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from openff_bytepol.units import BOHR_IN_ANGSTROM, HARTREE_IN_KCAL


class FreeAtom(NamedTuple):
    """Reference values of one free atom or monatomic cation."""

    volume: float
    """Å³"""
    polarizability: float
    """Å³"""
    c6: float
    """kcal/mol·Å⁶"""
    radius: float
    """Å"""


def _from_atomic_units(volume: float, polarizability: float, c6: float, radius: float) -> FreeAtom:
    return FreeAtom(
        volume * BOHR_IN_ANGSTROM**3,
        polarizability * BOHR_IN_ANGSTROM**3,
        c6 * HARTREE_IN_KCAL * BOHR_IN_ANGSTROM**6,
        radius * BOHR_IN_ANGSTROM,
    )


FREE_ATOMS: Final = {
    1: _from_atomic_units(7.9, 4.5, 6.5, 3.10),
    3: _from_atomic_units(89.0, 1.38, 1.46, 2.65),
    6: _from_atomic_units(35.7, 12.0, 46.6, 3.59),
    7: _from_atomic_units(27.0, 7.4, 24.2, 3.34),
    8: _from_atomic_units(22.7, 5.4, 15.6, 3.19),
    9: _from_atomic_units(18.6, 3.8, 9.5, 3.04),
    11: _from_atomic_units(10.0, 0.99, 1.44, 2.54),
    15: _from_atomic_units(95.7, 25.0, 185.0, 4.01),
    16: _from_atomic_units(77.0, 19.6, 134.0, 3.86),
    17: _from_atomic_units(66.7, 15.0, 94.6, 3.71),
    19: _from_atomic_units(35.0, 5.35, 21.5, 3.23),
    35: _from_atomic_units(97.0, 20.0, 162.0, 3.93),
    53: _from_atomic_units(152.2, 35.0, 385.0, 4.17),
}
"""Atomic number → reference values, for every element a model may support."""
