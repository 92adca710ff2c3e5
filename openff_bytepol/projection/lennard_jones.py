"""Lennard-Jones parameters from the van der Waals curves of a polarizable model.

Well rule. An atom's Lennard-Jones curve has the minimum of the atom's own like-pair curve
of repulsion, dispersion and charge transfer: same position r_min and same depth, sigma =
r_min/2^(1/6), epsilon = -U(r_min). Where there are several minima, the outermost counts;
those inside the repulsive wall are never visited.

Wall rule. Some atoms meet others only far inside the minimum of their like-pair curve:
hydrogens bonded to N, O, S or a halogen (hydrogen bonds), and monatomic cations. There r⁻¹²
is much steeper than the exponential, and a well of the right depth would push donor and
acceptor apart by several tenths of an ångström. These atoms, and atoms whose curve has no
minimum, get epsilon = 0.0157 kcal/mol, the hydrogen of Cornell et al. (J. Am. Chem. Soc.
117, 5179 (1995), https://doi.org/10.1021/ja00124a002), and the sigma at which the
Lennard-Jones curve crosses `CONTACT_ENERGY` where the polarizable curve does. The curve is
that with the bonded heavy atom, the donor, as the acceptor of the next molecule for
hydrogens, and the like-pair curve for all others.

Atoms whose curve never reaches `CONTACT_ENERGY` have no repulsion and do not interact:
sigma = 1 Å and epsilon = 1e-10 kcal/mol.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.projection.source import Source
from openff_bytepol.projection.vdw import VdwCurves

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

CONTACT_ENERGY: Final = 3.0
"""Van der Waals energy at the contact of a hydrogen bond, kcal/mol."""

CONTACT_EPSILON: Final = 0.0157
"""Well depth of atoms under the wall rule, kcal/mol."""

NO_SIGMA: Final = 1.0
NO_EPSILON: Final = 1e-10
"""Å and kcal/mol of atoms that do not interact."""

_DONORS: Final = (7, 8, 9, 16, 17, 35, 53)
_WELL_GRID: Final = np.geomspace(1.0, 15.0, 128)
_WALL_GRID: Final = np.geomspace(6.0, 0.25, 128)
_ROOT_STEPS: Final = 14


def lennard_jones(source: Source) -> tuple[Floats, Floats]:
    """Sigmas (Å) and epsilons (kcal/mol) of all atoms, each (n_atoms,)."""
    atoms = np.arange(source.n_atoms)
    distances, depths, has_well = _wells(VdwCurves.of(source, atoms, atoms))
    sigmas, epsilons = distances / 2.0 ** (1.0 / 6.0), depths
    partners = _donors(source)
    is_cation = source.n_atoms == 1 and source.charges[0] > 0.0
    by_itself = (partners == atoms) & (~has_well | is_cation)
    # Donors first: the sigma of their hydrogens follows from theirs.
    for rows in (np.flatnonzero(by_itself), np.flatnonzero(partners != atoms)):
        if len(rows):
            others = partners[rows]
            partner_epsilons = np.where(others == rows, CONTACT_EPSILON, epsilons[others])
            contact, reached = _walls(
                VdwCurves.of(source, rows, others), np.sqrt(CONTACT_EPSILON * partner_epsilons)
            )
            own = np.where(others == rows, contact, 2.0 * contact - sigmas[others])
            interacts = reached & (own > 0.0)
            sigmas[rows] = np.where(interacts, own, NO_SIGMA)
            epsilons[rows] = np.where(interacts, CONTACT_EPSILON, NO_EPSILON)
    return sigmas, epsilons


def _donors(source: Source) -> Indices:
    """Atom that each polar hydrogen is bonded to; every other atom itself."""
    partners = np.arange(source.n_atoms)
    ends = np.concatenate([source.bonds, source.bonds[:, ::-1]])
    numbers = source.atomic_numbers[ends]
    polar = ends[(numbers[:, 0] == 1) & np.isin(numbers[:, 1], _DONORS)]
    partners[polar[:, 0]] = polar[:, 1]
    return partners


def _wells(curves: VdwCurves) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Position and depth of the outermost minimum of each curve, and whether there is one."""
    energy = curves.energy(_WELL_GRID[:, None])
    inner = energy[1:-1]
    is_minimum = (inner < energy[:-2]) & (inner <= energy[2:]) & (inner < -NO_EPSILON)
    place = len(inner) - 1 - is_minimum[::-1].argmax(axis=0)
    r = _root(curves.slope, _WELL_GRID[place], _WELL_GRID[place + 2])
    depth: Floats = np.maximum(-curves.energy(r), NO_EPSILON)
    return r, depth, np.asarray(is_minimum.any(axis=0))


def _walls(curves: VdwCurves, epsilon: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Sigma of the Lennard-Jones curves that cross the contact energy where these curves do.

    Where 4·eps·(x² - x) = E with x = (sigma/r)⁶; also, whether a curve reaches E at all.
    """
    above = curves.energy(_WALL_GRID[:, None]) >= CONTACT_ENERGY
    place = np.maximum(above.argmax(axis=0), 1)
    r = _root(lambda r: CONTACT_ENERGY - curves.energy(r), _WALL_GRID[place], _WALL_GRID[place - 1])
    x = 0.5 + np.sqrt(0.25 + CONTACT_ENERGY / (4.0 * epsilon))
    return r * x ** (1.0 / 6.0), np.asarray(above.any(axis=0))


def _root(function: Callable[[Floats], Floats], low: Floats, high: Floats) -> Floats:
    """Zero of a function with different signs at two points (Illinois method)."""
    f_low, f_high = function(low), function(high)
    for _ in range(_ROOT_STEPS):
        span = np.where(f_high == f_low, 1.0, f_high - f_low)
        middle = high - f_high * (high - low) / span
        f_middle = function(middle)
        crosses = f_middle * f_high < 0.0
        low = np.where(crosses, high, low)
        f_low = np.where(crosses, f_high, 0.5 * f_low)
        high, f_high = middle, f_middle
    return high
