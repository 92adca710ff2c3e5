"""Errors of correlated series whose true errors are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from openff_bytepol.exceptions import SamplingError
from openff_bytepol.properties.statistics import (
    autocorrelation,
    bootstrap,
    drift_warning,
    equilibration,
    mean,
    statistical_inefficiency,
)


def autoregressive(phi: float, n: int, seed: int) -> np.ndarray:
    """Stationary AR(1) of unit variance; statistical inefficiency (1 + phi)/(1 - phi)."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=n) * np.sqrt(1.0 - phi**2)
    noise[0] = random.normal()
    return lfilter([1.0], [1.0, -phi], noise)


def test_statistical_inefficiency_of_ar1():
    values = [statistical_inefficiency(autoregressive(0.8, 20000, seed)) for seed in range(8)]
    assert np.mean(values) == pytest.approx(9.0, rel=0.1)


def test_error_of_the_mean_covers_the_truth_as_often_as_it_should():
    pulls = []
    for seed in range(200):
        result = mean([autoregressive(0.8, 2000, seed)])
        pulls.append(result.value / result.error)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.15)
    assert result.n_effective == pytest.approx(2000 / 9, rel=0.4)


def test_block_bootstrap_of_a_variance():
    # var of the sample variance of AR(1): 2/n·(1 + phi²)/(1 - phi²)
    phi, n = 0.6, 5000
    exact = np.sqrt(2.0 / n * (1 + phi**2) / (1 - phi**2))
    errors = []
    for seed in range(5):
        result = bootstrap([{"x": autoregressive(phi, n, seed)}], lambda d: float(d["x"].var()))
        errors.append(result.error)
        assert abs(result.value - 1.0) < 4 * exact
    assert np.mean(errors) == pytest.approx(exact, rel=0.2)


def test_replicas_tell_of_slow_motion_that_none_of_them_sees():
    random = np.random.default_rng(3)
    stuck = [random.normal(size=1000) + offset for offset in (-1.0, 0.0, 1.0)]
    assert mean(stuck).error > 0.4
    assert mean([stuck[1]]).error == pytest.approx(1 / np.sqrt(1000), rel=0.3)


def test_equilibration_is_found():
    relaxing = autoregressive(0.5, 4000, 1) + 30.0 * np.exp(-np.arange(4000) / 100.0)
    assert 200 <= equilibration(relaxing) <= 1000
    assert equilibration(np.ones(50)) == 0
    with pytest.raises(SamplingError, match="too few"):
        equilibration(np.ones(3))


def test_drift_is_reported():
    noise = autoregressive(0.5, 2000, 1)
    assert drift_warning([noise], "density") == []
    assert "density drifts" in drift_warning([noise + np.linspace(0, 3, 2000)], "density")[0]


def test_autocorrelation_of_ar1():
    series = np.stack([autoregressive(0.7, 50000, seed) for seed in (1, 2)], axis=1)
    expected = 0.7 ** np.arange(5)
    np.testing.assert_allclose(autocorrelation(series)[:5].mean(axis=1), expected, atol=0.03)
    direct = np.mean(series[:-3, 0] * series[3:, 0])
    assert autocorrelation(series[:, 0])[3] == pytest.approx(direct)
