"""Holes, bubbles and separated mixtures are found; liquids and mixtures are let through."""

from __future__ import annotations

import numpy as np
import pytest

from openff_bytepol.exceptions import SimulationError, UnphysicalLiquidError
from openff_bytepol.properties.checks import (
    check_density,
    check_frame,
    check_phases,
    inhomogeneity,
)
from openff_bytepol.properties.observables import Observables

EDGE = 24.0


def observables(centers, index=None):
    """Frames of centres of mass in a cubic box."""
    centers = np.asarray(centers)
    n_frames, n_molecules = centers.shape[:2]
    index = np.zeros(n_molecules, int) if index is None else np.asarray(index)
    n = int(index.max()) + 1
    return Observables(
        names=("A", "B")[:n],
        molar_masses=(40.0,) * n,
        charges=(0.0,) * n,
        component_index=index,
        degrees_of_freedom=3 * n_molecules - 3,
        temperature=300.0,
        pressure=1.0,
        times=np.arange(n_frames) * 1.0,
        potential_energies=np.zeros(n_frames),
        kinetic_energies=np.zeros(n_frames),
        boxes=np.tile(np.eye(3) * EDGE, (n_frames, 1, 1)),
        centers=centers,
    )


def lattice(random, n_frames=20, edge=EDGE):
    """6³ molecules on a lattice with thermal motion: as even as a liquid."""
    ticks = (np.arange(6) + 0.5) * edge / 6
    points = np.stack(np.meshgrid(ticks, ticks, ticks), axis=-1).reshape(-1, 3)
    return points + random.normal(scale=0.8, size=(n_frames, len(points), 3))


@pytest.fixture
def random():
    return np.random.default_rng(1)


def test_an_ideal_gas_has_a_structure_factor_of_one(random):
    found = inhomogeneity(observables(random.uniform(0.0, EDGE, size=(400, 216, 3))))
    assert found.density == pytest.approx(1.0, abs=0.1)
    assert found.composition == 0.0


def test_a_liquid_passes(random):
    assert check_phases(observables(lattice(random))).density < 0.1


def test_wrapping_makes_no_difference(random):
    centers = lattice(random)
    moved = centers + EDGE * random.integers(-3, 4, size=centers.shape)
    assert inhomogeneity(observables(moved)).density == pytest.approx(
        inhomogeneity(observables(centers)).density
    )


def test_a_slab_with_vapour_does_not(random):
    slab = lattice(random)
    slab[..., 2] *= 0.6
    with pytest.raises(UnphysicalLiquidError, match="bubble"):
        check_phases(observables(slab))


def test_a_bubble_does_not(random):
    centers = lattice(random)
    outside = np.linalg.norm(centers.mean(0) - EDGE / 2, axis=1) > 8.0
    with pytest.raises(UnphysicalLiquidError, match="bubble"):
        check_phases(observables(centers[:, outside]))


def test_a_random_mixture_passes_and_a_separated_one_does_not(random):
    centers = lattice(random)
    mixed = random.permutation(np.repeat([0, 1], 108))
    found = check_phases(observables(centers, mixed))
    assert found.composition < 4.0
    apart = (centers[0, :, 0] > EDGE / 2).astype(int)
    with pytest.raises(UnphysicalLiquidError, match=r"separated: [AB] gathers"):
        check_phases(observables(centers, apart))


def test_few_molecules_say_nothing(random):
    check_phases(observables(random.uniform(0.0, 5.0, size=(10, 12, 3))))


def test_a_gas_is_no_liquid():
    check_density(0.6, 0.8)
    with pytest.raises(UnphysicalLiquidError, match="boiled"):
        check_density(0.1, 0.8)


def test_frames_that_are_no_dynamics():
    check_frame(-100.0, 30.0, 100, 300.0)
    with pytest.raises(SimulationError, match="not a finite"):
        check_frame(float("nan"), 30.0, 100, 300.0)
    with pytest.raises(SimulationError, match="heated up"):
        check_frame(-100.0, 300.0, 100, 300.0)
    check_frame(0.0, 0.0, 0, 300.0)


def test_a_few_atoms_may_be_hot_for_a_moment():
    # one water molecule: a frame in a thousand is above three times the temperature
    random = np.random.default_rng(2)
    for kinetic in 0.5 * 0.0019872 * 300.0 * random.chisquare(9, size=20000):
        check_frame(0.0, kinetic, 9, 300.0)
    with pytest.raises(SimulationError, match="heated up"):
        check_frame(0.0, 0.5 * 9 * 0.0019872 * 3000.0, 9, 300.0)
