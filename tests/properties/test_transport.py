"""Diffusion and conductivity of random walks, whose answers are known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from openff_bytepol.exceptions import PropertyError, SamplingError
from openff_bytepol.properties.conductivity import (
    conductivity,
    nernst_einstein_conductivity,
    transference_numbers,
)
from openff_bytepol.properties.diffusion import self_diffusion
from openff_bytepol.properties.einstein import mean_squared_displacement
from openff_bytepol.properties.results import PropertyEstimate
from tests.properties.systems import make_run

E, K, A = 1.602176634e-19, 1.380649e-23, 1e-10


def walk(random, n_frames, n, diffusion):
    """Brownian particles, Å, with D in Å² per frame."""
    steps = random.normal(size=(n_frames, n, 3)) * math.sqrt(2.0 * diffusion)
    return np.cumsum(steps, axis=0)


def test_displacements_by_fourier_transform_are_those_of_the_definition():
    positions = walk(np.random.default_rng(0), 40, 70, 1.0)
    curve = mean_squared_displacement(positions)
    direct = [
        ((positions[lag:] - positions[: len(positions) - lag]) ** 2).sum(-1).mean()
        for lag in range(21)
    ]
    np.testing.assert_allclose(curve, direct, atol=1e-9)


def test_diffusion_of_brownian_particles():
    centers = walk(np.random.default_rng(1), 3000, 100, 0.3)
    run = make_run(3000, 100, centers=centers + np.arange(3000)[:, None, None])
    estimate = self_diffusion(run)
    assert 0 < estimate.uncertainty < 0.05 * estimate.value
    # drift removed with the centre of mass, which takes 1/100 of the motion
    assert abs(estimate.value - 0.99 * 0.3e-8) < 4 * estimate.uncertainty
    assert estimate.details["exponent"] == pytest.approx(1.0, abs=0.1)
    assert "size of the box" in estimate.warnings[0]


def test_errors_of_diffusion_are_right():
    pulls = []
    for seed in range(60):
        centers = walk(np.random.default_rng(seed), 600, 10, 0.5)
        heavy = np.zeros((600, 1, 3))
        run = make_run(
            600,
            11,
            names=("A", "wall"),
            molar_masses=(1.0, 1e9),
            charges=(0.0, 0.0),
            component_index=np.array([0] * 10 + [1]),
            centers=np.concatenate([centers, heavy], axis=1),
        )
        estimate = self_diffusion(run)
        pulls.append((estimate.value / 1e-8 - 0.5) / (estimate.uncertainty / 1e-8))
    assert np.std(pulls) < 2.0
    assert abs(np.mean(pulls)) < 0.6


def test_finite_size_correction():
    centers = walk(np.random.default_rng(2), 600, 50, 0.3)
    boxes = np.tile(18.6 * np.eye(3), (600, 1, 1))
    run = make_run(600, 50, centers=centers, boxes=boxes, temperature=298.15)
    eta = PropertyEstimate("viscosity", 0.73, 0.073, "mPa*s", 50, 0.0, "")
    plain, corrected = self_diffusion(run), self_diffusion(run, viscosity=eta)
    expected = 2.837297 * K * 298.15 / (6 * math.pi * 0.73e-3 * 18.6e-10)
    assert corrected.value - plain.value == pytest.approx(expected, rel=1e-6)
    assert corrected.uncertainty == pytest.approx(math.hypot(plain.uncertainty, 0.1 * expected))
    brick = np.tile(np.diag([20.0, 18.6, 18.6]), (600, 1, 1))
    with pytest.raises(PropertyError, match="cubic"):
        self_diffusion(replace(run, boxes=brick), viscosity=eta)


def test_motion_that_is_not_diffusive_gives_no_number():
    random = np.random.default_rng(3)
    rattling = make_run(600, 20, centers=random.normal(size=(600, 20, 3)))
    with pytest.raises(SamplingError, match="not diffusive"):
        self_diffusion(rattling)
    flying = random.normal(size=(20, 3)) * np.arange(600.0)[:, None, None]
    with pytest.raises(SamplingError, match="not diffusive"):
        self_diffusion(make_run(600, 20, centers=flying))
    with pytest.raises(SamplingError, match="too few"):
        self_diffusion(rattling[:50])


def electrolyte(cations, anions, n_frames, n):
    solvent = np.zeros((n_frames, 1, 3))
    return make_run(
        n_frames,
        2 * n + 1,
        names=("cation", "anion", "solvent"),
        molar_masses=(1.0, 1.0, 1e9),
        charges=(1.0, -1.0, 0.0),
        component_index=np.array([0] * n + [1] * n + [2]),
        centers=np.concatenate([cations, anions, solvent], axis=1),
    )


def test_conductivity_of_independent_ions():
    random, n, n_frames = np.random.default_rng(4), 20, 15000
    run = electrolyte(walk(random, n_frames, n, 0.1), walk(random, n_frames, n, 0.3), n_frames, n)
    expected = n * E**2 * 0.4e-8 / (1000.0 * A**3 * K * 300.0)
    simple, exact = nernst_einstein_conductivity(run), conductivity(run)
    assert abs(simple.value - expected) < 4 * simple.uncertainty
    assert simple.value == pytest.approx(expected, rel=0.03)
    assert abs(exact.value - expected) < 4 * exact.uncertainty
    assert exact.uncertainty < 0.3 * expected
    assert abs(exact.details["ionicity"] - 1.0) < 4 * exact.details["ionicity_error"]
    shares = transference_numbers(run)
    assert sum(t.value for t in shares.values()) == pytest.approx(1.0)
    assert abs(shares["cation"].value - 0.25) < 4 * shares["cation"].uncertainty


def test_ion_pairs_do_not_conduct():
    random, n, n_frames = np.random.default_rng(5), 10, 4000
    pairs = walk(random, n_frames, n, 0.2)
    jitter = 0.3 * random.normal(size=pairs.shape)
    exact = conductivity(electrolyte(pairs, pairs + jitter, n_frames, n))
    assert abs(exact.details["ionicity"]) < 0.01
    onsager = np.array(exact.details["onsager_coefficients_S_per_m_e2"])
    assert onsager[0, 1] == pytest.approx(onsager[0, 0], rel=0.02)


def test_conductivity_needs_neutral_boxes_with_ions():
    random = np.random.default_rng(6)
    run = electrolyte(walk(random, 300, 5, 0.1), walk(random, 300, 5, 0.1), 300, 5)
    with pytest.raises(PropertyError, match="neutral"):
        conductivity(replace(run, charges=(2.0, -1.0, 0.0)))
    with pytest.raises(PropertyError, match="no ions"):
        conductivity(replace(run, charges=(0.0, 0.0, 0.0)))
