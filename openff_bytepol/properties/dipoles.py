"""Dipole moment of a simulated box."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.interop.openmm_multipoles import is_polarizable
from openff_bytepol.interop.openmm_polarization import is_kernel, recorded_results
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
        If no force holds charges, or polarization is scaled between 1-4 atoms on a platform
        other than CPU.
    """
    import openmm

    for index, force in enumerate(system.getForces()):
        if is_kernel(force):
            charges = pickle.loads(force.getPickledFunction()).sites.charges
            return _of_kernel(np.asarray(charges), 1 << force.getForceGroup())
        if isinstance(force, openmm.NonbondedForce):
            return _fixed(_charges(force.getParticleParameters, force.getNumParticles()))
        if isinstance(force, openmm.AmoebaMultipoleForce):
            charges = _charges(force.getMultipoleParameters, force.getNumMultipoles())
            return _induced(charges, index)
    if is_polarizable(system):
        raise ForceFieldError(
            "dipole moments of models with scaled 1-4 induction need platform CPU, with more than "
            "100 atoms"
        )
    raise ForceFieldError("no force of the system holds charges, so it has no dipole moment")


def _of_kernel(charges: Floats, groups: int) -> Measure:
    """Dipoles that the kernel has found for the present positions, or finds again."""

    def measure(simulation: Simulation, positions: Floats) -> Floats:
        with recorded_results() as results:
            simulation.context.getState(energy=True, groups=groups)
        return np.asarray(charges @ positions + results[-1].dipoles.sum(axis=0))

    return measure


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
