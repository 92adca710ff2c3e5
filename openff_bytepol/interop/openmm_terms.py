"""Energy of a polarizable OpenMM system, term by term."""

from __future__ import annotations

from typing import Final

import numpy as np
import openmm
from numpy.typing import ArrayLike
from openmm import unit

from openff_bytepol.interop.openmm_forces import COULOMB_NEAR, VAN_DER_WAALS, VAN_DER_WAALS_NEAR
from openff_bytepol.interop.openmm_multipoles import MULTIPOLES, multipole_parts
from openff_bytepol.interop.openmm_valence import ANGLES, BONDS, IMPROPERS, PROPERS
from openff_bytepol.interop.periodic_box import box_vectors
from openff_bytepol.units import OPENMM_ENERGY, OPENMM_LENGTH

_VALENCE: Final = {
    openmm.HarmonicBondForce: BONDS,
    openmm.HarmonicAngleForce: ANGLES,
    openmm.PeriodicTorsionForce: "torsions",
}
_WITHOUT_ENERGY: Final = (
    openmm.CMMotionRemover,
    openmm.MonteCarloBarostat,
    openmm.MonteCarloAnisotropicBarostat,
    openmm.MonteCarloMembraneBarostat,
    openmm.AndersenThermostat,
)


def energy_by_term(
    system: openmm.System,
    positions: ArrayLike,
    *,
    box: ArrayLike | None = None,
    platform: str = "Reference",
) -> dict[str, float]:
    """Potential energy split as `potentials.EnergyComponents` is.

    Parameters
    ----------
    system
        Made by `create_system`, or from an Interchange.
    positions
        Å; (n_particles, 3).
    box
        Edges or reduced vectors, Å. That of the system by default.
    platform
        OpenMM platform; "Reference" computes in double precision.

    Returns
    -------
    dict
        kcal/mol. Terms ``bonds``, ``angles``, ``propers``, ``impropers``, ``repulsion``,
        ``dispersion``, ``charge_transfer``, ``permanent`` and ``induction``; ``torsions`` where
        propers and impropers share a force; other forces by their own names. Van der Waals
        terms contain their long-range corrections.

    Raises
    ------
    ForceFieldError
        If the box is not one.
    """
    parts: list[tuple[str, float, openmm.Force]] = []
    for force in system.getForces():
        if not isinstance(force, _WITHOUT_ENERGY):
            parts += _parts(force)
    alone = openmm.System()
    for index in range(system.getNumParticles()):
        alone.addParticle(system.getParticleMass(index))
    vectors = system.getDefaultPeriodicBoxVectors()
    if box is not None:
        vectors = box_vectors(box) * OPENMM_LENGTH
    alone.setDefaultPeriodicBoxVectors(*vectors)
    for group, (_, _, part) in enumerate(parts):
        part.setForceGroup(group)
        alone.addForce(part)
    context = openmm.Context(
        alone, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName(platform)
    )
    context.setPositions(np.asarray(positions, dtype=np.float64) * OPENMM_LENGTH)
    terms: dict[str, float] = {}
    for group, (name, sign, _) in enumerate(parts):
        energy = context.getState(energy=True, groups={group}).getPotentialEnergy()
        value = energy.value_in_unit(unit.kilojoule_per_mole) / OPENMM_ENERGY
        terms[name] = terms.get(name, 0.0) + sign * value
    return terms


def _parts(force: openmm.Force) -> list[tuple[str, float, openmm.Force]]:
    """Term, sign and a force that acts on it alone."""
    name = force.getName()
    if name == MULTIPOLES:
        permanent = _without_polarizabilities(force)
        return [
            ("induction", 1.0, _clone(force)),
            ("induction", -1.0, permanent),
            ("permanent", 1.0, _clone(permanent)),
        ]
    if name == COULOMB_NEAR:
        return [("permanent", 1.0, _clone(force))]
    if name == VAN_DER_WAALS:
        # What is left is charge transfer: alone, its long-range correction may not converge,
        # for lack of any tail, and OpenMM then ends the process.
        parts = [_term(force, name, name) for name in ("repulsion", "dispersion")]
        minus = [("charge_transfer", -1.0, _clone(part)) for _, _, part in parts]
        return [*parts, ("charge_transfer", 1.0, _clone(force)), *minus]
    if name == VAN_DER_WAALS_NEAR:
        return [_term(force, t, f"scale*{t}") for t in ("repulsion", "dispersion")]
    if name not in (BONDS, ANGLES, PROPERS, IMPROPERS):
        name = _VALENCE.get(type(force), name)
    return [(name, 1.0, _clone(force))]


def _term(
    force: openmm.CustomNonbondedForce | openmm.CustomBondForce, name: str, expression: str
) -> tuple[str, float, openmm.Force]:
    """Copy that computes one term instead of the sum."""
    part = _clone(force)
    definitions = part.getEnergyFunction().split(";", maxsplit=1)[1]
    part.setEnergyFunction(f"{expression};{definitions}")
    return name, 1.0, part


def _without_polarizabilities(force: openmm.Force) -> openmm.Force:
    """Copy of a multipole force with charges only."""
    part = _clone(force)
    for multipole in multipole_parts(part):
        for index in range(multipole.getNumMultipoles()):
            *others, _ = multipole.getMultipoleParameters(index)
            multipole.setMultipoleParameters(index, *others, 0.0)
    return part


def _clone(force: openmm.Force) -> openmm.Force:
    return openmm.XmlSerializer.clone(force)
