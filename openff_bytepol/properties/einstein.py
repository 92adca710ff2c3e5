"""Transport coefficients from mean squared displacements: curves, linear regimes and slopes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from openff_bytepol.exceptions import SamplingError
from openff_bytepol.properties.observables import Floats, Observables
from openff_bytepol.properties.statistics import autocorrelation

SEGMENTS: Final = 6
"""Into how many pieces runs are cut for errors."""
_LONGEST: Final = 0.5
"""Longest time lag as a fraction of a segment."""
_FEWEST_LAGS: Final = 8
_DECADE: Final = 10
_SHORTEST: Final = 20
"""Length of the linear regime: times its start, but at least so many lags."""
_TOLERANCE: Final = 0.1
"""How far from 1 the logarithmic slope may be in the linear regime."""
_CANDIDATES: Final = 30
_CHUNK: Final = 64
"""Molecules at a time, for memory."""
_CURVE_POINTS: Final = 200


@dataclass(frozen=True)
class Regime:
    """Range of time lags in which a displacement grows linearly.

    Attributes
    ----------
    start, stop
        Lags in frames, ``stop`` included.
    interval
        ps between frames.
    exponent
        Logarithmic slope from the start to the longest lag; 1 for diffusion.
    """

    start: int
    stop: int
    interval: float
    exponent: float

    @property
    def times(self) -> tuple[float, float]:
        """First and last lag, ps."""
        return self.start * self.interval, self.stop * self.interval

    def slope(self, curve: Floats) -> float:
        """Least squares slope, Å²/ps, of a curve (n_lags,) in Å²."""
        lags = np.arange(self.start, self.stop + 1)
        return float(np.polyfit(lags * self.interval, curve[lags], 1)[0])


def segments(runs: Sequence[Observables], least: int = SEGMENTS) -> list[Observables]:
    """Equally long pieces of replicas, at least so many in all.

    Raises
    ------
    SamplingError
        If the pieces would be too short to analyse.
    """
    pieces = math.ceil(least / len(runs))
    length = min(len(run) for run in runs) // pieces
    if length * _LONGEST < _FEWEST_LAGS:
        raise SamplingError(
            f"{min(len(run) for run in runs)} frames are too few for displacements with an error; "
            "simulate longer or record more often"
        )
    return [run[i * length : (i + 1) * length] for run in runs for i in range(pieces)]


def relative_centers(run: Observables) -> Floats:
    """Centres of mass of molecules relative to that of the whole system, Å."""
    centers = run.require("centers")
    masses = np.asarray(run.molar_masses)[run.component_index]
    drift = np.einsum("fmx,m->fx", centers, masses / masses.sum())
    return np.asarray(centers - drift[:, None])


def mean_squared_displacement(positions: Floats) -> Floats:
    """⟨|r(s + t) − r(s)|²⟩ over origins and particles, by fast Fourier transform.

    Source: Calandrini et al., École thématique de la SFN 2011, 12, 201.

    Parameters
    ----------
    positions
        Å; (n_frames, n, 3), unwrapped.

    Returns
    -------
    Floats
        Å²; for lags up to half of the frames.
    """
    n_frames, n, _ = positions.shape
    total = np.zeros(n_frames)
    for start in range(0, n, _CHUNK):
        chunk = positions[:, start : start + _CHUNK]
        chunk = chunk - chunk.mean(axis=0)
        squares = (chunk**2).sum(axis=(1, 2))
        ends = np.concatenate([[0.0], np.cumsum(squares)])
        lags = np.arange(n_frames)
        pairs = (ends[n_frames - lags] + ends[n_frames] - ends[lags]) / (n_frames - lags)
        products = autocorrelation(chunk.reshape(n_frames, -1)).sum(axis=1)
        total += pairs - 2.0 * products
    return np.asarray(total[: int(n_frames * _LONGEST) + 1] / n)


def linear_regime(curve: Floats, interval: float) -> Regime:
    """First decade of lags from which on a curve grows like t.

    It starts where the logarithmic slopes from there to the last lag, and over the first half of
    that range (in log t), are within 0.1 of 1. Longer lags serve for this check only: they
    are the noisiest.

    Parameters
    ----------
    curve
        Å², averaged over all data; (n_lags,), starting at lag 0.
    interval
        ps.

    Raises
    ------
    SamplingError
        If there is none: the run is too short for the motion.
    """
    last = len(curve) - 1
    found = None
    for start in np.unique(np.geomspace(1, max(last // 3, 1), _CANDIDATES).astype(int)).tolist():
        middle = max(start + 1, round(math.sqrt(start * last)))
        exponent = _exponent(curve, start, last)
        if max(abs(exponent - 1.0), abs(_exponent(curve, start, middle) - 1.0)) < _TOLERANCE:
            stop = min(last, max(_DECADE * start, _SHORTEST))
            found = Regime(start, stop, interval, exponent)
            break
    if found is None:
        raise SamplingError(
            f"displacements do not grow linearly within {last * interval:.3g} ps (logarithmic "
            f"slope {_exponent(curve, max(last // 3, 1), last):.2f}): not diffusive yet; simulate "
            "longer"
        )
    return found


def curve_details(curve: Floats, regime: Regime) -> dict[str, object]:
    """A curve, thinned, and its regime, for reports."""
    lags = np.unique(np.linspace(0, len(curve) - 1, _CURVE_POINTS).astype(int))
    return {
        "lags_ps": (lags * regime.interval).tolist(),
        "mean_squared_displacement_angstrom2": curve[lags].tolist(),
        "linear_regime_ps": list(regime.times),
        "exponent": regime.exponent,
    }


def _exponent(curve: Floats, start: int, stop: int) -> float:
    lags = np.unique(np.geomspace(start, stop, _CANDIDATES).astype(int))
    return float(np.polyfit(np.log(lags), np.log(curve[lags]), 1)[0]) if len(lags) > 1 else math.nan
