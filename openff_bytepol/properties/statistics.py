"""Equilibration, correlation times and errors of time series.

Sources: Chodera et al., J. Chem. Theory Comput. 2007, 3, 26 (statistical inefficiency);
Chodera, J. Chem. Theory Comput. 2016, 12, 1799 (equilibration); both as in pymbar. Politis and
Romano, in Exploring the Limits of Bootstrap, Wiley 1992, 263 (circular block bootstrap).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import scipy.fft

from openff_bytepol.exceptions import MissingDependencyError, ObservablesError, SamplingError
from openff_bytepol.properties.observables import Floats, Observables
from openff_bytepol.properties.results import PropertyEstimate

Runs: TypeAlias = Observables | Sequence[Observables]
"""One run, or independent replicas of it."""

FEW_SAMPLES: Final = 20
"""Below this many independent samples an estimate carries a warning."""
_MINIMUM_FRAMES: Final = 4
_MOST_FRAMES: Final = 5000
_STARTS: Final = 50
_RESAMPLES: Final = 200
_BLOCK: Final = 5.0
"""Length of a bootstrap block in statistical inefficiencies."""
_FEWEST_BLOCKS: Final = 4
"""One block as long as the run would only rotate it, and every error would be zero."""


@dataclass(frozen=True)
class Mean:
    """Mean of correlated samples with its standard error."""

    value: float
    error: float
    n_effective: float


def statistical_inefficiency(series: Floats) -> float:
    """1 + 2 × integrated autocorrelation time in frames; 1 for a constant.

    Parameters
    ----------
    series
        (n_frames,), evenly spaced.

    Raises
    ------
    SamplingError
        If there are fewer than four frames.
    """
    series = np.asarray(series, dtype=np.float64)
    if len(series) < _MINIMUM_FRAMES:
        raise SamplingError(f"{len(series)} frames are too few for an error; simulate longer")
    if np.ptp(series) <= 1e-12 * max(1.0, np.abs(series).max()):
        return 1.0
    return max(1.0, float(_timeseries().statistical_inefficiency(series)))


def equilibration(series: Floats) -> int:
    """First frame of production: the one that leaves most independent samples.

    Parameters
    ----------
    series
        (n_frames,), evenly spaced.

    Raises
    ------
    SamplingError
        If there are fewer than four frames.
    """
    series = np.asarray(series, dtype=np.float64)
    statistical_inefficiency(series)
    if np.ptp(series) <= 1e-12 * max(1.0, np.abs(series).max()):
        return 0
    stride = max(1, len(series) // _MOST_FRAMES)
    chosen = series[::stride]
    skip = max(1, len(chosen) // _STARTS)
    start, _, _ = _timeseries().detect_equilibration(chosen, fast=True, nskip=skip)
    return int(start) * stride


def production(run: Observables) -> Observables:
    """Frames after equilibration of the potential energy and, in a box, of the volume.

    Raises
    ------
    SamplingError
        If there are fewer than four frames.
    """
    series = [run.potential_energies]
    if run.boxes is not None:
        series.append(run.volumes)
    start = max(equilibration(values) for values in series)
    return run.after(float(run.times[start] - run.times[0]))


def mean(series: Sequence[Floats]) -> Mean:
    """Mean over independent replicas of correlated series.

    Replicas are weighted by their number of independent samples; the error is the standard
    error from the statistical inefficiency of each or, if larger, from the spread between three
    or more replicas.

    Parameters
    ----------
    series
        One (n_frames,) array per replica.

    Raises
    ------
    SamplingError
        If a replica has fewer than four frames.
    """
    sizes = np.array([len(values) / statistical_inefficiency(values) for values in series])
    means = np.array([values.mean() for values in series])
    variances = np.array([values.var(ddof=1) for values in series])
    total = float(sizes.sum())
    value = float(sizes @ means / total)
    error = math.sqrt(float(sizes @ variances) / total / total)
    if len(series) > 2:
        spread = float(sizes @ (means - value) ** 2 / total)
        error = max(error, math.sqrt(spread / (len(series) - 1)))
    return Mean(value, error, total)


def bootstrap(
    runs: Sequence[Mapping[str, Floats]],
    function: Callable[[dict[str, Floats]], float],
    *,
    n_resamples: int = _RESAMPLES,
    seed: int = 0,
) -> Mean:
    """A function of averages over frames, with the error from circular block bootstrap.

    Blocks are five statistical inefficiencies long (of the slowest series) and wrap round the
    end of their replica.

    Parameters
    ----------
    runs
        For each replica, series by name with frames on the first axis.
    function
        From series, replicas joined, to one number.
    n_resamples
        How often blocks are drawn anew.
    seed
        Of the draws.

    Raises
    ------
    SamplingError
        If a replica has fewer than four frames.
    """
    inefficiencies = [_slowest(run) for run in runs]
    lengths = [len(next(iter(run.values()))) for run in runs]
    random = np.random.default_rng(seed)
    values = []
    for _ in range(n_resamples):
        picks = [
            _block_indices(length, math.ceil(_BLOCK * g), random)
            for length, g in zip(lengths, inefficiencies, strict=True)
        ]
        values.append(function(_join(runs, picks)))
    value = function(_join(runs, [np.arange(length) for length in lengths]))
    n_effective = sum(n / g for n, g in zip(lengths, inefficiencies, strict=True))
    return Mean(value, float(np.std(values, ddof=1)), n_effective)


def jackknife(samples: Floats, function: Callable[[Floats], float]) -> Mean:
    """A function of the mean over independent samples, with its jackknife error.

    Source: Miller, Biometrika 1974, 61, 1.

    Parameters
    ----------
    samples
        (n_samples, ...).
    function
        Of the mean, (...), to one number.

    Raises
    ------
    SamplingError
        If there are fewer than two samples.
    """
    n = len(samples)
    if n < 2:
        raise SamplingError("one sample has no error; give replicas or simulate longer")
    total = samples.sum(axis=0)
    left_out = np.array([function((total - sample) / (n - 1)) for sample in samples])
    error = math.sqrt((n - 1) * float(left_out.var()))
    return Mean(function(total / n), error, float(n))


def autocorrelation(series: Floats) -> Floats:
    """Mean of x(s)·x(s + t) over all origins s, without removing the mean.

    Parameters
    ----------
    series
        (n_frames,) or (n_frames, n), evenly spaced; columns are treated one by one.

    Returns
    -------
    Floats
        For every lag from 0 to n_frames - 1; the shape of the series.
    """
    n = len(series)
    size = scipy.fft.next_fast_len(2 * n, real=True)
    transform = scipy.fft.rfft(series, size, axis=0)
    sums = scipy.fft.irfft(np.abs(transform) ** 2, size, axis=0)[:n]
    origins = np.arange(n, 0, -1, dtype=np.float64)
    return np.asarray((sums.T / origins).T)


def as_runs(runs: Runs) -> tuple[Observables, ...]:
    """Replicas of one system in one state.

    Raises
    ------
    ObservablesError
        If there are none, or they differ in composition, temperature or pressure.
    """
    several = (runs,) if isinstance(runs, Observables) else tuple(runs)
    if not several:
        raise ObservablesError("no runs to analyse")
    for run in several[1:]:
        for name in ("names", "counts", "temperature", "pressure"):
            if getattr(run, name) != getattr(several[0], name):
                raise ObservablesError(f"replicas differ in {name}; they must be one system")
    return several


def estimate(
    name: str,
    result: Mean,
    unit: str,
    runs: Sequence[Observables],
    method: str,
    *,
    warnings: Sequence[str] = (),
    details: Mapping[str, Any] | None = None,
) -> PropertyEstimate:
    """Result of an analysis with the usual warnings about too little sampling."""
    found = list(warnings)
    if result.n_effective < FEW_SAMPLES:
        found.append(
            f"only {result.n_effective:.1f} independent samples: the error itself is uncertain; "
            "simulate longer"
        )
    for run in runs:
        if run.discarded > run.times[-1] - run.times[0]:
            found.append("more than half of the run was equilibration; simulate longer")
            break
    return PropertyEstimate(
        name=name,
        value=result.value,
        uncertainty=result.error,
        unit=unit,
        n_effective=result.n_effective,
        equilibration_time=max(run.discarded for run in runs),
        method=method,
        warnings=tuple(found),
        details=dict(details or {}),
    )


def drift_warning(series: Sequence[Floats], what: str) -> list[str]:
    """A warning if the halves of a run differ by more than three standard errors."""
    for values in series:
        half = len(values) // 2
        if half < _MINIMUM_FRAMES:
            continue
        first, second = mean([values[:half]]), mean([values[half:]])
        if abs(first.value - second.value) > 3.0 * math.hypot(first.error, second.error) > 0.0:
            return [
                f"{what} drifts: {first.value:.5g} in the first half of production and "
                f"{second.value:.5g} in the second; simulate longer"
            ]
    return []


def _slowest(run: Mapping[str, Floats]) -> float:
    columns = [v.reshape(len(v), -1).T for v in run.values()]
    return max(statistical_inefficiency(column) for group in columns for column in group)


def _block_indices(length: int, block: int, random: np.random.Generator) -> Any:
    block = max(1, min(block, length // _FEWEST_BLOCKS))
    starts = random.integers(length, size=math.ceil(length / block))
    return ((starts[:, None] + np.arange(block)).ravel() % length)[:length]


def _join(runs: Sequence[Mapping[str, Floats]], picks: Sequence[Any]) -> dict[str, Floats]:
    return {
        name: np.concatenate([run[name][pick] for run, pick in zip(runs, picks, strict=True)])
        for name in runs[0]
    }


def _timeseries() -> Any:
    """The time series module of pymbar, without its advertisements in the log."""
    for name in ("pymbar", "pymbar.timeseries", "pymbar.mbar_solvers"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        from pymbar import timeseries
    except ImportError as error:
        raise MissingDependencyError(
            'pymbar is not installed: pip install "openff-bytepol[properties]"'
        ) from error
    return timeseries
