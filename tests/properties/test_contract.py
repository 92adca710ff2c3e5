"""Observables and estimates: what is stored comes back, what is wrong is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from openff_bytepol.exceptions import ObservablesError, OutputExistsError, PropertyError
from openff_bytepol.properties.observables import Observables
from openff_bytepol.properties.results import PropertyEstimate


def observables(n_frames: int = 10, start: float = 0.0) -> Observables:
    random = np.random.default_rng(1)
    return Observables(
        names=("O", "CCO"),
        molar_masses=(18.015, 46.07),
        charges=(0.0, 0.0),
        component_index=np.array([0, 0, 1]),
        degrees_of_freedom=42,
        temperature=298.15,
        pressure=1.0,
        times=start + np.arange(n_frames) * 0.5,
        potential_energies=random.normal(size=n_frames),
        kinetic_energies=random.normal(size=n_frames),
        boxes=np.eye(3) * (10.0 + random.random((n_frames, 1, 1))),
        centers=random.normal(size=(n_frames, 3, 3)),
    )


def test_saved_observables_come_back(tmp_path):
    one = replace(observables(), polarizabilities=(1.4, 5.0))
    one.save(tmp_path / "run.npz")
    two = Observables.load(tmp_path / "run.npz")
    for name in ("times", "potential_energies", "boxes", "centers", "component_index"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert (two.names, two.pressure, two.dipoles) == (one.names, 1.0, None)
    assert (two.counts, two.polarizabilities) == ((2, 1), (1.4, 5.0))
    with pytest.raises(OutputExistsError):
        one.save(tmp_path / "run.npz")
    data = (tmp_path / "run.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(ObservablesError, match=r"half\.npz"):
        Observables.load(tmp_path / "half.npz")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["half.npz", "run.npz"]


def test_chunks_of_a_resumed_run_join():
    whole = observables(10)
    first, second = whole[:6], whole[4:]
    changed = replace(second, potential_energies=second.potential_energies + 1.0)
    joined = Observables.concatenate([first, changed])
    np.testing.assert_allclose(joined.times, whole.times)
    np.testing.assert_allclose(joined.potential_energies[4:], whole.potential_energies[4:] + 1.0)
    with pytest.raises(ObservablesError, match="temperature"):
        Observables.concatenate([first, replace(second, temperature=300.0)])
    with pytest.raises(ObservablesError, match="evenly"):
        Observables.concatenate([whole[:3], whole[6:]])


def test_frames_after_a_time():
    later = observables(10).after(2.0)
    assert (len(later), later.times[0], later.discarded) == (6, 2.0, 2.0)
    with pytest.raises(ObservablesError, match="shorter"):
        observables(10).after(100.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dipoles": np.zeros((9, 3))}, "dipoles"),
        ({"potential_energies": np.full(10, np.nan)}, "NaN"),
        ({"charges": (0.0,)}, "charges"),
        ({"component_index": np.array([0, 0, 2])}, "component_index"),
        ({"times": np.arange(10.0) ** 2}, "evenly"),
    ],
)
def test_inconsistent_observables_are_refused(change, message):
    with pytest.raises(ObservablesError, match=message):
        replace(observables(), **change)


def test_estimates_round_trip_and_never_hide_a_missing_error():
    estimate = PropertyEstimate("density", 0.997, 0.002, "g/cm**3", 50.0, 10.0, "mean")
    assert PropertyEstimate.from_json(estimate.to_json()) == estimate
    assert estimate.quantity.m_as("kg/m**3") == pytest.approx(997.0)
    with pytest.raises(PropertyError, match="no uncertainty"):
        replace(estimate, uncertainty=math.nan)
    with pytest.raises(PropertyError, match="not a result"):
        replace(estimate, value=math.inf)
    unknown = replace(estimate, uncertainty=math.nan, warnings=("one frame",))
    back = PropertyEstimate.from_json(unknown.to_json())
    assert math.isnan(back.uncertainty)
    assert back.warnings == ("one frame",)
    with pytest.raises(PropertyError, match="not a property estimate"):
        PropertyEstimate.from_json("{}")
