"""Calibrated uncertainty, stored beside a model's weights.

The ensemble's standard deviation s becomes a standard error sqrt((a·s)² + b²): a corrects
members that agree too well or too little, b is the error that they share. Both maximise the
Gaussian likelihood of errors on held-out labels, and are judged on others: negative log
likelihood, area between observed and expected coverage (Kuleshov et al., arXiv:1807.00263),
sharpness.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.optimize import minimize
from scipy.stats import norm, spearmanr

from openff_bytepol.exceptions import CorruptedModelError, HashMismatchError

FloatArray = NDArray[np.float64]
CALIBRATION_FILE: Final = "calibration.json"
FORMAT_VERSION: Final = 1
LEVELS: Final = tuple(round(0.05 * i, 2) for i in range(1, 20))
_SMALLEST: Final = 1e-6


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuantityCalibration(_Frozen):
    """One predicted quantity."""

    unit: str
    scale: float
    """a"""
    floor: float
    """b, in the unit"""
    n_fit: int
    n_test: int
    mean_absolute_error: float
    nll: float
    """Mean negative log likelihood on test labels; density in 1/unit."""
    nll_uncalibrated: float
    """With a = 1 and b = 0."""
    nll_constant: float
    """With one standard error for all: what ranking by the ensemble must beat."""
    miscalibration_area: float
    miscalibration_area_uncalibrated: float
    sharpness: float
    """Root mean square standard error, in the unit."""
    rank_correlation: float
    """Spearman's, of standard error and absolute error."""
    coverage: tuple[float, ...]
    """Part of test errors within the central interval of each of `LEVELS`."""

    def standard_error(self, deviation: FloatArray) -> FloatArray:
        """Calibrated standard errors of ensemble standard deviations."""
        return np.asarray(np.sqrt((self.scale * deviation) ** 2 + self.floor**2))


class Thresholds(_Frozen):
    """Scores above which a molecule is at the edge of, or outside, the known domain."""

    edge: Annotated[float, Field(ge=0.0)]
    out: Annotated[float, Field(ge=0.0)]


class Calibration(_Frozen):
    """Everything known about a model's uncertainty."""

    format_version: int = FORMAT_VERSION
    model_sha256: str
    created: str
    data: dict[str, Any]
    """What it was made from."""
    scales: dict[str, float] = {}
    """Usual disagreement by parameter (see `ensemble.SCALES`); empty for a single model."""
    known_environments: tuple[int, ...]
    """Codes of the atoms trained on (see `environments`), rising."""
    disagreement: Thresholds | None = None
    novelty: Thresholds
    quantities: dict[str, QuantityCalibration] = {}

    def write(self, directory: Path) -> Path:
        """Write ``calibration.json``, whole or not at all."""
        path = directory / CALIBRATION_FILE
        partial = path.with_suffix(".partial")
        partial.write_text(self.model_dump_json(indent=1) + "\n", "utf-8")
        partial.replace(path)
        return path


def read_calibration(directory: Path, sha256: str) -> Calibration | None:
    """Calibration stored with a model; None where there is none.

    Raises
    ------
    CorruptedModelError
        If the file cannot be read.
    HashMismatchError
        If it belongs to other weights.
    """
    path = directory / CALIBRATION_FILE
    if not path.is_file():
        return None
    calibration = _read_cached(path, path.stat().st_mtime_ns)
    if calibration.model_sha256 != sha256:
        raise HashMismatchError(
            f"{path} belongs to the model {calibration.model_sha256[:12]}, not to {sha256[:12]}; "
            "make it again with `bytepol models calibrate`, or remove it"
        )
    return calibration


@lru_cache(maxsize=8)
def _read_cached(path: Path, stamp: int) -> Calibration:  # noqa: ARG001
    try:
        return Calibration.model_validate(json.loads(path.read_text("utf-8")))
    except (ValueError, ValidationError) as error:
        raise CorruptedModelError(
            f"{path} is not a calibration ({error}); make it again with `bytepol models calibrate`"
        ) from error


def calibrate_quantity(
    errors: FloatArray, deviations: FloatArray, groups: Sequence[str], unit: str
) -> QuantityCalibration:
    """Fit on one half of the groups, judge on the other.

    Parameters
    ----------
    errors
        Predicted - reference, (n,).
    deviations
        Over the ensemble, (n,).
    groups
        Molecule or pair of each item; items of one group stay together.
    unit
        Of errors.

    Raises
    ------
    ValueError
        If there are fewer than four groups.
    """
    names = sorted(set(groups))
    if len(names) < 4:
        raise ValueError(f"calibration needs at least four groups, not {len(names)}")
    order = np.random.default_rng(1).permutation(len(names))
    fit_names = {names[i] for i in order[: len(names) // 2]}
    fit = np.array([group in fit_names for group in groups])
    scale, floor = _fit(errors[fit], deviations[fit])
    test, spread = errors[~fit], deviations[~fit]
    sigma = np.sqrt((scale * spread) ** 2 + floor**2)
    raw = np.maximum(spread, _SMALLEST)
    constant = np.full_like(test, np.sqrt(np.mean(errors[fit] ** 2)))
    coverage = _coverage(test, sigma)
    varied = np.ptp(sigma) > 0.0 and len(test) > 2
    return QuantityCalibration(
        unit=unit,
        scale=scale,
        floor=floor,
        n_fit=int(fit.sum()),
        n_test=len(test),
        mean_absolute_error=float(np.abs(test).mean()),
        nll=negative_log_likelihood(test, sigma),
        nll_uncalibrated=negative_log_likelihood(test, raw),
        nll_constant=negative_log_likelihood(test, constant),
        miscalibration_area=_area(coverage),
        miscalibration_area_uncalibrated=_area(_coverage(test, raw)),
        sharpness=float(np.sqrt(np.mean(sigma**2))),
        rank_correlation=float(spearmanr(sigma, np.abs(test)).statistic) if varied else 0.0,
        coverage=tuple(coverage.tolist()),
    )


def negative_log_likelihood(errors: FloatArray, sigma: FloatArray) -> float:
    """Mean over items, Gaussian errors of zero mean."""
    return float(np.mean(0.5 * np.log(2 * np.pi * sigma**2) + 0.5 * (errors / sigma) ** 2))


def _fit(errors: FloatArray, deviations: FloatArray) -> tuple[float, float]:
    """Scale a and floor b of the largest likelihood; a is 0 where the ensemble does not spread."""
    size = max(float(np.sqrt(np.mean(errors**2))), _SMALLEST)
    if not (deviations > _SMALLEST).any():
        return 0.0, size
    ratio = size / max(float(np.sqrt(np.mean(deviations**2))), _SMALLEST)

    def loss(logs: FloatArray) -> float:
        a, b = np.exp(logs)
        return negative_log_likelihood(errors, np.sqrt((a * deviations) ** 2 + b**2))

    starts = ([np.log(ratio), np.log(0.5 * size)], [np.log(0.5 * ratio), np.log(size)])
    bounds = [(np.log(ratio) - 9.0, np.log(ratio) + 5.0), (np.log(size) - 9.0, np.log(size) + 2.0)]
    best = min(
        (minimize(loss, start, method="L-BFGS-B", bounds=bounds) for start in starts),
        key=lambda found: float(found.fun),
    )
    a, b = np.exp(best.x)
    return float(a), float(b)


def _coverage(errors: FloatArray, sigma: FloatArray) -> FloatArray:
    """Part of errors within each central interval of `LEVELS`."""
    widths = norm.ppf(0.5 + 0.5 * np.array(LEVELS))
    return np.asarray((np.abs(errors / sigma)[None] <= widths[:, None]).mean(1))


def _area(coverage: FloatArray) -> float:
    """Area between observed and expected coverage; 0 is perfect, 0.5 the worst."""
    expected = np.array([0.0, *LEVELS, 1.0])
    observed = np.array([0.0, *coverage, 1.0])
    return float(np.trapezoid(np.abs(observed - expected), expected))
