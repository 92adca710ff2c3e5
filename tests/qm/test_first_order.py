"""First-order energies: ALMO-EDA's frozen energy, point multipoles far apart, symmetry."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from openff_bytepol.exceptions import ConvergenceError, DataError
from openff_bytepol.qm import Fragment, Level
from tests.qm import systems

pytest.importorskip("pyscf")
from openff_bytepol.qm.almo import decompose
from openff_bytepol.qm.first_order import FirstOrder, first_order, occupied_orbitals
from openff_bytepol.qm.mean_field import build_mean_field, build_molecule, converge

FITTED = Level("fitted", "first-order", "pyscf", "hf", "def2-svp")


def shifted(fragment: Fragment, shift: list[float]) -> Fragment:
    return Fragment(fragment.symbols, fragment.coordinates + np.array(shift), fragment.charge)


SECOND = shifted(systems.WATER, [0.3, 0.4, 2.9])


def solved(a: Fragment, b: Fragment, level: Level) -> FirstOrder:
    return first_order(occupied_orbitals(a, level), occupied_orbitals(b, level))


def test_sum_is_the_frozen_energy_of_almo_eda() -> None:
    """With Hartree-Fock orbitals both are the Heitler-London energy."""
    found = solved(systems.WATER, SECOND, FITTED)
    eda = decompose([systems.WATER, SECOND], FITTED)
    assert found.electrostatics == pytest.approx(eda.classical_electrostatics, abs=1e-4)
    # the auxiliary basis is the dimer's here, each molecule's own there
    assert found.electrostatics + found.exchange == pytest.approx(eda.frozen, abs=3e-3)
    assert found.exchange > 0.1


def test_order_of_molecules_does_not_matter() -> None:
    level = Level("x", "first-order", "pyscf", "pbe0", "def2-svp")
    forward, backward = (
        solved(*pair, level) for pair in ((systems.WATER, SECOND), (SECOND, systems.WATER))
    )
    assert forward.electrostatics == pytest.approx(backward.electrostatics, abs=1e-5)
    assert forward.exchange == pytest.approx(backward.exchange, abs=1e-5)


def test_moved_orbitals_are_those_of_the_moved_molecule() -> None:
    level = Level("x", "first-order", "pyscf", "b3lyp", "def2-svpd", grid=(50, 194))
    rotation = Rotation.random(random_state=5).as_matrix()
    translation = np.array([0.3, 0.4, 2.9])
    coordinates = systems.WATER.coordinates @ rotation.T + translation
    water = occupied_orbitals(systems.WATER, level)
    moved = water.moved(rotation, translation)
    np.testing.assert_allclose(moved.fragment.coordinates, coordinates, atol=1e-12)
    again = occupied_orbitals(Fragment(systems.WATER.symbols, coordinates), level)
    fast, slow = first_order(water, moved), first_order(water, again)
    assert fast.electrostatics == pytest.approx(slow.electrostatics, abs=2e-3)
    assert fast.exchange == pytest.approx(slow.exchange, abs=2e-3)


def test_far_apart_only_dipoles_are_left() -> None:
    separation = np.array([2.0, 5.0, 13.0])
    found = solved(systems.WATER, shifted(systems.WATER, separation.tolist()), FITTED)
    field = build_mean_field(build_molecule(systems.WATER, "def2-svp"), FITTED)
    converge(field)
    dipole = field.dip_moment(unit="AU", verbose=0)
    distance = np.linalg.norm(separation) / 0.529177210903
    direction = separation / np.linalg.norm(separation)
    energy = (dipole @ dipole - 3 * (dipole @ direction) ** 2) / distance**3 * 627.5094740631
    assert found.electrostatics == pytest.approx(energy, rel=0.05)
    assert found.exchange == pytest.approx(0.0, abs=1e-6)


def test_atoms_on_top_of_one_another_are_refused() -> None:
    with pytest.raises(ConvergenceError, match="on top"):
        solved(systems.WATER, systems.WATER, FITTED)


def test_elements_with_core_potentials_are_refused() -> None:
    iodide = Fragment(("I",), np.zeros((1, 3)), -1)
    with pytest.raises(DataError, match="krypton"):
        occupied_orbitals(iodide, FITTED)


def test_density_fitting_is_needed() -> None:
    level = Level("exact", "first-order", "pyscf", "hf", "def2-svp", None)
    with pytest.raises(DataError, match="density fitting"):
        solved(systems.WATER, SECOND, level)
