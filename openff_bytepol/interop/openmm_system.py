"""Complete polarizable systems, made from parameters alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import openmm
from numpy.typing import ArrayLike
from openmm import app, unit

from openff_bytepol.constraints import fixed_distances
from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.interop.layout import Layout, Placements
from openff_bytepol.interop.openmm_forces import DEFAULT_CUTOFF, polarizable_forces
from openff_bytepol.interop.openmm_valence import valence_forces
from openff_bytepol.interop.periodic_box import box_vectors, check_cutoff
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.units import OPENMM_LENGTH


def create_system(
    parameters: Sequence[ParameterSet],
    placements: Placements,
    *,
    box: ArrayLike | None = None,
    masses: Sequence[float] | None = None,
    cutoff: float = DEFAULT_CUTOFF,
    constraints: bool = False,
    remove_center_of_mass_motion: bool = True,
    **nonbonded: Any,
) -> openmm.System:
    """System of molecules with bonded and polarizable nonbonded forces.

    Parameters
    ----------
    parameters
        One set per molecule type.
    placements
        For every molecule, the index of its type and the particle of each of its atoms.
    box
        Edges or reduced vectors, Å: particle mesh Ewald. Without one there is no cutoff.
    masses
        Of the particles, dalton; natural elements by default.
    cutoff
        Å; used in a box only.
    constraints
        Hold the distances of `fixed_distances`, as ``bytepol.offxml`` does.
    remove_center_of_mass_motion
        Add a ``CMMotionRemover``.
    nonbonded
        Other options of `polarizable_forces`.

    Returns
    -------
    openmm.System

    Raises
    ------
    CutoffError
        If the cutoff is longer than half the shortest box width.
    ForceFieldError
        If placements do not cover the particles 0, 1, … exactly once, or masses are not one
        per particle.
    ParameterError
        If parameters are out of range or settings differ between molecules.
    """
    if box is not None:
        check_cutoff(box, cutoff)
    n_particles = sum(len(particles) for _, particles in placements)
    layout = Layout.from_placements(parameters, placements, n_particles)
    if masses is None:
        masses = [_mass(number) for number in layout.atomic_numbers.tolist()]
    if len(masses) != n_particles:
        raise ForceFieldError(f"{len(masses)} masses for {n_particles} particles")
    system = openmm.System()
    for mass in masses:
        system.addParticle(mass)
    if box is not None:
        system.setDefaultPeriodicBoxVectors(*(box_vectors(box) * OPENMM_LENGTH))
    forces = valence_forces(layout) + polarizable_forces(
        parameters,
        placements,
        n_particles=n_particles,
        nonbonded_method="NoCutoff" if box is None else "PME",
        cutoff=cutoff,
        **nonbonded,
    )
    if remove_center_of_mass_motion:
        forces.append(openmm.CMMotionRemover())
    for force in forces:
        system.addForce(force)
    if constraints:
        _constrain(system, parameters, placements)
    return system


def _constrain(
    system: openmm.System, parameters: Sequence[ParameterSet], placements: Placements
) -> None:
    distances = [fixed_distances(one) for one in parameters]
    for kind, particles in placements:
        for first, second, distance in distances[kind]:
            system.addConstraint(particles[first], particles[second], distance * OPENMM_LENGTH)


@cache
def _mass(atomic_number: int) -> float:
    mass = app.Element.getByAtomicNumber(atomic_number).mass
    return float(mass.value_in_unit(unit.dalton))
