"""Charges and induced dipoles in stock OpenMM.

``AmoebaMultipoleForce`` hard-codes its scale factors, but its covalent maps decide which
1-4 pairs feel them. Charges act on dipoles through two fields, "d" and "p", each of which
can be switched on or off for 1-4 pairs, and the induction energy

    B(d, p) = -1/2·(F0 + d·F1)·A⁻¹·(F0 + p·F1),

with F1 the field of the 1-4 pairs, F0 that of all others and A the dipole response, is
linear in both. A scale s between 0 and 1 is therefore exactly

    B(s, s) = s²·B(1, 1) + 2s(1 - s)·B(1, 0) + (1 - s)²·B(0, 0),

three forces weighted by a ``CustomCVForce``. The weights cannot be put into the charges of
three plain forces: on GPUs all forces of a context share one array of charges, and the
last one would win without notice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import openmm
from openmm import AmoebaMultipoleForce

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.interop.layout import Layout
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.settings import DIPOLE_TOLERANCES, Solver
from openff_bytepol.units import OPENMM_POLARIZABILITY

MULTIPOLES: Final = "charges and induced dipoles"
"""Name of the force."""

PERMANENT_15: Final = 0.8
"""What AmoebaMultipoleForce keeps of the charge-charge energy of 1-5 pairs."""

_PERMANENT_14: Final = 0.4
_ORIGIN: Final = (0.0,) * 3
_TRACELESS: Final = (0.0,) * 9


class _Part(NamedTuple):
    """One AmoebaMultipoleForce: whether 1-4 fields act through d and p, and its weight."""

    direct: bool
    polar: bool
    weight: float


def _parts(scale: float) -> list[_Part]:
    parts = [
        _Part(True, True, scale**2),
        _Part(True, False, 2.0 * scale * (1.0 - scale)),
        _Part(False, False, (1.0 - scale) ** 2),
    ]
    return [part for part in parts if part.weight > 0.0]


def permanent_14(scale: float) -> float:
    """Factor on the charge-charge energy of 1-4 pairs that the multipole force contains.

    Parameters
    ----------
    scale
        Factor on the field of a charge three bonds away (``induction_14``).
    """
    return _PERMANENT_14 * scale**2


def multipole_force(
    layout: Layout,
    *,
    periodic: bool,
    cutoff: float,
    ewald_tolerance: float,
    mutual_tolerance: float,
) -> openmm.Force:
    """Energy of charges and mutually induced dipoles.

    Parameters
    ----------
    layout
        Molecules of the system.
    periodic
        Particle mesh Ewald with the given cutoff, or neither box nor cutoff.
    cutoff
        nm.
    ewald_tolerance
        Relative error of the forces that sets screening and mesh.
    mutual_tolerance
        Largest change of the induced dipoles on convergence (root mean square, debye).

    Returns
    -------
    openmm.Force
        An ``AmoebaMultipoleForce`` where ``induction_14`` is 0 or 1, otherwise a
        ``CustomCVForce`` over three.
    """

    def build(part: _Part) -> AmoebaMultipoleForce:
        force = _amoeba_force(layout, part)
        force.setPolarizationType(AmoebaMultipoleForce.Mutual)
        force.setMutualInducedMaxIterations(200)
        force.setMutualInducedTargetEpsilon(mutual_tolerance)
        if periodic:
            force.setNonbondedMethod(AmoebaMultipoleForce.PME)
            force.setCutoffDistance(cutoff)
            force.setEwaldErrorTolerance(ewald_tolerance)
        return force

    parts = _parts(layout.settings.induction_14)
    if len(parts) == 1:
        force: openmm.Force = build(parts[0])
    else:
        variables = [f"B{int(part.direct)}{int(part.polar)}" for part in parts]
        weighted = (f"{p.weight!r}*{name}" for p, name in zip(parts, variables, strict=True))
        force = openmm.CustomCVForce("+".join(weighted))
        for part, name in zip(parts, variables, strict=True):
            force.addCollectiveVariable(name, build(part))
    force.setName(MULTIPOLES)
    return force


def induction_scale(force: openmm.Force) -> float:
    """Factor on the field of a charge three bonds away in a force that `multipole_force` made.

    Parameters
    ----------
    force
        One ``AmoebaMultipoleForce``, or a ``CustomCVForce`` over three.

    Raises
    ------
    ForceFieldError
        If it is neither, or a field acts on one of the two kinds of dipoles only.
    """
    if isinstance(force, openmm.CustomCVForce):
        weight, _, name = force.getEnergyFunction().partition("+")[0].partition("*")
        if name == "B11":
            return math.sqrt(float(weight))
    elif isinstance(force, AmoebaMultipoleForce):
        return float(any(_covalent_14(force)))
    raise ForceFieldError(f"{force.getName()} is not a force of charges and induced dipoles")


def _covalent_14(force: AmoebaMultipoleForce) -> Iterator[int]:
    for index in range(force.getNumMultipoles()):
        yield len(force.getCovalentMap(index, AmoebaMultipoleForce.Covalent14))


def is_polarizable(system: openmm.System) -> bool:
    """Whether a system holds the force that `multipole_force` makes."""
    return any(force.getName() == MULTIPOLES for force in system.getForces())


def multipole_parts(force: openmm.Force) -> list[AmoebaMultipoleForce]:
    """A force that `multipole_force` made: itself, or the three that make it up.

    Changes to them are changes to the force.
    """
    if isinstance(force, AmoebaMultipoleForce):
        return [force]
    indices = range(force.getNumCollectiveVariables())
    return [force.getCollectiveVariable(index) for index in indices]


def set_solver(system: openmm.System, solver: Solver) -> None:
    """Solve for induced dipoles to the tolerance of a mode, in place.

    Systems that are not polarizable stay as they are.

    Parameters
    ----------
    system
        With a force that `multipole_force` makes.
    solver
        A key of `settings.DIPOLE_TOLERANCES`.

    Raises
    ------
    ForceFieldError
        If there is no such mode.
    """
    if solver not in DIPOLE_TOLERANCES:
        raise ForceFieldError(
            f"there is no solver {solver!r}; choose from {', '.join(DIPOLE_TOLERANCES)}"
        )
    for force in system.getForces():
        if force.getName() != MULTIPOLES:
            continue
        for part in multipole_parts(force):
            part.setMutualInducedTargetEpsilon(DIPOLE_TOLERANCES[solver])


def _amoeba_force(layout: Layout, part: _Part) -> AmoebaMultipoleForce:
    force = AmoebaMultipoleForce()
    no_axes = (AmoebaMultipoleForce.NoAxisType, -1, -1, -1, layout.settings.thole)
    charges = layout.atoms["charges"].tolist()
    dampings = ((layout.atoms["dampings"] * OPENMM_POLARIZABILITY) ** (1.0 / 6.0)).tolist()
    alphas = (layout.atoms["polarizabilities"] * OPENMM_POLARIZABILITY).tolist()
    for charge, damping, alpha in zip(charges, dampings, alphas, strict=True):
        force.addMultipole(charge, _ORIGIN, _TRACELESS, *no_axes, damping, alpha)
    for parameters, copies in zip(layout.types, layout.copies, strict=True):
        maps = list(_covalent_maps(parameters, part))
        for particles in copies.tolist():
            for atom, kind, others in maps:
                force.setCovalentMap(particles[atom], kind, [particles[i] for i in others])
    return force


def _covalent_maps(parameters: ParameterSet, part: _Part) -> Iterator[tuple[int, int, list[int]]]:
    """Atom, kind of map and the atoms in it, for one molecule.

    All pairs up to 1-5 are listed, so that the pairs that count as excluded are those of
    the van der Waals force, as GPU platforms demand.
    """
    near = [_neighbours(pairs.tolist(), parameters.n_atoms) for pairs in parameters.pairs]
    for atom, (bonded, angle, torsion, far) in enumerate(zip(*near, strict=True)):
        maps = {
            AmoebaMultipoleForce.Covalent12: bonded,
            AmoebaMultipoleForce.Covalent13: angle if part.polar else angle + torsion,
            AmoebaMultipoleForce.Covalent14: torsion if part.polar else [],
            AmoebaMultipoleForce.Covalent15: far,
            AmoebaMultipoleForce.PolarizationCovalent11: [
                atom,
                *bonded,
                *angle,
                *([] if part.direct else torsion),
            ],
        }
        yield from ((atom, kind, others) for kind, others in maps.items() if others)


def _neighbours(pairs: list[list[int]], n_atoms: int) -> list[list[int]]:
    lists: list[list[int]] = [[] for _ in range(n_atoms)]
    for i, j in pairs:
        lists[i].append(j)
        lists[j].append(i)
    return lists
