"""Energies and forces of OpenMM systems by kind of force, in kJ/mol and nm."""

from __future__ import annotations

import numpy as np
import openmm
from openff.interchange import Interchange
from openmm import unit

ENERGY = unit.kilojoule_per_mole


def force_energies(
    interchange: Interchange, *, combine_nonbonded_forces: bool = True
) -> tuple[dict[str, float], np.ndarray]:
    """Energy of every class of force (kJ/mol) and the total force (kJ/mol/nm).

    Bonds, angles and torsions go by the name of their class, all else is "nonbonded".
    """
    system = interchange.to_openmm(combine_nonbonded_forces=combine_nonbonded_forces)
    names = []
    for index, force in enumerate(system.getForces()):
        force.setForceGroup(index)
        if isinstance(force, openmm.AmoebaMultipoleForce):
            force.setMutualInducedTargetEpsilon(1e-9)
        name = type(force).__name__
        bonded = name in ("HarmonicBondForce", "HarmonicAngleForce", "PeriodicTorsionForce")
        names.append(name if bonded else "nonbonded")
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(interchange.positions.m_as("nanometer"))
    energies = dict.fromkeys(names, 0.0)
    for index, name in enumerate(names):
        state = context.getState(getEnergy=True, groups={index})
        energies[name] += state.getPotentialEnergy().value_in_unit(ENERGY)
    forces = context.getState(getForces=True).getForces(asNumpy=True)
    return energies, forces.value_in_unit(ENERGY / unit.nanometer)


def total(interchange: Interchange) -> float:
    return sum(force_energies(interchange)[0].values())
