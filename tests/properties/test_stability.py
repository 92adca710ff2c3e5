"""What counts as a run that broke down, and runs that do."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from openff_bytepol.exceptions import DataError, UnsupportedElementError
from openff_bytepol.models import load_model
from openff_bytepol.properties.stability import choose_runs
from openff_bytepol.properties.stability_faults import (
    Bonds,
    Frame,
    closest_contact,
    frame_fault,
    largest_strain,
    temperature_fault,
)
from openff_bytepol.properties.stability_runs import Run, Settings, box_size, simulate

BOX = np.full(3, 10.0)
BONDS = Bonds(np.array([[0, 1], [2, 3]]), np.array([1.0, 1.0]))
PLACES = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [5.0, 0.0, 0.0], [6.0, 0.0, 0.0]])


def frame(positions=PLACES, energy=-1.0, box=BOX):
    return Frame(np.asarray(positions, dtype=float), box, energy, 300.0)


def test_whole_molecules_pass():
    assert frame_fault(frame(), BONDS) is None
    assert frame_fault(frame(box=None), BONDS) is None
    assert largest_strain(PLACES, BONDS) == 0.0


def test_energies_and_positions_are_finite():
    for energy in (math.nan, math.inf):
        assert "not finite" in frame_fault(frame(energy=energy), BONDS)
    assert "not finite" in frame_fault(frame(np.full((4, 3), np.nan)), BONDS)


@pytest.mark.parametrize("length", [1.35, 0.65])
def test_broken_bonds_are_found(length):
    broken = PLACES.copy()
    broken[3, 0] = 5.0 + length
    assert largest_strain(broken, BONDS) == pytest.approx(0.35)
    assert frame_fault(frame(broken), BONDS) == "a bond changed its length by 35 %"


def test_overlaps_are_found_across_the_boundary_but_not_along_bonds():
    near = PLACES + np.array([[0.0] * 3] * 2 + [[3.5, 0.1, 0.0]] * 2)
    assert closest_contact(near, BONDS.atoms, BOX) == pytest.approx(np.hypot(0.5, 0.1))
    assert closest_contact(near, BONDS.atoms, None) == math.inf
    assert "came to 0.51 Å" in frame_fault(frame(near), BONDS)
    short = Bonds(BONDS.atoms, np.array([0.9, 0.9]))
    bonded = PLACES * np.array([[1.0]] * 1 + [[0.9]] * 1 + [[1.0]] * 2)
    assert frame_fault(frame(bonded), short) is None
    on_the_edge = PLACES - np.array([1e-17, 0.0, 0.0])
    assert closest_contact(on_the_edge, BONDS.atoms, BOX) == math.inf


def test_temperatures_of_short_runs_scatter():
    assert temperature_fault(450.0, 298.15, 3, 0.1) is None
    assert "450 instead of 298 K" in temperature_fault(450.0, 298.15, 300, 50.0)
    assert temperature_fault(340.0, 298.15, 300, 50.0) is None
    assert temperature_fault(math.nan, 298.15, 0, 50.0) is None
    assert temperature_fault(math.nan, 298.15, 3, 50.0) is not None


def test_boxes_hold_the_cutoff_at_the_density_of_a_collapse():
    copies, cutoff = box_size(18.015, 1.5, 32)
    edge = (copies * 18.015 * 1.66054 / 1.5) ** (1 / 3)
    assert copies > 32
    assert 6.0 <= cutoff < 0.5 * edge
    assert box_size(200.0, 1.5, 500) == (500, 9.0)


def test_ions_have_no_liquid(tmp_path):
    pool = tmp_path / "pool.smi"
    pool.write_text("CC(=O)[O-] acetate\nO water\n[Na+].[Cl-]\nCCCCCCCC\n")
    options = {"count": 9, "max_heavy_atoms": 4, "seed": 1}
    runs = choose_runs(pool, phases=("gas", "liquid"), **options)
    assert runs == [Run("CC(=O)[O-]", "gas"), Run("O", "gas"), Run("O", "liquid")]
    pool.write_text("CCCCCCCC\n")
    with pytest.raises(DataError, match="no molecule of up to 4 heavy atoms"):
        choose_runs(pool, phases=("gas",), **options)


def test_molecules_without_bonds_break():
    loaded = load_model("bytepol")

    def predict(molecules):
        return [replace(one, bond_k=0.0 * one.bond_k) for one in loaded.predict(molecules)]

    result = simulate(Run("CCO", "gas"), SimpleNamespace(predict=predict), Settings(time=10.0))
    assert result.stable is False
    assert "bond" in result.reason
    assert 0.0 < result.length < 10.0
    assert result.largest_strain > 0.3


def test_molecules_outside_the_model_are_no_failures():
    class Refuses:
        def predict(self, molecules):
            raise UnsupportedElementError("not this one\nat all")

    result = simulate(Run("CCO", "gas"), Refuses(), Settings())
    assert (result.stable, result.reason) == (None, "UnsupportedElementError: not this one")
