"""Shear viscosity from pressure fluctuations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.integrate import cumulative_trapezoid
from scipy.optimize import curve_fit

from openff_bytepol.exceptions import SamplingError
from openff_bytepol.properties.observables import Floats, Observables
from openff_bytepol.properties.results import PropertyEstimate
from openff_bytepol.properties.statistics import (
    Mean,
    Runs,
    as_runs,
    autocorrelation,
    estimate,
)
from openff_bytepol.units import ATMOSPHERE, BOLTZMANN, MPA_S

SEGMENTS: Final = 10
"""Into how many pieces runs are cut, at least."""
_NOISE: Final = 0.1
"""Relative standard error of the mean running integral at which it ends."""
_LONGEST: Final = 0.5
"""Longest time as a fraction of a segment."""
_FIT_POINTS: Final = 100
_CURVE_POINTS: Final = 200
_RESAMPLES: Final = 60
_ONE_SIGMA: Final = (0.1587, 0.8413)
_FEWEST_FRAMES: Final = 20
_FEWEST_POINTS: Final = 5


def green_kubo_viscosity(runs: Runs, *, n_segments: int = SEGMENTS) -> PropertyEstimate:
    """Shear viscosity by Green and Kubo with the time decomposition method.

    η = V/kT ∫₀^∞ ⟨P_ab(0) P_ab(t)⟩ dt, averaged over P_xy, P_xz, P_yz, (P_xx − P_yy)/2 and
    (P_yy − P_zz)/2. Running integrals of independent segments are averaged; their spread
    σ(t) is fitted by A·t^b; the average is fitted with weights t^−b by

    η(t) = η_∞ [a (1 − e^(−t/τ₁)) + (1 − a) (1 − e^(−t/τ₂))]

    up to the time at which its standard error reaches a tenth of it, and η_∞ is the result. Its
    error, half the range of 68 %, comes from fits to segments drawn anew with replacement.

    Sources: Zhang, Otani and Maginn, J. Chem. Theory Comput. 2015, 11, 3537; Daivis and
    Evans, J. Chem. Phys. 1994, 100, 541 (components).

    Parameters
    ----------
    runs
        Production at constant volume with pressure tensors every few fs: the correlation function
        must be resolved.
    n_segments
        Into how many pieces replicas are cut, in all at least. Each must be many times longer
        than stress correlations last.

    Returns
    -------
    PropertyEstimate
        mPa·s; running integrals in ``details``.

    Raises
    ------
    ObservablesError
        Without pressure tensors or boxes.
    SamplingError
        If segments are too short for their integrals to converge.
    """
    runs = as_runs(runs)
    integrals = _running_integrals(runs, n_segments)
    interval = runs[0].interval
    times = np.asarray(np.arange(integrals.shape[1]) * interval, dtype=np.float64)
    fit = _fit(times, integrals)
    random = np.random.default_rng(0)
    values = []
    for _ in range(_RESAMPLES):
        chosen = random.integers(len(integrals), size=len(integrals))
        try:
            values.append(_fit(times, integrals[chosen]).viscosity)
        except SamplingError:
            continue
    warnings = []
    if len(values) < 0.8 * _RESAMPLES:
        warnings.append("many fits to resampled segments failed: the error is uncertain")
    average, spread = integrals.mean(axis=0), integrals.std(axis=0, ddof=1)
    if fit.viscosity > 1.5 * average[fit.last]:
        warnings.append(
            f"the running integral reaches only {average[fit.last] / fit.viscosity:.0%} of its "
            "limit before it drowns in noise; simulate longer"
        )
    shown = np.unique(np.linspace(0, fit.last, _CURVE_POINTS).astype(int))
    error = float(np.ptp(np.quantile(values, _ONE_SIGMA))) / 2.0 if len(values) > 1 else math.nan
    if not math.isfinite(error):
        warnings.append("no fit to resampled segments succeeded: the error is unknown")
    return estimate(
        "viscosity",
        Mean(fit.viscosity, error, 5.0 * sum(len(run) for run in runs) / max(fit.last, 1)),
        "mPa*s",
        runs,
        f"Green-Kubo, time decomposition; error by bootstrap over {len(integrals)} segments",
        warnings=warnings,
        details={
            "times_ps": times[shown].tolist(),
            "running_integral_mPa_s": average[shown].tolist(),
            "spread_mPa_s": spread[shown].tolist(),
            "relaxation_times_ps": [fit.first_time, fit.second_time],
            "cutoff_ps": float(times[fit.last]),
        },
    )


@dataclass(frozen=True)
class _Fit:
    viscosity: float
    first_time: float
    second_time: float
    last: int


def _running_integrals(runs: tuple[Observables, ...], n_segments: int) -> Floats:
    """One row per segment, mPa·s; from time 0 to half a segment."""
    pieces = math.ceil(n_segments / len(runs))
    length = min(len(run) for run in runs) // pieces
    if length < _FEWEST_FRAMES:
        raise SamplingError(f"segments of {length} frames are too short; simulate longer")
    rows = []
    for run in runs:
        tensor = run.require("pressure_tensors")
        scale = float(run.volumes.mean()) * ATMOSPHERE / (BOLTZMANN * run.temperature) * MPA_S
        stresses = _shear_components(tensor)
        for i in range(pieces):
            correlation = autocorrelation(stresses[i * length : (i + 1) * length]).mean(axis=1)
            kept = correlation[: int(length * _LONGEST)]
            rows.append(scale * cumulative_trapezoid(kept, dx=run.interval, initial=0.0))
    return np.array(rows)


def _shear_components(tensor: Floats) -> Floats:
    """Five components of equal variance, without their means; (n_frames, 5)."""
    symmetric = 0.5 * (tensor + tensor.transpose(0, 2, 1))
    diagonal = np.diagonal(symmetric, axis1=1, axis2=2)
    components = [symmetric[:, a, b] for a, b in ((0, 1), (0, 2), (1, 2))]
    components += [0.5 * (diagonal[:, i] - diagonal[:, i + 1]) for i in range(2)]
    return np.stack([component - component.mean() for component in components], axis=1)


def _fit(times: Floats, integrals: Floats) -> _Fit:
    average, spread = integrals.mean(axis=0), integrals.std(axis=0, ddof=1)
    positive = np.flatnonzero(spread > 0.0)
    if len(positive) < _FEWEST_FRAMES // 2:
        raise SamplingError("pressure tensors do not fluctuate; no viscosity follows")
    chosen = positive[np.unique(np.geomspace(1, len(positive), _FIT_POINTS).astype(int)) - 1]
    power = float(np.polyfit(np.log(times[chosen]), np.log(spread[chosen]), 1)[0])
    too_noisy = np.flatnonzero(spread > _NOISE * math.sqrt(len(integrals)) * np.abs(average))
    last = int(too_noisy[0]) if len(too_noisy) else len(times) - 1
    points = np.unique(np.linspace(1, last, _FIT_POINTS).astype(int))
    if last < _FEWEST_POINTS:
        raise SamplingError("stress correlations are lost in noise at once; simulate longer")
    return _double_exponential(times[points], average[points], power, last)


def _double_exponential(times: Floats, values: Floats, power: float, last: int) -> _Fit:
    """Weighted fit in reduced units: times in the last, values in the mean of the last tenth."""
    scale = float(values[-max(1, len(values) // 10) :].mean())
    end = float(times[-1])
    if scale <= 0.0:
        raise SamplingError("the running integral is not positive; simulate longer")

    def model(t: Floats, limit: float, share: float, fast: float, slow: float) -> Floats:
        decay = share * np.exp(-t / fast) + (1.0 - share) * np.exp(-t / slow)
        return np.asarray(limit * (1.0 - decay))

    try:
        found, _ = curve_fit(
            model,
            times / end,
            values / scale,
            p0=(1.0, 0.5, 0.02, 0.2),
            sigma=(times / end) ** power,
            bounds=((0.0, 0.0, 1e-5, 1e-5), (10.0, 1.0, 10.0, 10.0)),
        )
    except RuntimeError as error:
        raise SamplingError(f"the running integral could not be fitted: {error}") from error
    fast, slow = sorted(float(tau) * end for tau in found[2:])
    return _Fit(float(found[0]) * scale, fast, slow, last)
