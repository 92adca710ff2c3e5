"""Distributions of distances in an ideal gas and a crystal."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mdtraj")

from openff_bytepol.exceptions import PropertyError
from openff_bytepol.properties.structure import (
    coordination_number,
    paired_fraction,
    radial_distribution,
)
from tests.properties.systems import make_run


def test_ideal_gas_has_no_structure():
    random = np.random.default_rng(1)
    centers = random.uniform(-50, 50, size=(200, 100, 3))
    run = make_run(200, 100, centers=centers)
    found = radial_distribution(run, bin_width=0.25)
    far = found.distances > 1.0
    pulls = (found.mean[far] - 1.0) / found.errors[far]
    assert np.abs(found.mean[far] - 1.0).max() < 0.1
    assert np.abs(pulls).mean() < 2.0
    expected = 99 / 1000.0 * 4 / 3 * np.pi * 4.0**3
    estimate = coordination_number(run, cutoff=4.0 - 0.05)
    assert estimate.value == pytest.approx(expected, rel=0.02)


def test_triclinic_boxes():
    random = np.random.default_rng(2)
    box = np.array([[10.0, 0, 0], [3.0, 9.0, 0], [-2.0, 3.0, 9.0]])
    centers = random.uniform(size=(100, 60, 3)) @ box
    run = make_run(100, 60, centers=centers, boxes=np.tile(box, (100, 1, 1)))
    found = radial_distribution(run, maximum=4.0, bin_width=0.25)
    assert found.mean[found.distances > 1.0] == pytest.approx(1.0, abs=0.12)


def crystal(n_frames=50, spread=0.15):
    """Simple cubic lattice, 5 × 5 × 5, of spacing 4 Å with thermal motion."""
    grid = np.stack(np.meshgrid(*[np.arange(5)] * 3), axis=-1).reshape(-1, 3) * 4.0
    noise = spread * np.random.default_rng(3).normal(size=(n_frames, 125, 3))
    boxes = np.tile(20.0 * np.eye(3), (n_frames, 1, 1))
    return make_run(n_frames, 125, centers=grid + noise, boxes=boxes)


def test_crystal_has_six_neighbours():
    estimate = coordination_number(crystal())
    assert estimate.value == pytest.approx(6.0, abs=0.02)
    assert 4.3 < estimate.details["cutoff_angstrom"] < 5.4
    found = radial_distribution(crystal())
    first_shell = found.distances < 5.0  # the second is as high: 12/√2² = 6
    assert found.distances[first_shell][found.mean[first_shell].argmax()] == pytest.approx(
        4.0, abs=0.15
    )


def test_ion_pairs():
    random = np.random.default_rng(4)
    n, n_frames = 10, 60
    cations = np.arange(n)[:, None] * 20.0 + np.zeros((n_frames, n, 3))
    bound = np.arange(n) < 4
    away = np.where(bound[None, :, None], 2.5, 8.0) / np.sqrt(3)
    anions = cations + away + 0.05 * random.normal(size=(n_frames, n, 3))
    run = make_run(
        n_frames,
        2 * n,
        names=("cation", "anion"),
        molar_masses=(1.0, 1.0),
        charges=(1.0, -1.0),
        component_index=np.repeat([0, 1], n),
        centers=np.concatenate([cations, anions], axis=1),
        boxes=np.tile(200.0 * np.eye(3), (n_frames, 1, 1)),
    )
    assert paired_fraction(run, 0, 1, cutoff=4.0).value == pytest.approx(0.4)
    with pytest.raises(PropertyError, match="more than half"):
        coordination_number(run, cutoff=150.0)
