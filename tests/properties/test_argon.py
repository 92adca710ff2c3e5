"""Transport and structure of liquid argon from simulation to estimate, against published values."""

from __future__ import annotations

import numpy as np
import openmm
import pytest

from openff_bytepol.properties.diffusion import self_diffusion
from openff_bytepol.properties.flow import periodic_perturbation_viscosity
from openff_bytepol.properties.perturbation import periodic_perturbation_integrator, sample_flow
from openff_bytepol.properties.pressure import PressureMeter, molecules_of
from openff_bytepol.properties.structure import coordination_number, radial_distribution
from openff_bytepol.properties.viscosity import green_kubo_viscosity
from tests.properties.argon import (
    MASS,
    SIGMA,
    TEMPERATURE,
    VISCOSITY,
    argon_system,
    equilibrated,
)
from tests.properties.systems import make_run

RAHMAN = {"density": 1.374 / MASS / 1.66053906660 * SIGMA**3, "temperature": 94.4}
"""864 atoms at 1.374 g/cm³ diffuse with 2.43e-9 m²/s: Phys. Rev. 1964, 136, A405."""
_FRICTION = 0.02
"""1/ps: slows diffusion by 0.3 %."""


def melt(n_side, n_steps, timestep, **state):
    """Equilibrated with strong friction, now with weak friction; step in ps."""
    temperature = state.get("temperature", TEMPERATURE)
    integrator = openmm.LangevinMiddleIntegrator(temperature, 1.0, timestep)
    integrator.setRandomNumberSeed(1)
    context = equilibrated(n_side, integrator, n_steps, **state)
    integrator.setFriction(_FRICTION)
    return context, integrator


def observed(context, frames, interval, **series):
    n_atoms = context.getSystem().getNumParticles()
    box = context.getState().getPeriodicBoxVectors(asNumpy=True)._value * 10
    return make_run(
        frames,
        n_atoms,
        times=interval * np.arange(frames),
        boxes=np.tile(box, (frames, 1, 1)),
        pressure=None,
        **series,
    )


def diffusing(n_side, n_equilibration, n_frames, platform="CPU"):
    """Rahman's argon, a frame every 0.1 ps."""
    context, integrator = melt(n_side, n_equilibration, 0.01, platform=platform, **RAHMAN)
    centers = []
    for _ in range(n_frames):
        integrator.step(10)
        positions = context.getState(positions=True).getPositions(asNumpy=True)
        centers.append(positions._value * 10)
    return observed(context, n_frames, 0.1, centers=np.array(centers), temperature=94.4)


def stressed(n_side, n_equilibration, n_frames):
    """Argon at its triple point, a pressure tensor every 16 fs."""
    context, integrator = melt(n_side, n_equilibration, 0.008)
    meter = PressureMeter(context.getSystem(), molecules_of(context))
    tensors = []
    for _ in range(n_frames):
        integrator.step(2)
        tensors.append(meter(context))
    tensors = np.array(tensors)
    return observed(context, n_frames, 0.016, pressure_tensors=tensors, temperature=TEMPERATURE)


def driven(n_side, acceleration, n_steps):
    """Argon at its triple point, accelerated (Å/ps²)."""
    system, _ = argon_system(n_side)
    integrator = periodic_perturbation_integrator(
        system, acceleration, temperature=TEMPERATURE, timestep=8.0, friction=0.3
    )
    integrator.setRandomNumberSeed(1)
    context = equilibrated(n_side, integrator, 5000)
    return periodic_perturbation_viscosity(sample_flow(context, n_steps=n_steps))


def test_diffusion_of_a_small_box():
    # 108 atoms are slower than 864, by 8 % after Yeh and Hummer; noise of 50 ps comes on top
    estimate = self_diffusion(diffusing(3, 1000, 500, platform="Reference"))
    assert estimate.value == pytest.approx(2.2e-9, rel=0.25)


@pytest.mark.slow
def test_diffusion_and_structure():
    run = diffusing(6, 3000, 1000)
    estimate = self_diffusion(run)
    assert estimate.uncertainty < 0.1e-9
    assert abs(estimate.value - 2.43e-9) < 3 * estimate.uncertainty + 0.05e-9
    found = radial_distribution(run[::100])
    assert found.distances[found.mean.argmax()] == pytest.approx(3.7, abs=0.1)
    assert 11.5 < coordination_number(run[::100]).value < 14.0


@pytest.mark.slow
def test_viscosity_by_green_and_kubo():
    estimate = green_kubo_viscosity(stressed(4, 5000, 30000))
    assert estimate.uncertainty < 0.15 * VISCOSITY
    assert abs(estimate.value - VISCOSITY) < 3 * estimate.uncertainty


@pytest.mark.slow
def test_viscosity_by_periodic_perturbation():
    # a short wave and the heat of the flow lower it by some per cent, friction raises it
    estimate = driven(4, 0.3, 60000)
    assert estimate.uncertainty < 0.08 * VISCOSITY
    assert abs(estimate.details["heating_K"]) < 0.06 * TEMPERATURE
    assert abs(estimate.value - VISCOSITY) < 3 * estimate.uncertainty + 0.05 * VISCOSITY
