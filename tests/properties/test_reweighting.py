"""Reweighting of harmonic oscillators, whose averages are known, and of a box of water."""

from __future__ import annotations

import numpy as np
import pytest

from openff_bytepol.exceptions import ObservablesError, SamplingError
from openff_bytepol.models import load_model
from openff_bytepol.models.registry import DEFAULT_MODEL
from openff_bytepol.properties.frames import Frames
from openff_bytepol.properties.periodic_energy import PeriodicEnergy
from openff_bytepol.properties.reweighting import (
    effective_samples,
    ensemble_uncertainty,
    linear_response,
    mbar_mean,
    member_energies,
    reweight,
)
from openff_bytepol.units import BOLTZMANN
from tests.properties.boxes import WATER, lattice, placements

T = 300.0
KT = BOLTZMANN * T


def oscillator(k, n, seed):
    """Samples of exp(-k·x²/2kT); ⟨x²⟩ = kT/k."""
    return np.random.default_rng(seed).normal(size=n) * np.sqrt(KT / k)


def energy(k, x):
    return 0.5 * k * x**2


def test_reweighted_oscillator():
    pulls = []
    for seed in range(100):
        x = oscillator(1.0, 4000, seed)
        result = reweight(x**2, energy(1.3, x) - energy(1.0, x), T)
        pulls.append((result.value - KT / 1.3) / result.error)
    assert abs(np.mean(pulls)) < 0.3
    assert np.std(pulls) == pytest.approx(1.0, abs=0.2)


def test_distant_states_are_refused():
    x = oscillator(1.0, 500, 1)
    with pytest.raises(SamplingError, match="effective samples of 500"):
        reweight(x**2, energy(1e7, x) - energy(1.0, x), T)
    assert effective_samples(np.array([1.0, 1.0, 0.0])) == pytest.approx(2.0)


def test_first_order_is_the_limit_of_small_changes():
    x = oscillator(1.0, 4000, 2)
    exact = [reweight(x**2, energy(1 + d, x) - energy(1.0, x), T).value for d in (0.01, 0.02)]
    first = [linear_response(x**2, energy(1 + d, x) - energy(1.0, x), T) for d in (0.01, 0.02)]
    errors = np.abs(np.array(exact) - first)
    assert errors[0] < 1e-3 * exact[0]
    assert errors[1] / errors[0] == pytest.approx(4.0, rel=0.2)


def test_mbar_combines_runs():
    constants, counts = [1.0, 4.0, 2.0], [2000, 2000, 0]
    x = np.concatenate(
        [oscillator(k, n, i) for i, (k, n) in enumerate(zip(constants, counts, strict=True))]
    )
    energies = np.array([energy(k, x) for k in constants])
    result = mbar_mean(x**2, energies, counts, 2, T)
    assert abs(result.value - KT / 2.0) < 4 * result.error < 0.2 * KT
    assert result.n_effective > 500
    constant = mbar_mean(np.full(4000, -2.0), energies, counts, 2, T)
    assert (constant.value, constant.error) == (-2.0, 0.0)
    with pytest.raises(SamplingError, match="effective samples"):
        mbar_mean(x**2, np.array([*energies[:2], energy(1e9, x)]), counts, 2, T)
    with pytest.raises(ObservablesError, match="shape"):
        mbar_mean(x**2, energies, [2000, 2000], 1, T)


def test_spread_of_an_ensemble():
    members = np.array([0.9, 1.0, 1.1, 1.2])
    x = oscillator(1.05, 20000, 3)
    energies = np.array([*(energy(k, x) for k in members), energy(1.05, x)])
    estimate = ensemble_uncertainty("square", "angstrom**2", x**2, energies, T)
    assert estimate.value == pytest.approx(np.mean(KT / members), rel=0.03)
    assert estimate.uncertainty == pytest.approx(np.std(KT / members, ddof=1), rel=0.1)
    assert len(estimate.details["members_to_first_order"]) == 4
    far = np.array([energy(1.0, x), energy(1e9, x), energy(1.05, x)])
    with pytest.raises(SamplingError, match="1 of 2 members"):
        ensemble_uncertainty("square", "angstrom**2", x**2, far, T)


def test_energies_of_members():
    model = load_model(DEFAULT_MODEL)
    members = model.predict_members("O")
    places = placements(8, 3)
    frames = Frames(lattice(WATER, 2, 3.2)[None], 6.4 * np.eye(3)[None])
    energies = member_energies(members, places, frames, platform="Reference", cutoff=3.1)
    assert energies.shape == (model.n_members + 1, 1)
    potential = PeriodicEnergy([members[0].mean()], places, cutoff=3.1)
    for index in (0, 1):
        exact = float(potential([members[0].member(index)], frames.positions[0], frames.boxes[0]))
        assert energies[index, 0] == pytest.approx(exact, abs=0.02)
    assert np.ptp(energies[: model.n_members, 0]) > 0.05
    with pytest.raises(ObservablesError, match="ensemble axis"):
        member_energies([members[0].mean()], places, frames)
