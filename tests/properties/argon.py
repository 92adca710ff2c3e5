"""Lennard-Jones argon near its triple point in OpenMM."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import openmm
from openmm import unit

SIGMA: Final = 3.405
"""Å"""
EPSILON: Final = 119.8 * 0.0083144626
"""kJ/mol"""
MASS: Final = 39.948
TIME: Final = SIGMA * 0.1 * math.sqrt(MASS / EPSILON)
"""Unit of time, ps."""
TEMPERATURE: Final = 0.722 * 119.8
DENSITY: Final = 0.8442
"""Per σ³."""
VISCOSITY: Final = 3.24 * math.sqrt(MASS * EPSILON) / (0.1 * SIGMA) ** 2 * 1.66053906660e-3
"""mPa·s, 3.24 ± 0.04 in reduced units: Ferrario et al., Phys. Rev. A 1991, 44, 6936."""


def argon_system(
    n_side: int, cutoff: float = 2.5, density: float = DENSITY
) -> tuple[openmm.System, np.ndarray]:
    """4·n_side³ atoms on a face-centred lattice (nm); cutoff in σ."""
    edge = n_side * (4.0 / density) ** (1.0 / 3.0) * SIGMA
    cell = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    grid = np.stack(np.meshgrid(*[np.arange(n_side)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    positions = (grid + cell).reshape(-1, 3) * edge / n_side * 0.1
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors(*(np.eye(3) * edge * 0.1))
    force = openmm.CustomNonbondedForce("4*epsilon*((sigma/r)^12-(sigma/r)^6)")
    force.addGlobalParameter("sigma", SIGMA * 0.1)
    force.addGlobalParameter("epsilon", EPSILON)
    force.setNonbondedMethod(openmm.CustomNonbondedForce.CutoffPeriodic)
    force.setCutoffDistance(cutoff * SIGMA * 0.1)
    force.setUseSwitchingFunction(True)
    force.setSwitchingDistance(0.9 * cutoff * SIGMA * 0.1)
    for _ in positions:
        system.addParticle(MASS)
        force.addParticle([])
    system.addForce(force)
    return system, positions


def equilibrated(
    n_side: int,
    integrator: openmm.Integrator,
    n_steps: int,
    platform: str = "CPU",
    cutoff: float = 2.5,
    density: float = DENSITY,
    temperature: float = TEMPERATURE,
) -> openmm.Context:
    """Melted from the lattice with the given integrator."""
    system, positions = argon_system(n_side, cutoff, density)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName(platform))
    context.setPositions(positions)
    context.setVelocitiesToTemperature(2.0 * temperature * unit.kelvin, 1)
    integrator.step(n_steps)
    return context
