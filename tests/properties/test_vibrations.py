"""Normal modes against molecules whose vibrations can be written down."""

from __future__ import annotations

import numpy as np
import openmm
import pytest
from openff.toolkit import ForceField, Molecule

from openff_bytepol.exceptions import SimulationError
from openff_bytepol.interop.boxes import with_conformer
from openff_bytepol.properties.vibrations import vibrational_wavenumbers

WAVENUMBER = 1.0 / (2.0 * np.pi * 0.0299792458)
"""1/cm of a circular frequency of 1/ps."""
K = 8e5
"""kJ/mol/nm²"""


def linear(*, constrained=False):
    """O-C-O with stretching forces only."""
    system = openmm.System()
    for mass in (16.0, 12.0, 16.0):
        system.addParticle(mass)
    bonds = openmm.HarmonicBondForce()
    for i, j in ((0, 1), (1, 2)):
        bonds.addBond(i, j, 0.12, K)
    system.addForce(bonds)
    if constrained:
        system.addConstraint(0, 1, 0.12)
    return system, np.array([[-1.21, 0.0, 0.0], [0.0, 0.0, 0.0], [1.21, 0.0, 0.0]])


def test_linear_molecule():
    found = vibrational_wavenumbers(*linear())
    stretches = np.sqrt([K / 16.0, K * (1 / 16.0 + 2 / 12.0)]) * WAVENUMBER
    assert found[:2] == pytest.approx(0.0, abs=10.0)
    assert found[2:] == pytest.approx(stretches, rel=1e-4)


def test_constraints_freeze_vibrations():
    system, positions = linear(constrained=True)
    found = vibrational_wavenumbers(system, positions)
    # a rigid OC of 28 Da against an O
    expected = np.sqrt(K * (1 / 28.0 + 1 / 16.0)) * WAVENUMBER
    assert len(found) == 3
    assert found[-1] == pytest.approx(expected, rel=1e-4)


def test_bent_molecule_and_saddle_points():
    system, _ = linear()
    angle = openmm.HarmonicAngleForce()
    angle.addAngle(0, 1, 2, np.radians(110.0), 400.0)
    system.addForce(angle)
    bent = np.array([[-1.0, 0.7, 0.0], [0.0, 0.0, 0.0], [1.0, 0.7, 0.0]])
    found = vibrational_wavenumbers(system, bent)
    assert len(found) == 3
    # the trace of the mass-weighted Hessian does not depend on coordinates
    cosine = np.cos(np.radians(110.0))
    stretch = 2 * K * (1 / 16.0 + 1 / 12.0)
    bend = 400.0 / 0.12**2 * (2 / 16.0 + 2 / 12.0 * (1 - cosine))
    assert (found**2).sum() == pytest.approx((stretch + bend) * WAVENUMBER**2, rel=1e-4)

    system, positions = linear()
    bend = openmm.CustomAngleForce("-50*(theta-3.14159265358979)^2")
    bend.addAngle(0, 1, 2)
    system.addForce(bend)
    with pytest.raises(SimulationError, match="saddle"):
        vibrational_wavenumbers(system, positions)


def test_constraints_that_bear_forces():
    """A rigid-bonded bent molecule has one vibration, ω² = V''(θ) (G⁻¹)_θθ⁻¹ of Wilson's G."""
    length, mass, centre, k, k_angle, rest = 0.1, 1.0, 16.0, 1e5, 300.0, np.radians(100.0)
    system = openmm.System()
    for each in (mass, centre, mass):
        system.addParticle(each)
    for end in (0, 2):
        system.addConstraint(end, 1, length)
    ends, angle = openmm.HarmonicBondForce(), openmm.HarmonicAngleForce()
    ends.addBond(0, 2, 0.2, k)
    angle.addAngle(0, 1, 2, rest, k_angle)
    system.addForce(ends)
    system.addForce(angle)
    positions = np.array([[-0.8, 0.6, 0.0], [0.0, 0.0, 0.0], [0.8, 0.6, 0.0]])
    (found,) = vibrational_wavenumbers(system, positions)

    def energy(theta):
        return (
            k / 2 * (2 * length * np.sin(theta / 2) - 0.2) ** 2 + k_angle / 2 * (theta - rest) ** 2
        )

    grid = np.linspace(rest, np.pi, 200_001)
    theta, step = grid[np.argmin(energy(grid))], 1e-4
    second = (energy(theta + step) + energy(theta - step) - 2 * energy(theta)) / step**2
    stretch, coupling = 1 / mass + 1 / centre, np.cos(theta) / centre
    mixed = -np.sin(theta) / (centre * length)
    bend = 2 / length**2 * (1 / mass + (1 - np.cos(theta)) / centre)
    g = np.array([[stretch, coupling, mixed], [coupling, stretch, mixed], [mixed, mixed, bend]])
    expected = np.sqrt(second / np.linalg.inv(g)[2, 2]) * WAVENUMBER
    assert found == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize(("smiles", "n_free"), [("O", 0), ("CO", 8)])
def test_bonds_to_hydrogen_are_all_that_constraints_take_away(smiles, n_free):
    """Their stretching hardly couples to the other vibrations."""
    molecule = with_conformer(Molecule.from_smiles(smiles))
    found = []
    for name in ("bytepol-fixed.offxml", "bytepol-fixed_unconstrained.offxml"):
        interchange = ForceField(name).create_interchange(molecule.to_topology())
        positions = molecule.conformers[0].m_as("angstrom")
        found.append(vibrational_wavenumbers(interchange.to_openmm(), positions))
    rigid, whole = found
    assert len(rigid) == n_free
    assert len(whole) == 3 * molecule.n_atoms - 6
    assert rigid == pytest.approx(whole[:n_free], abs=10.0)
