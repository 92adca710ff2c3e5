"""Energies and forces of OpenMM systems in the package's units."""

from __future__ import annotations

import numpy as np
import openmm
from openmm import unit

from openff_bytepol.units import OPENMM_ENERGY, OPENMM_FORCE, OPENMM_LENGTH


def context(
    system: openmm.System, positions: np.ndarray, platform: str = "Reference"
) -> openmm.Context:
    made = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName(platform)
    )
    made.setPositions(np.asarray(positions) * OPENMM_LENGTH)
    return made


def total_energy(made: openmm.Context) -> float:
    """kcal/mol"""
    energy = made.getState(energy=True).getPotentialEnergy()
    return energy.value_in_unit(unit.kilojoule_per_mole) / OPENMM_ENERGY


def energy(system: openmm.System, positions: np.ndarray, platform: str = "Reference") -> float:
    """kcal/mol"""
    return total_energy(context(system, positions, platform))


def forces(made: openmm.Context) -> np.ndarray:
    """kcal/mol/Å"""
    values = made.getState(forces=True).getForces(asNumpy=True)
    return values.value_in_unit(unit.kilojoule_per_mole / unit.nanometer) / OPENMM_FORCE


def directional_derivative(
    made: openmm.Context, positions: np.ndarray, direction: np.ndarray, step: float = 2e-3
) -> float:
    """Fourth-order difference of the energy along a displacement, kcal/mol/Å."""
    energies = []
    for shift in (-2, -1, 1, 2):
        made.setPositions((positions + shift * step * direction) * OPENMM_LENGTH)
        energies.append(total_energy(made))
    made.setPositions(positions * OPENMM_LENGTH)
    return (energies[0] - 8 * energies[1] + 8 * energies[2] - energies[3]) / (12 * step)


def alone(
    forces_: list[openmm.Force], n_particles: int, box: np.ndarray | None = None
) -> openmm.System:
    """System of unit masses with nothing but some forces."""
    system = openmm.System()
    for _ in range(n_particles):
        system.addParticle(1.0)
    if box is not None:
        system.setDefaultPeriodicBoxVectors(*(np.diag(box) * OPENMM_LENGTH))
    for force in forces_:
        system.addForce(openmm.XmlSerializer.clone(force))
    return system
