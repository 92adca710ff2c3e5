"""Dipole moment of a simulated box."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.properties.observables import Floats
from openff_bytepol.properties.recorders import Measure
from openff_bytepol.units import NM_PER_ANGSTROM

if TYPE_CHECKING:
    import openmm
    from openmm.app import Simulation


def dipole_measure(system: openmm.System) -> Measure:
    """How to measure the dipole moment Σ(q·r + μ_induced) of a box, e·Å.

    Raises
    ------
    ForceFieldError
        If no force holds charges.
    """
    import openmm

    for index, force in enumerate(system.getForces()):
        if isinstance(force, openmm.NonbondedForce):
            return _fixed(_charges(force.getParticleParameters, force.getNumParticles()))
        if isinstance(force, openmm.AmoebaMultipoleForce):
            charges = _charges(force.getMultipoleParameters, force.getNumMultipoles())
            return _induced(charges, index)
    raise ForceFieldError("no force of the system holds charges, so it has no dipole moment")


def _charges(parameters_of: Callable[[int], Any], n_particles: int) -> Floats:
    return np.array([parameters_of(i)[0]._value for i in range(n_particles)])


def _fixed(charges: Floats) -> Measure:
    def measure(_: Simulation, positions: Floats) -> Floats:
        return np.asarray(charges @ positions)

    return measure


def _induced(charges: Floats, index: int) -> Measure:
    def measure(simulation: Simulation, positions: Floats) -> Floats:
        force = simulation.system.getForce(index)
        induced = np.asarray(force.getInducedDipoles(simulation.context)).sum(axis=0)
        return np.asarray(charges @ positions + induced / NM_PER_ANGSTROM)

    return measure
