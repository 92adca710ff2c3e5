"""Counterpoise-corrected interaction energies against three separate calculations."""

from __future__ import annotations

import numpy as np
import pytest

from openff_bytepol.exceptions import ConvergenceError
from openff_bytepol.qm import Fragment, Level
from openff_bytepol.qm.fragments import merge
from openff_bytepol.units import HARTREE_IN_KCAL
from tests.qm import systems

pytest.importorskip("pyscf")
pytest.importorskip("dftd4")
from openff_bytepol.qm.counterpoise import counterpoise
from openff_bytepol.qm.first_order import Orbitals, occupied_orbitals
from openff_bytepol.qm.mean_field import (
    build_mean_field,
    build_molecule,
    converge,
    dispersion_correction,
)

LEVEL = Level("x", "counterpoise", "pyscf", "b3lyp-d4", "def2-svpd", grid=(50, 194))
MONOMER = Level("m", "first-order", "pyscf", "b3lyp", "def2-svpd", grid=(35, 110))


def orbitals(shift: list[float]) -> Orbitals:
    coordinates = systems.WATER.coordinates + np.array(shift)
    return occupied_orbitals(Fragment(systems.WATER.symbols, coordinates), MONOMER)


def test_three_separate_calculations_give_the_same() -> None:
    a, b = orbitals([0.0, 0.0, 0.0]), orbitals([0.3, 0.4, 2.9])
    parts = (a.fragment, b.fragment)
    molecules = (
        build_molecule(merge(parts), "def2-svpd"),
        build_molecule(parts[0], "def2-svpd", [parts[1]]),
        build_molecule(parts[1], "def2-svpd", [parts[0]]),
    )
    energies = [converge(build_mean_field(molecule, LEVEL)) for molecule in molecules]
    corrections = [dispersion_correction(one, LEVEL)[0] for one in (merge(parts), *parts)]
    separate = [e + d for e, d in zip(energies, corrections, strict=True)]
    expected = (separate[0] - separate[1] - separate[2]) * HARTREE_IN_KCAL
    # ghost atoms of the separate calculations bring no points to the grid
    assert counterpoise(a, b, LEVEL) == pytest.approx(expected, abs=0.02)


def test_order_of_molecules_does_not_matter() -> None:
    a, b = orbitals([0.0, 0.0, 0.0]), orbitals([0.3, 0.4, 2.9])
    assert counterpoise(a, b, LEVEL) == pytest.approx(counterpoise(b, a, LEVEL), abs=0.01)


def test_the_water_dimer() -> None:
    """-5.0 kcal/mol at the minimum (https://doi.org/10.1021/ct200523a: -4.97, CCSD(T)/CBS)."""
    half, tilt = np.radians([52.25, 57.0])
    hydrogens = 0.96 * np.array([[0.0, 0.0, 1.0], [np.sin(2 * half), 0.0, np.cos(2 * half)]])
    donor = np.vstack([np.zeros(3), hydrogens])
    bisector = np.cos(half) * np.array([-np.sin(tilt), 0.0, np.cos(tilt)])
    sides = np.sin(half) * np.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])
    acceptor = np.vstack([np.zeros(3), 0.96 * (bisector + sides)]) + np.array([0.0, 0.0, 2.91])
    waters = [
        occupied_orbitals(Fragment(systems.WATER.symbols, x), MONOMER) for x in (donor, acceptor)
    ]
    assert counterpoise(*waters, LEVEL) == pytest.approx(-5.0, abs=0.3)


def test_atoms_on_top_of_one_another_are_refused() -> None:
    a = orbitals([0.0, 0.0, 0.0])
    with pytest.raises(ConvergenceError, match="on top"):
        counterpoise(a, a, LEVEL)
