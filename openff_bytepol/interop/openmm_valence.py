"""Bonds, angles and torsions as OpenMM forces."""

from __future__ import annotations

import math
from typing import Final

import openmm

from openff_bytepol.interop.layout import Floats, Integers, Layout
from openff_bytepol.parameters import PROPER_PERIODICITIES
from openff_bytepol.units import OPENMM_ANGLE_K, OPENMM_BOND_K, OPENMM_ENERGY, OPENMM_LENGTH

BONDS: Final = "bonds"
ANGLES: Final = "angles"
PROPERS: Final = "propers"
IMPROPERS: Final = "impropers"


def valence_forces(layout: Layout) -> list[openmm.Force]:
    """Harmonic bonds and angles, and periodic torsions, of all molecules.

    Torsions of height zero are left out: linear groups, where dihedrals are undefined,
    have no others.

    Parameters
    ----------
    layout
        Molecules of the system.

    Returns
    -------
    list of openmm.Force
        Named, in force group 0; forces without terms are left out.
    """
    bonds = openmm.HarmonicBondForce()
    particles, values = layout.terms("bonds")
    for atoms, r0, k in zip(
        particles.tolist(),
        (values["bond_r0"] * OPENMM_LENGTH).tolist(),
        (values["bond_k"] * OPENMM_BOND_K).tolist(),
        strict=True,
    ):
        bonds.addBond(*atoms, r0, k)
    angles = openmm.HarmonicAngleForce()
    particles, values = layout.terms("angles")
    for atoms, theta0, k in zip(
        particles.tolist(),
        values["angle_theta0"].clip(max=math.pi).tolist(),  # linear groups of imported models
        (values["angle_k"] * OPENMM_ANGLE_K).tolist(),
        strict=True,
    ):
        angles.addAngle(*atoms, theta0, k)
    propers = openmm.PeriodicTorsionForce()
    particles, values = layout.terms("propers")
    for periodicity in PROPER_PERIODICITIES:
        phase = 0.0 if periodicity % 2 else math.pi
        _add_torsions(
            propers, particles, periodicity, phase, values["proper_k"][:, periodicity - 1]
        )
    impropers = openmm.PeriodicTorsionForce()
    particles, values = layout.terms("impropers")
    _add_torsions(impropers, particles, 2, math.pi, values["improper_k"])
    forces = {BONDS: bonds, ANGLES: angles, PROPERS: propers, IMPROPERS: impropers}
    for name, force in forces.items():
        force.setName(name)
    terms = (bonds.getNumBonds(), angles.getNumAngles())
    counts = (*terms, propers.getNumTorsions(), impropers.getNumTorsions())
    return [force for force, count in zip(forces.values(), counts, strict=True) if count]


def _add_torsions(
    force: openmm.PeriodicTorsionForce,
    particles: Integers,
    periodicity: int,
    phase: float,
    barriers: Floats,
) -> None:
    rows = barriers != 0.0
    heights = (barriers[rows] * OPENMM_ENERGY).tolist()
    for atoms, k in zip(particles[rows].tolist(), heights, strict=True):
        force.addTorsion(*atoms, periodicity, phase, k)
