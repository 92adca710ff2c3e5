"""Self-diffusion from mean squared displacements, corrected for the size of the box."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from openff_bytepol.exceptions import PropertyError
from openff_bytepol.properties.einstein import (
    SEGMENTS,
    curve_details,
    linear_regime,
    mean_squared_displacement,
    relative_centers,
    segments,
)
from openff_bytepol.properties.observables import Observables
from openff_bytepol.properties.results import PropertyEstimate
from openff_bytepol.properties.statistics import Mean, Runs, as_runs, estimate, jackknife
from openff_bytepol.units import ATMOSPHERE, BOLTZMANN, MPA_S, SQUARE_METER_PER_SECOND

_XI: Final = 2.837297
"""Lattice sum of a cubic box: Yeh and Hummer 2004."""


def self_diffusion(
    runs: Runs,
    *,
    component: int = 0,
    viscosity: PropertyEstimate | None = None,
    n_segments: int = SEGMENTS,
) -> PropertyEstimate:
    """Self-diffusion coefficient of the centres of mass of one component.

    D = (1/6) d⟨|r(t) − r(0)|²⟩/dt + ξ kT / (6π η L), ξ = 2.837297

    The slope is taken over the first decade of the linear regime, found on the average over
    all data and checked up to lags of half a segment; the drift of the whole system is removed.
    The second term corrects for hydrodynamic interactions with periodic images.

    Sources: Einstein, Ann. Phys. 1905, 322, 549; Yeh and Hummer, J. Phys. Chem. B 2004, 108,
    15873.

    Parameters
    ----------
    runs
        Production with unwrapped centres, best at constant volume: barostats move molecules.
    component
        Which.
    viscosity
        η with its error; without it there is no correction, and a warning.
    n_segments
        Into how many pieces the data are cut; errors are from the spread between them.

    Returns
    -------
    PropertyEstimate
        m²/s.

    Raises
    ------
    PropertyError
        If there is no such component or the box is not cubic and is to be corrected for.
    SamplingError
        If the motion is not diffusive within half a segment.
    """
    runs = as_runs(runs)
    if not 0 <= component < len(runs[0].names) or not runs[0].counts[component]:
        raise PropertyError(f"no component {component} in {runs[0].names} to diffuse")
    pieces = segments(runs, n_segments)
    chosen = runs[0].component_index == component
    curves = np.stack([mean_squared_displacement(relative_centers(p)[:, chosen]) for p in pieces])
    curve = curves.mean(axis=0)
    regime = linear_regime(curve, runs[0].interval)
    slopes = np.array([regime.slope(values) for values in curves])
    measured = jackknife(slopes, lambda slope: float(slope) / 6.0)
    correction, error, warnings = _finite_size(runs, viscosity)
    windows = len(pieces) * len(pieces[0]) / regime.stop * runs[0].counts[component]
    result = Mean(
        (measured.value + correction) * SQUARE_METER_PER_SECOND,
        math.hypot(measured.error, error) * SQUARE_METER_PER_SECOND,
        windows,
    )
    return estimate(
        "self_diffusion",
        result,
        "m**2/s",
        runs,
        "Einstein relation"
        + (", Yeh-Hummer correction" if viscosity else "")
        + f"; error from {len(pieces)} segments",
        warnings=warnings,
        details={
            "component": runs[0].names[component],
            "uncorrected_m2_per_s": measured.value * SQUARE_METER_PER_SECOND,
            "finite_size_correction_m2_per_s": correction * SQUARE_METER_PER_SECOND,
            **curve_details(curve, regime),
        },
    )


def _finite_size(
    runs: tuple[Observables, ...], viscosity: PropertyEstimate | None
) -> tuple[float, float, list[str]]:
    """Correction and its error, Å²/ps, and warnings."""
    if viscosity is None:
        return 0.0, 0.0, ["not corrected for the size of the box: give a viscosity"]
    box = runs[0].require("boxes")[0]
    if np.abs(box - box[0, 0] * np.eye(3)).max() > 0.01 * box[0, 0]:
        raise PropertyError("the finite-size correction is for cubic boxes; use one")
    length = float(np.cbrt(np.concatenate([run.volumes for run in runs]).mean()))
    eta = float(viscosity.quantity.m_as("mPa*s")) / MPA_S * ATMOSPHERE
    correction = _XI * BOLTZMANN * runs[0].temperature / (6.0 * math.pi * eta * length)
    relative = viscosity.uncertainty / viscosity.value
    warnings = []
    if not math.isfinite(relative):
        relative = 0.0
        warnings.append("the error of the viscosity is unknown and left out")
    return correction, abs(correction * relative), warnings
