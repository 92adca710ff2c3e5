"""Dipole moment of a simulated box."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.interop.openmm_multipoles import is_polarizable
from openff_bytepol.interop.system_dipole import system_dipole
from openff_bytepol.properties.observables import Floats
from openff_bytepol.properties.recorders import Measure

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

    if is_polarizable(system):
        return _of_polarizable
    for force in system.getForces():
        if isinstance(force, openmm.NonbondedForce):
            n_particles = force.getNumParticles()
            charges = np.array(
                [force.getParticleParameters(i)[0]._value for i in range(n_particles)]
            )
            return lambda _, positions: np.asarray(charges @ positions)
    raise ForceFieldError("no force of the system holds charges, so it has no dipole moment")


def _of_polarizable(simulation: Simulation, _: Floats) -> Floats:
    return system_dipole(simulation)
