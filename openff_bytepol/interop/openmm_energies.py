"""Single-point energies of an Interchange in OpenMM, term by term."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import openmm
from openmm import unit

from openff_bytepol.exceptions import ExportError
from openff_bytepol.interop.energies import EnergyReport
from openff_bytepol.interop.ewald import ewald_settings
from openff_bytepol.interop.export_checks import without_companions
from openff_bytepol.interop.openmm_multipoles import is_polarizable
from openff_bytepol.interop.openmm_terms import energy_by_term
from openff_bytepol.units import KJ_PER_KCAL, NM_PER_ANGSTROM

if TYPE_CHECKING:
    from openff.interchange import Interchange

_BONDED: Final = {
    openmm.HarmonicBondForce: "bonds",
    openmm.HarmonicAngleForce: "angles",
    openmm.PeriodicTorsionForce: "torsions",
}


def openmm_energy(
    interchange: Interchange,
    *,
    switched: bool = True,
    ewald_tolerance: float = 1e-6,
    platform: str = "Reference",
) -> EnergyReport:
    """Energy of the fixed-charge part of an Interchange at its positions.

    Of a polarizable Interchange, that is the projection which it carries along.

    Parameters
    ----------
    interchange
        With positions; with a box where the system is periodic.
    switched
        Apply the force field's switching function to the Lennard-Jones energy; false
        for comparison with AMBER, which has none.
    ewald_tolerance
        Decides PME screening and mesh, as in `ewald_settings`.
    platform
        OpenMM platform; "Reference" computes in double precision.

    Returns
    -------
    EnergyReport

    Raises
    ------
    ExportError
        If positions are missing or a force is not one of the fixed-charge form.
    """
    _check_positions(interchange)
    system = without_companions(interchange).to_openmm(combine_nonbonded_forces=True)
    terms: dict[str, float] = {}
    for force in system.getForces():
        if type(force) in _BONDED:
            terms[_BONDED[type(force)]] = _energy(interchange, system, force, platform)
        elif isinstance(force, openmm.NonbondedForce):
            _set_pme(force, interchange, ewald_tolerance)
            force.setUseSwitchingFunction(switched and force.getUseSwitchingFunction())
            for name, part in _nonbonded_parts(force).items():
                terms[name] = _energy(interchange, system, part, platform)
        elif not isinstance(force, openmm.CMMotionRemover):
            raise ExportError(f"{force.getName()} is not a force of a fixed-charge system")
    if "dispersion_correction" in terms:
        terms["dispersion_correction"] -= terms["lennard_jones"]
    return EnergyReport(_engine(platform), terms)


def polarizable_energy(interchange: Interchange, *, platform: str = "Reference") -> EnergyReport:
    """Energy of a polarizable Interchange at its positions, as ``to_openmm`` makes it.

    Parameters
    ----------
    interchange
        With positions; with a box where the system is periodic.
    platform
        OpenMM platform; "Reference" computes in double precision.

    Returns
    -------
    EnergyReport
        Van der Waals terms contain their long-range corrections.

    Raises
    ------
    ExportError
        If positions are missing or the force field is not the polarizable one.
    """
    _check_positions(interchange)
    system = interchange.to_openmm(combine_nonbonded_forces=False)
    if not is_polarizable(system):
        raise ExportError("the Interchange is not polarizable; use openmm_energy")
    positions = interchange.positions.m_as("angstrom")
    terms = energy_by_term(system, positions, platform=platform)
    return EnergyReport(_engine(platform), {k: KJ_PER_KCAL * v for k, v in terms.items()})


def _check_positions(interchange: Interchange) -> None:
    if interchange.positions is None:
        raise ExportError("the Interchange has no positions; set interchange.positions")


def _engine(platform: str) -> str:
    return f"OpenMM {openmm.version.full_version} ({platform})"


def _set_pme(force: openmm.NonbondedForce, interchange: Interchange, tolerance: float) -> None:
    if interchange.box is None:
        return
    cutoff = force.getCutoffDistance().value_in_unit(unit.angstrom)
    ewald = ewald_settings(interchange.box.m_as("angstrom"), cutoff, tolerance)
    force.setPMEParameters(ewald.alpha / NM_PER_ANGSTROM, *ewald.mesh)


def _nonbonded_parts(force: openmm.NonbondedForce) -> dict[str, openmm.NonbondedForce]:
    """Copies of a force that act on one term each."""
    parts = {
        "lennard_jones_14": _part(force, pairs_14=True, epsilon=True),
        "coulomb_14": _part(force, pairs_14=True, charge=True),
        "lennard_jones": _part(force, epsilon=True),
        "coulomb": _part(force, charge=True),
    }
    if force.usesPeriodicBoundaryConditions():
        cutoff_only = openmm.NonbondedForce.CutoffPeriodic
        parts["lennard_jones"].setNonbondedMethod(cutoff_only)
        corrected = _part(force, epsilon=True)
        corrected.setNonbondedMethod(cutoff_only)
        corrected.setUseDispersionCorrection(force.getUseDispersionCorrection())
        parts["dispersion_correction"] = corrected
    return parts


def _part(
    force: openmm.NonbondedForce,
    *,
    pairs_14: bool = False,
    charge: bool = False,
    epsilon: bool = False,
) -> openmm.NonbondedForce:
    """A copy with charges or well depths only, of the 1-4 pairs or of all others."""
    part = openmm.XmlSerializer.clone(force)
    part.setUseDispersionCorrection(False)
    for index in range(part.getNumParticles()):
        q, sigma, depth = part.getParticleParameters(index)
        part.setParticleParameters(
            index, q * (charge and not pairs_14), sigma, depth * (epsilon and not pairs_14)
        )
    for index in range(part.getNumExceptions()):
        i, j, qq, sigma, depth = part.getExceptionParameters(index)
        part.setExceptionParameters(
            index, i, j, qq * (charge and pairs_14), sigma, depth * (epsilon and pairs_14)
        )
    if pairs_14:
        part.setNonbondedMethod(openmm.NonbondedForce.NoCutoff)
    return part


def _energy(
    interchange: Interchange, whole: openmm.System, force: openmm.Force, platform: str
) -> float:
    """Energy of one force alone, kJ/mol."""
    system = openmm.System()
    for index in range(whole.getNumParticles()):
        system.addParticle(whole.getParticleMass(index))
    system.setDefaultPeriodicBoxVectors(*whole.getDefaultPeriodicBoxVectors())
    system.addForce(openmm.XmlSerializer.clone(force))
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName(platform)
    )
    context.setPositions(interchange.positions.m_as("nanometer"))
    energy = context.getState(energy=True).getPotentialEnergy()
    return float(energy.value_in_unit(unit.kilojoule_per_mole))
