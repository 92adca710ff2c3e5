"""Green-Kubo on Ornstein-Uhlenbeck stresses, and the flow of a Newtonian liquid."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter

from openff_bytepol.exceptions import ObservablesError, SamplingError
from openff_bytepol.properties.flow import (
    Flow,
    periodic_perturbation_viscosity,
    recorded_flow,
)
from openff_bytepol.properties.viscosity import green_kubo_viscosity
from openff_bytepol.units import BOLTZMANN, KJ_PER_KCAL
from tests.properties.systems import make_run

PASCAL = 101325.0


def ornstein_uhlenbeck(random, n, interval, time):
    """Stationary, unit variance, exponential correlation."""
    phi = math.exp(-interval / time)
    noise = random.normal(size=n) * math.sqrt(1.0 - phi**2)
    noise[0] = random.normal()
    return lfilter([1.0], [1.0, -phi], noise)


def stressed(seed, n_frames, interval=0.01, times=(0.2, 1.0), variances=(2e5, 1e5)):
    """Pressure tensors whose five shear components have two known relaxation times."""
    random = np.random.default_rng(seed)
    xy, xz, yz, first, second = (
        sum(
            math.sqrt(v) * ornstein_uhlenbeck(random, n_frames, interval, t)
            for t, v in zip(times, variances, strict=True)
        )
        for _ in range(5)
    )
    tensor = np.zeros((n_frames, 3, 3))
    for (a, b), values in zip(((0, 1), (0, 2), (1, 2)), (xy, xz, yz), strict=True):
        tensor[:, a, b] = tensor[:, b, a] = values
    tensor[:, 0, 0], tensor[:, 2, 2] = 2 * first, -2 * second
    return make_run(
        n_frames, 100, times=np.arange(n_frames) * interval, pressure_tensors=tensor, pressure=None
    )


def exact(times=(0.2, 1.0), variances=(2e5, 1e5)):
    integral = sum(t * v for t, v in zip(times, variances, strict=True)) * PASCAL**2 * 1e-12
    return 1000e-30 / (1.380649e-23 * 300.0) * integral * 1e3


def test_green_kubo_of_ornstein_uhlenbeck_stresses():
    estimate = green_kubo_viscosity(stressed(1, 40000))
    assert estimate.uncertainty < 0.15 * exact()
    assert abs(estimate.value - exact()) < 3.5 * estimate.uncertainty
    assert estimate.unit == "mPa*s"


@pytest.mark.slow
def test_errors_of_green_kubo_are_right():
    estimates = [green_kubo_viscosity(stressed(seed, 40000)) for seed in range(10, 18)]
    values = np.array([e.value for e in estimates])
    errors = np.array([e.uncertainty for e in estimates])
    assert values.mean() == pytest.approx(exact(), rel=0.1)
    assert 0.4 < values.std(ddof=1) / np.median(errors) < 2.0


def test_green_kubo_needs_fluctuations_and_time():
    run = stressed(2, 3000)
    with pytest.raises(SamplingError, match="too short"):
        green_kubo_viscosity(run[:100])
    with pytest.raises(SamplingError, match="fluctuate"):
        green_kubo_viscosity(replace(run, pressure_tensors=np.zeros((3000, 3, 3))))
    with pytest.raises(ObservablesError, match="pressure_tensors"):
        green_kubo_viscosity(replace(run, pressure_tensors=None))


def test_newtonian_flow():
    # water: rho 997 kg/m³, eta 0.89 mPa·s; V = rho·A/(eta·k²)
    length, acceleration = 30.0, 1.0
    k = 2 * math.pi / (length * 1e-10)
    velocity = 997.0 * acceleration * 1e14 / (0.89e-3 * k**2) * 1e-2  # Å/ps
    noise = 0.2 * ornstein_uhlenbeck(np.random.default_rng(1), 20000, 0.1, 1.0)
    flow = Flow(
        times=np.arange(20000) * 0.1,
        amplitudes=velocity + noise,
        acceleration=acceleration,
        wavelength=length,
        density=0.997,
        temperature=298.15,
    )
    estimate = periodic_perturbation_viscosity(flow)
    assert abs(estimate.value - 0.89) < 4 * estimate.uncertainty < 0.2
    with pytest.raises(SamplingError, match="thermal"):
        periodic_perturbation_viscosity(replace(flow, amplitudes=noise))
    with pytest.raises(ObservablesError, match="acceleration"):
        periodic_perturbation_viscosity([flow, replace(flow, acceleration=2.0)])


def test_recorded_flow():
    random = np.random.default_rng(3)
    n, frames, edge = 100, 400, 10.0
    amplitudes = 0.5 + 0.05 * random.normal(size=frames)
    kelvin = 310.0
    kinetic = 1.5 * n * BOLTZMANN * kelvin + 0.25 * n * 39.948 * 0.05**2 / KJ_PER_KCAL
    run = make_run(
        frames,
        n,
        times=0.05 * np.arange(frames),
        flow_amplitudes=amplitudes,
        kinetic_energies=np.full(frames, kinetic),
        pressure=None,
    )
    flow = recorded_flow(run, 0.3)
    assert flow.times[0] == pytest.approx(0.2 * frames * 0.05)
    assert flow.wavelength == edge
    assert flow.heating == pytest.approx(10.0, abs=0.1)
    estimate = periodic_perturbation_viscosity(flow)
    density = n * 39.948 * 1.66053906660e-27 / 1e-27
    kinematic = 0.3 * 1e14 / (0.5e2 * (2 * math.pi / 1e-9) ** 2)
    assert estimate.value == pytest.approx(density * kinematic * 1e3, rel=0.02)
    assert "heats the liquid by 10.0 K" in estimate.warnings[-1]
    with pytest.raises(SamplingError, match="too few"):
        recorded_flow(run[:8], 0.3)
    with pytest.raises(ObservablesError, match="flow_amplitudes"):
        recorded_flow(replace(run, flow_amplitudes=None), 0.3)
