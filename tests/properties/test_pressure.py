"""Pressure tensors against virials and OpenMM's own pressure."""

from __future__ import annotations

import numpy as np
import openmm
import pytest
import torch
from openmm import unit

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.interop.openmm_system import create_system
from openff_bytepol.models import predict
from openff_bytepol.properties.pressure import PressureMeter, molecules_of
from tests.properties.argon import EPSILON, MASS, SIGMA, TEMPERATURE, argon_system

ATM = 1.66053906660e6 / 101325.0
"""atm in one kJ/mol/nm³."""


def virial_tensor(positions, velocities, edge, cutoff):
    """Σ m v v + Σ r f of switched Lennard-Jones pairs; kJ/mol."""
    first, second = np.triu_indices(len(positions), 1)
    vectors = positions[first] - positions[second]
    vectors -= edge * np.round(vectors / edge)
    r = np.linalg.norm(vectors, axis=1)
    near = r < cutoff
    vectors, r = vectors[near], r[near]
    sigma = 0.1 * SIGMA
    energy = 4 * EPSILON * ((sigma / r) ** 12 - (sigma / r) ** 6)
    slope = 4 * EPSILON * (-12 * (sigma / r) ** 12 + 6 * (sigma / r) ** 6) / r
    x = np.clip((r - 0.9 * cutoff) / (0.1 * cutoff), 0, 1)
    switch = 1 - 6 * x**5 + 15 * x**4 - 10 * x**3
    switched = (-30 * x**4 + 60 * x**3 - 30 * x**2) / (0.1 * cutoff)
    force = -(slope * switch + energy * switched) / r
    pair = np.einsum("p,pa,pb->ab", force, vectors, vectors)
    return MASS * velocities.T @ velocities + pair


def test_tensor_of_argon_is_that_of_the_virial():
    system, positions = argon_system(3, cutoff=1.9)
    integrator = openmm.VerletIntegrator(0.002)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("Reference"))
    random = np.random.default_rng(1)
    context.setPositions(positions + 0.02 * random.normal(size=positions.shape))
    context.setVelocitiesToTemperature(TEMPERATURE * unit.kelvin, 1)
    before = context.getState(positions=True, velocities=True, energy=True)
    box = before.getPeriodicBoxVectors(asNumpy=True)._value
    expected = virial_tensor(
        before.getPositions(asNumpy=True)._value,
        before.getVelocities(asNumpy=True)._value,
        box[0, 0],
        1.9 * SIGMA * 0.1,
    )
    tensor = PressureMeter(system, molecules_of(context), strain=1e-5)(context)
    np.testing.assert_allclose(tensor, expected / box[0, 0] ** 3 * ATM, rtol=1e-4, atol=0.05)
    after = context.getState(positions=True, velocities=True, energy=True)
    np.testing.assert_array_equal(
        before.getPositions(asNumpy=True)._value, after.getPositions(asNumpy=True)._value
    )
    assert after.getPotentialEnergy() == before.getPotentialEnergy()
    np.testing.assert_array_equal(after.getPeriodicBoxVectors(asNumpy=True)._value, box)
    coarse = PressureMeter(system, molecules_of(context))(context)
    np.testing.assert_allclose(coarse, tensor, atol=0.02 * np.abs(tensor).max())


@pytest.mark.slow
def test_trace_of_polarizable_molecules_is_the_pressure_of_openmm():
    torch.set_num_threads(1)
    (water,) = predict("O")
    spacing = 3.2
    grid = np.stack(np.meshgrid(*[np.arange(2)] * 3, indexing="ij"), -1).reshape(-1, 3) * spacing
    shape = np.array([[0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]])
    random = np.random.default_rng(2)
    molecules = []
    for center in grid:
        rotation = np.linalg.qr(random.normal(size=(3, 3)))[0]
        molecules.append(center + shape @ rotation)
    positions = np.concatenate(molecules) * 0.1
    placements = [(0, [3 * i, 3 * i + 1, 3 * i + 2]) for i in range(8)]
    # OpenMM scales geometric centres, which equal masses make centres of mass
    system = create_system(
        [water], placements, box=[6.4] * 3, cutoff=3.1, switch_distance=2.5, masses=[6.0] * 24
    )
    barostat = openmm.MonteCarloBarostat(1.0, 300.0, 0)
    system.addForce(barostat)
    integrator = openmm.VerletIntegrator(1e-9)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(positions)
    tensor = PressureMeter(system, [list(p) for _, p in placements])(context)
    pressure = barostat.computeCurrentPressure(context).value_in_unit(unit.atmosphere)
    assert np.trace(tensor) / 3 == pytest.approx(pressure, rel=5e-3)
    np.testing.assert_allclose(tensor, tensor.T)
    assert [len(m) for m in molecules_of(context)] == [3] * 8


def test_pressure_needs_a_box():
    system = openmm.System()
    system.addParticle(1.0)
    with pytest.raises(ForceFieldError, match="no pressure"):
        PressureMeter(system, [[0]])
