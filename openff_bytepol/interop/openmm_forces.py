"""The nonbonded forces of the polarizable model in stock OpenMM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import numpy as np
import openmm

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.interop.layout import Layout, Placements
from openff_bytepol.interop.openmm_multipoles import (
    PERMANENT_15,
    multipole_force,
    permanent_14,
)
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.settings import NonbondedSettings
from openff_bytepol.units import (
    COULOMB,
    OPENMM_C6,
    OPENMM_CT_EPSILON,
    OPENMM_ENERGY,
    OPENMM_LENGTH,
    OPENMM_S12,
)

NonbondedMethod: TypeAlias = Literal["PME", "NoCutoff"]

DEFAULT_CUTOFF: Final = 10.0
"""Å"""
EWALD_TOLERANCE: Final = 5e-5
MUTUAL_TOLERANCE: Final = 1e-5

VAN_DER_WAALS: Final = "van der Waals"
VAN_DER_WAALS_NEAR: Final = "van der Waals of 1-4 and 1-5 pairs"
COULOMB_NEAR: Final = "charge-charge correction of 1-4 and 1-5 pairs"

FAST_GROUP: Final = 0
"""Force group of bonded terms and 1-4 and 1-5 pairs: the inner step."""
SLOW_GROUP: Final = 1
"""Force group of everything between molecules: the outer step."""


_MIXING: Final = (
    "epsilon=root_epsilon1*root_epsilon2; lambda=root_lambda1*root_lambda2; "
    "C6=root_C61*root_C62; ct_epsilon=root_ct_epsilon1*root_ct_epsilon2; "
    "ct_lambda=root_ct_lambda1*root_ct_lambda2; R=half_R1+half_R2"
)
_PER_PARTICLE: Final = {
    "root_epsilon": ("epsilons", OPENMM_ENERGY),
    "root_lambda": ("lambdas", 1.0),
    "root_C6": ("c6", OPENMM_C6),
    "root_ct_epsilon": ("ct_epsilons", OPENMM_CT_EPSILON),
    "root_ct_lambda": ("ct_lambdas", 1.0),
}


def _energy_function(settings: NonbondedSettings, sum_of_terms: str, mixing: str = "") -> str:
    """OpenMM expression of a sum of named terms, in nm and kJ/mol.

    The terms follow the sum as definitions of their own, so that one of them can be
    computed alone by replacing the sum. Source: ByteFF-Pol, arXiv:2508.08575; C8 ours.
    """
    s12 = settings.repulsion_s12 * OPENMM_S12
    damping = settings.dispersion_damping
    c8 = f"-{settings.dispersion_c8!r}*C6*R^2/({damping ** (4 / 3)!r}*R^8+r^8)"
    terms = {
        "repulsion": f"6*epsilon*exp(lambda*(1-x))+({s12!r}/r)^12",
        "dispersion": f"-C6/({damping!r}*R^6+r^6)" + (c8 if settings.dispersion_c8 else ""),
        "charge_transfer": "-ct_epsilon*exp(-(ct_lambda*x)^3)/r^4",
    }
    used = [f"{name}={term}" for name, term in terms.items() if name in sum_of_terms]
    return "; ".join([sum_of_terms, *used, "x=r/R", *([mixing] if mixing else [])])


def polarizable_forces(
    parameters: Sequence[ParameterSet],
    placements: Placements,
    *,
    n_particles: int,
    nonbonded_method: NonbondedMethod = "PME",
    cutoff: float = DEFAULT_CUTOFF,
    switch_distance: float | None = None,
    ewald_tolerance: float = EWALD_TOLERANCE,
    mutual_tolerance: float = MUTUAL_TOLERANCE,
    long_range_correction: bool = True,
) -> list[openmm.Force]:
    """Charges, induced dipoles, repulsion, dispersion and charge transfer.

    A system that holds these forces must not hold a ``NonbondedForce``, not even one with
    all parameters zero: GPU platforms keep one array of charges per context.

    Parameters
    ----------
    parameters
        One set per molecule type.
    placements
        For every molecule, the index of its type and the particle of each of its atoms.
    n_particles
        Particles of the system; every one must belong to a molecule.
    nonbonded_method
        "PME" in a periodic box, "NoCutoff" without.
    cutoff
        Å; used with "PME" only.
    switch_distance
        Where the van der Waals energy starts to be switched off, Å; not at all by default.
    ewald_tolerance
        Relative error of the PME forces, which sets screening and mesh.
    mutual_tolerance
        Largest change of the induced dipoles on convergence (root mean square, debye).
        Not below about 1e-6 in single and mixed precision.
    long_range_correction
        Add the isotropic van der Waals energy beyond the cutoff. It is integrated over
        all pairs of distinct atoms when a context is made: 1 s for 100 of them.

    Returns
    -------
    list of openmm.Force
        Named, in `FAST_GROUP` or `SLOW_GROUP`; forces without terms are left out.

    Raises
    ------
    ForceFieldError
        If the placements do not cover the particles, or the method is unknown.
    ParameterError
        If parameters are out of range or settings differ between molecules.
    """
    layout = Layout.from_placements(parameters, placements, n_particles)
    if nonbonded_method not in ("PME", "NoCutoff"):
        raise ForceFieldError(
            f"unknown nonbonded method {nonbonded_method!r}; choose 'PME' or 'NoCutoff'"
        )
    periodic = nonbonded_method == "PME"
    slow = [
        multipole_force(
            layout,
            periodic=periodic,
            cutoff=cutoff * OPENMM_LENGTH,
            ewald_tolerance=ewald_tolerance,
            mutual_tolerance=mutual_tolerance,
        ),
        _van_der_waals_force(layout, periodic, cutoff, switch_distance, long_range_correction),
    ]
    fast = [_near_van_der_waals_force(layout), _near_coulomb_force(layout)]
    for force in slow:
        force.setForceGroup(SLOW_GROUP)
    for force in fast:
        force.setForceGroup(FAST_GROUP)
    return [*slow, *(force for force in fast if force.getNumBonds())]


def _van_der_waals_force(
    layout: Layout,
    periodic: bool,
    cutoff: float,
    switch_distance: float | None,
    long_range_correction: bool,
) -> openmm.CustomNonbondedForce:
    force = openmm.CustomNonbondedForce(
        _energy_function(layout.settings, "repulsion+dispersion+charge_transfer", _MIXING)
    )
    force.setName(VAN_DER_WAALS)
    columns = [0.5 * layout.atoms["radii"] * OPENMM_LENGTH]
    force.addPerParticleParameter("half_R")
    for name, (source, unit) in _PER_PARTICLE.items():
        force.addPerParticleParameter(name)
        columns.append(np.sqrt(layout.atoms[source] * unit))
    for row in np.stack(columns, axis=1).tolist():
        force.addParticle(row)
    force.createExclusionsFromBonds(layout.bonds.tolist(), 4)
    if periodic:
        force.setNonbondedMethod(openmm.CustomNonbondedForce.CutoffPeriodic)
        force.setCutoffDistance(cutoff * OPENMM_LENGTH)
        force.setUseLongRangeCorrection(long_range_correction)
        if switch_distance is not None:
            force.setUseSwitchingFunction(True)
            force.setSwitchingDistance(switch_distance * OPENMM_LENGTH)
    return force


def _near_pairs(layout: Layout) -> tuple[np.ndarray, np.ndarray, int]:
    """First and second particle of the 1-4 and then the 1-5 pairs, and how many are 1-4."""
    pairs_14, pairs_15 = layout.pairs("pairs_14"), layout.pairs("pairs_15")
    first, second = np.concatenate([pairs_14, pairs_15]).T
    return first, second, len(pairs_14)


def _near_van_der_waals_force(layout: Layout) -> openmm.CustomBondForce:
    settings = layout.settings
    force = openmm.CustomBondForce(_energy_function(settings, "scale*(repulsion+dispersion)"))
    force.setName(VAN_DER_WAALS_NEAR)
    first, second, n_14 = _near_pairs(layout)
    atoms = layout.atoms
    columns = {
        "scale": np.where(np.arange(len(first)) < n_14, settings.vdw_14, 1.0),
        "R": 0.5 * (atoms["radii"][first] + atoms["radii"][second]) * OPENMM_LENGTH,
    }
    for name in ("epsilon", "lambda", "C6"):
        source, unit = _PER_PARTICLE[f"root_{name}"]
        columns[name] = np.sqrt(atoms[source][first] * atoms[source][second]) * unit
    _add_pairs(force, first, second, columns)
    return force


def _near_coulomb_force(layout: Layout) -> openmm.CustomBondForce:
    """What the multipole force leaves out of, or adds to, near charge-charge energies."""
    settings = layout.settings
    force = openmm.CustomBondForce("qq/r")
    force.setName(COULOMB_NEAR)
    first, second, n_14 = _near_pairs(layout)
    missing_14 = settings.charge_14 - permanent_14(settings.induction_14)
    scale = np.where(np.arange(len(first)) < n_14, missing_14, 1.0 - PERMANENT_15)
    charges = layout.atoms["charges"]
    constant = COULOMB * OPENMM_ENERGY * OPENMM_LENGTH
    _add_pairs(force, first, second, {"qq": constant * scale * charges[first] * charges[second]})
    return force


def _add_pairs(
    force: openmm.CustomBondForce,
    first: np.ndarray,
    second: np.ndarray,
    columns: dict[str, np.ndarray],
) -> None:
    for name in columns:
        force.addPerBondParameter(name)
    rows = np.stack(list(columns.values()), axis=1).tolist()
    for i, j, row in zip(first.tolist(), second.tolist(), rows, strict=True):
        force.addBond(i, j, row)
