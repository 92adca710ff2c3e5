"""What no molecule does that stays whole: frames and temperatures that are impossible."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.properties.observables import Floats

FRICTION: Final = 1.0
"""Of the thermostat, 1/ps: the rate at which temperatures become independent."""
_LARGEST_STRAIN: Final = 0.3
"""Of a bond, relative to its equilibrium length."""
_CLOSEST: Final = 1.0
"""Of atoms without a bond, Å; a hydrogen bond is never below 1.2 Å."""
_TEMPERATURE: Final = 0.2
"""Of the mean temperature, relative, and four standard errors."""


class Frame(NamedTuple):
    """A moment of a run."""

    positions: Floats
    """(n_atoms, 3), molecules whole, Å."""
    box: Floats | None
    """Edges (3,), Å; None in vacuum."""
    energy: float
    """Potential, kJ/mol."""
    temperature: float
    """K; NaN for a single atom in vacuum."""


class Bonds(NamedTuple):
    """Bonds of all molecules."""

    atoms: NDArray[np.int64]
    """(n_bonds, 2)"""
    lengths: Floats
    """At equilibrium, (n_bonds,), Å."""


def frame_fault(frame: Frame, bonds: Bonds) -> str | None:
    """Why a frame is impossible, or None.

    Parameters
    ----------
    frame
        Of a run.
    bonds
        Of its molecules.
    """
    if not (math.isfinite(frame.energy) and np.isfinite(frame.positions).all()):
        return "energy or positions are not finite"
    if (strain := largest_strain(frame.positions, bonds)) > _LARGEST_STRAIN:
        return f"a bond changed its length by {100 * strain:.0f} %"
    if (gap := closest_contact(frame.positions, bonds.atoms, frame.box)) < _CLOSEST:
        return f"atoms without a bond came to {gap:.2f} Å"
    return None


def largest_strain(positions: Floats, bonds: Bonds) -> float:
    """Largest relative change of a bond's length; 0 without bonds.

    Parameters
    ----------
    positions
        (n_atoms, 3), molecules whole, Å.
    bonds
        Of the molecules.
    """
    ends = positions[bonds.atoms]
    lengths = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=-1)
    return float(np.abs(lengths / bonds.lengths - 1.0).max(initial=0.0))


def closest_contact(
    positions: Floats, bonded: NDArray[np.int64], box: Floats | None, reach: float = _CLOSEST
) -> float:
    """Smallest distance of two atoms without a bond, Å; infinite beyond the reach.

    Parameters
    ----------
    positions
        (n_atoms, 3), Å.
    bonded
        Pairs of atoms, (n_bonds, 2).
    box
        Edges (3,), Å; None in vacuum.
    reach
        Å, less than half an edge.
    """
    from scipy.spatial import cKDTree

    wrapped = positions
    if box is not None:
        wrapped = positions % box
        wrapped = np.where(wrapped >= box, 0.0, wrapped)
    pairs = cKDTree(wrapped, boxsize=box).query_pairs(reach, output_type="ndarray")
    known = {(min(pair), max(pair)) for pair in bonded.tolist()}
    others = np.array([p for p in pairs.tolist() if tuple(p) not in known]).reshape(-1, 2)
    if not len(others):
        return math.inf
    gaps = wrapped[others[:, 0].astype(int)] - wrapped[others[:, 1].astype(int)]
    if box is not None:
        gaps = gaps - box * np.round(gaps / box)
    return float(np.linalg.norm(gaps, axis=-1).min())


def temperature_fault(mean: float, wanted: float, freedom: int, length: float) -> str | None:
    """Why a mean temperature is impossible, or None.

    Parameters
    ----------
    mean, wanted
        Found, and of the thermostat, K.
    freedom
        Number of degrees of freedom.
    length
        Over which the mean is taken, ps.
    """
    if freedom <= 0:
        return None
    independent = 1.0 + FRICTION * length
    allowed = _TEMPERATURE + 4.0 * math.sqrt(2.0 / (freedom * independent))
    if abs(mean / wanted - 1.0) <= allowed:
        return None
    return f"the temperature is {mean:.0f} instead of {wanted:.0f} K"
