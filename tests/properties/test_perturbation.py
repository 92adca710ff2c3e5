"""Dynamics under a periodic acceleration: temperature, profile and viscosity."""

from __future__ import annotations

import math

import numpy as np
import openmm
import pytest

from openff_bytepol.exceptions import ForceFieldError, SamplingError
from openff_bytepol.properties.perturbation import (
    flow_amplitude,
    periodic_perturbation_integrator,
    sample_flow,
)
from tests.properties.argon import MASS, TEMPERATURE, argon_system, equilibrated


def gas(n=2000):
    """Particles that do not feel one another, in a box of 2 × 2 × 3 nm."""
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors([2, 0, 0], [0, 2, 0], [0, 0, 3])
    system.addForce(openmm.CustomExternalForce("0*periodicdistance(x, y, z, 0, 0, 0)"))
    for _ in range(n):
        system.addParticle(MASS)
    return system


def test_acceleration_and_thermostat_act_where_they_should():
    system = gas()
    integrator = periodic_perturbation_integrator(
        system, 10.0, temperature=200.0, timestep=10.0, friction=10.0
    )
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("Reference"))
    random = np.random.default_rng(1)
    positions = random.uniform(0, 3, size=(2000, 3))
    context.setPositions(positions)
    integrator.step(1)
    state = context.getState(velocities=True)
    velocity = state.getVelocities(asNumpy=True)._value[:, 0]
    expected = 0.01 * 1.0 * np.cos(2 * math.pi * positions[:, 2] / 3.0)
    np.testing.assert_allclose(velocity, expected, atol=1e-6)
    integrator.setGlobalVariableByName("acceleration", 0.0)
    integrator.step(200)
    velocities = context.getState(velocities=True).getVelocities(asNumpy=True)._value
    kinetic = MASS * (velocities**2).mean(axis=0) / 0.0083144626
    assert kinetic[1:] == pytest.approx(200.0, rel=0.1)
    assert abs(np.corrcoef(velocities[:, 1:].T)[0, 1]) < 0.1
    np.testing.assert_allclose(velocities[:, 0], velocity, atol=1e-6)


def test_amplitude_of_a_known_profile():
    system = gas(500)
    integrator = openmm.VerletIntegrator(0.001)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("Reference"))
    z = np.linspace(0, 3, 500, endpoint=False)
    context.setPositions(np.stack([0 * z, 0 * z, z], axis=1))
    velocity = 0.4 * np.cos(2 * math.pi * z / 3) + 0.3 * np.sin(2 * math.pi * z / 3) + 0.1
    context.setVelocities(np.stack([velocity, 0 * z, 0 * z], axis=1))
    assert flow_amplitude(context, np.full(500, MASS)) == pytest.approx(4.0, rel=1e-4)
    with pytest.raises(ForceFieldError, match="periodic_perturbation_integrator"):
        sample_flow(context, n_steps=100)


def test_box_must_be_rectangular():
    system = gas(2)
    system.setDefaultPeriodicBoxVectors([2, 0, 0], [0.5, 2, 0], [0, 0, 3])
    with pytest.raises(ForceFieldError, match="rectangular"):
        periodic_perturbation_integrator(system, 1.0)
    with pytest.raises(ForceFieldError, match="periodic box"):
        periodic_perturbation_integrator(openmm.System(), 1.0)


def test_too_short_a_flow_is_refused():
    system, _ = argon_system(3, cutoff=1.9)
    integrator = periodic_perturbation_integrator(
        system, 1.0, temperature=TEMPERATURE, timestep=5.0
    )
    context = equilibrated(3, integrator, 10, "Reference", cutoff=1.9)
    with pytest.raises(SamplingError, match="too few"):
        sample_flow(context, n_steps=40)
