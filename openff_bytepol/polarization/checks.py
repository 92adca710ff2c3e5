"""Positions and dipoles that cannot be computed with: typed errors that name the atoms."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from openff_bytepol.exceptions import (
    ConvergenceError,
    CutoffError,
    OverlappingAtomsError,
    PolarizationCatastropheError,
)
from openff_bytepol.polarization.arrays import Floats

_SHORTEST: Final = 0.02
"""Atoms closer than this (Å) are an error. Trial steps of a minimiser come closer than atoms do."""
_NAMED: Final = 4
"""Atoms that an error of the dipoles names."""


def check_finite(positions: Floats) -> None:
    """Raise OverlappingAtomsError if positions are not finite."""
    finite = np.isfinite(positions).all(1)
    if not finite.all():
        atoms = np.flatnonzero(~finite)
        raise OverlappingAtomsError(
            f"positions of {_names(atoms)} are not finite; the simulation has become unstable: "
            "minimise first, or take shorter steps",
            atoms.tolist(),
        )


def check_cutoff(box: Floats, cutoff: float) -> None:
    """Raise CutoffError if the cutoff does not fit into the box (both in Å)."""
    width = float(np.diag(box).min())
    if cutoff > 0.5 * width:
        raise CutoffError(
            f"the real-space cutoff of {cutoff:g} Å is longer than half the shortest box width "
            f"({width:.4g} Å); use a larger box or a shorter cutoff"
        )


def check_overlaps(closest: Floats) -> None:
    """Raise OverlappingAtomsError by squares of distances to the closest atom (Å²; (n_atoms,))."""
    if closest.min() >= _SHORTEST**2:
        return
    atoms = np.flatnonzero(closest < _SHORTEST**2)
    raise OverlappingAtomsError(
        f"{_names(atoms)} are within {math.sqrt(closest.min()):.2g} Å of another atom; "
        "separate them, or minimise the structure first",
        atoms.tolist(),
    )


def unconverged(changes: Floats, error: float, iterations: int) -> ConvergenceError:
    """Error that names the atoms whose dipoles would change most ((n_atoms, 3))."""
    worst = _largest(changes)
    return ConvergenceError(
        f"induced dipoles are off by {error:.2g} debye after {iterations} iterations, most at "
        f"{_names(worst)}; check the structure there, or raise the tolerance",
        worst.tolist(),
    )


def catastrophe(step: Floats) -> PolarizationCatastropheError:
    """Error that names the atoms with the largest part in a step ((n_atoms, 3))."""
    worst = _largest(step)
    return PolarizationCatastropheError(
        f"induced dipoles grow without limit (polarization catastrophe) at {_names(worst)}: "
        "these atoms are too close for their polarizabilities; minimise the structure first",
        worst.tolist(),
    )


def _largest(vectors: Floats) -> Any:
    return np.argsort(-(vectors**2).sum(1))[:_NAMED]


def _names(atoms: Any) -> str:
    shown = ", ".join(str(atom) for atom in list(atoms)[:6])
    more = ", …" if len(atoms) > 6 else ""
    return f"atom{'s' if len(atoms) > 1 else ''} {shown}{more}"
