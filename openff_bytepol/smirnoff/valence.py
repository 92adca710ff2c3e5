"""Bonded collections of an Interchange.

They keep the names and forms of the standard collections they derive from, so every
exporter reads them as those. Sources of the forms: SMIRNOFF specification
(https://openforcefield.github.io/standards/standards/smirnoff/).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from openff.interchange.components.potentials import Potential
from openff.interchange.exceptions import InvalidParameterHandlerError
from openff.interchange.models import (
    AngleKey,
    BondKey,
    ImproperTorsionKey,
    PotentialKey,
    ProperTorsionKey,
)
from openff.interchange.smirnoff._valence import (
    SMIRNOFFAngleCollection,
    SMIRNOFFBondCollection,
    SMIRNOFFConstraintCollection,
    SMIRNOFFImproperTorsionCollection,
    SMIRNOFFProperTorsionCollection,
)
from openff.toolkit import Quantity, unit

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.smirnoff.deferred import DeferredCollection
from openff_bytepol.smirnoff.handlers import (
    BytePolAngleHandler,
    BytePolBondHandler,
    BytePolConstraintHandler,
    BytePolHandler,
    BytePolImproperTorsionHandler,
    BytePolProperTorsionHandler,
)
from openff_bytepol.smirnoff.prediction import Placement, PredictedMolecule, predict_topology
from openff_bytepol.smirnoff.terms import Column, Terms, fill
from openff_bytepol.units import OPENMM_ANGLE_K, OPENMM_BOND_K, OPENMM_ENERGY, OPENMM_LENGTH

if TYPE_CHECKING:
    from openff.toolkit import Topology

    from openff_bytepol.parameters import ParameterSet
    from openff_bytepol.projection import FixedChargeParameters

ENERGY: Final = unit.kilojoule / unit.mole
LENGTH: Final = unit.nanometer
ANGLE: Final = unit.radian
NUMBER: Final = unit.dimensionless
"""Units of stored parameters: OpenMM's, in which Interchange exports them fastest."""

HandlerTypes = list[type[BytePolHandler]]


def predict_for(collection: type, handler: BytePolHandler, topology: Topology) -> list[Placement]:
    """Predictions of a section's model for the molecules of a topology.

    Raises
    ------
    InvalidParameterHandlerError
        If the collection was not made for the section, as Interchange does.
    """
    if type(handler) not in collection.allowed_parameter_handlers():  # type: ignore[attr-defined]
        raise InvalidParameterHandlerError(f"{collection.__name__} cannot use {type(handler)}")
    return predict_topology(handler.model, handler.sha256, topology)


class BytePolBondCollection(SMIRNOFFBondCollection):
    """Harmonic bonds."""

    @classmethod
    def allowed_parameter_handlers(cls) -> HandlerTypes:
        return [BytePolBondHandler]

    @classmethod
    def create(cls, parameter_handler: BytePolBondHandler, topology: Topology) -> Self:
        placements = predict_for(cls, parameter_handler, topology)
        collection = cls()
        fill(collection, "Bonds", placements, bond_terms, _bond_key)
        return collection


class BytePolAngleCollection(SMIRNOFFAngleCollection):
    """Harmonic angles."""

    @classmethod
    def allowed_parameter_handlers(cls) -> HandlerTypes:
        return [BytePolAngleHandler]

    @classmethod
    def create(cls, parameter_handler: BytePolAngleHandler, topology: Topology) -> Self:
        placements = predict_for(cls, parameter_handler, topology)
        collection = cls()
        fill(collection, "Angles", placements, angle_terms, _angle_key)
        return collection


class BytePolProperTorsionCollection(SMIRNOFFProperTorsionCollection, DeferredCollection):
    """Proper torsions with the barriers of the fixed-charge projection.

    Every 1-4 pair has a torsion, if need be with a barrier of zero: AMBER takes its 1-4
    pairs from them.
    """

    @classmethod
    def allowed_parameter_handlers(cls) -> HandlerTypes:
        return [BytePolProperTorsionHandler]

    @classmethod
    def create(cls, parameter_handler: BytePolProperTorsionHandler, topology: Topology) -> Self:
        placements = predict_for(cls, parameter_handler, topology)
        collection = cls()

        def terms(predicted: PredictedMolecule) -> Terms:
            return proper_terms(predicted.fixed_charge, keep_flat=True)

        collection.defer(lambda c: fill(c, "ProperTorsions", placements, terms, proper_key))
        return collection


class BytePolImproperTorsionCollection(SMIRNOFFImproperTorsionCollection):
    """Improper torsions: the dihedral of the four atoms of a key, central atom first."""

    @classmethod
    def allowed_parameter_handlers(cls) -> HandlerTypes:
        return [BytePolImproperTorsionHandler]

    @classmethod
    def create(cls, parameter_handler: BytePolImproperTorsionHandler, topology: Topology) -> Self:
        placements = predict_for(cls, parameter_handler, topology)
        collection = cls()
        fill(collection, "ImproperTorsions", placements, improper_terms, _improper_key)
        return collection


class BytePolConstraintCollection(SMIRNOFFConstraintCollection):
    """Constraints found by SMIRKS, at a given distance or at the predicted bond length."""

    @classmethod
    def allowed_parameter_handlers(cls) -> HandlerTypes:
        return [BytePolConstraintHandler]

    @classmethod
    def create(cls, parameter_handler: BytePolConstraintHandler, topology: Topology) -> Self:
        placements = predict_for(cls, parameter_handler, topology)
        collection = cls()
        lengths: dict[tuple[int, ...], float] = {}
        for predicted, start in placements:
            bonds = predicted.parameters.bonds + start
            lengths.update(
                zip(
                    map(_sorted, bonds.tolist()),
                    (predicted.parameters.bond_r0 * OPENMM_LENGTH).tolist(),
                    strict=True,
                )
            )
        for atoms, match in parameter_handler.find_matches(topology).items():
            constraint = match.parameter_type
            distance, name = constraint.distance, constraint.smirks
            if distance is None:
                if _sorted(atoms) not in lengths:
                    raise ForceFieldError(
                        f"the constraint {constraint.smirks} matches atoms {atoms}, which are not "
                        "bonded; give it a distance"
                    )
                length = float(f"{lengths[_sorted(atoms)]:.7g}")
                distance, name = Quantity(length, LENGTH), f"{name} {length}"
            key = PotentialKey(id=name, associated_handler="Constraints")
            collection.key_map[BondKey(atom_indices=atoms)] = key
            collection.potentials[key] = Potential(parameters={"distance": distance})
        return collection


def bond_terms(predicted: PredictedMolecule) -> Terms:
    """Bonds of one molecule."""
    parameters = predicted.parameters
    columns = {
        "k": Column(parameters.bond_k.numpy() * OPENMM_BOND_K, ENERGY / LENGTH**2),
        "length": Column(parameters.bond_r0.numpy() * OPENMM_LENGTH, LENGTH),
    }
    return Terms(parameters.bonds.tolist(), columns)


def angle_terms(predicted: PredictedMolecule) -> Terms:
    """Angles of one molecule, among them flat ones where the model has none.

    sander takes its 1-3 exclusions from angles, and opposite neighbours of a six-coordinate
    atom have no angle of their own.
    """
    parameters = predicted.parameters
    angles: list[Sequence[int]] = parameters.angles.tolist()
    flat = _missing_angles(parameters.bonds.tolist(), angles)
    k = np.append(parameters.angle_k.numpy() * OPENMM_ANGLE_K, np.zeros(len(flat)))
    theta0 = np.append(parameters.angle_theta0.numpy(), np.full(len(flat), np.pi))
    columns = {
        "k": Column(k, ENERGY / ANGLE**2),
        "angle": Column(theta0, ANGLE),
    }
    return Terms([*angles, *flat], columns)


def _missing_angles(
    bonds: Sequence[Sequence[int]], angles: Sequence[Sequence[int]]
) -> list[tuple[int, int, int]]:
    """Neighbours of one atom without an angle between them, the atom in the middle."""
    neighbours: dict[int, list[int]] = {}
    for i, j in bonds:
        neighbours.setdefault(i, []).append(j)
        neighbours.setdefault(j, []).append(i)
    present = {(j, frozenset((i, k))) for i, j, k in angles}
    return [
        (i, centre, k)
        for centre, around in neighbours.items()
        for i, k in itertools.combinations(sorted(around), 2)
        if (centre, frozenset((i, k))) not in present
    ]


def proper_terms(
    parameters: ParameterSet | FixedChargeParameters, *, keep_flat: bool = False
) -> Terms:
    """Proper torsions of one molecule, terms without a barrier left out.

    Linear groups have no other terms. Engines may not evaluate them at all: where four
    atoms are exactly on a line, zero times an undefined gradient is no number.

    Parameters
    ----------
    parameters
        Parameters of the molecule.
    keep_flat
        Keep the first term of each torsion, whatever its barrier.
    """
    from openff_bytepol.parameters import PROPER_PERIODICITIES

    barriers = parameters.proper_k.numpy() * OPENMM_ENERGY
    kept = barriers != 0.0
    kept[:, 0] |= keep_flat
    torsion, column = np.nonzero(kept)
    periodicity = np.array(PROPER_PERIODICITIES)[column]
    columns = {
        "k": Column(barriers[torsion, column], ENERGY),
        "periodicity": Column(periodicity, NUMBER),
        "phase": Column(np.where(periodicity % 2 == 0, np.pi, 0.0), ANGLE),
        "idivf": Column(np.ones_like(periodicity), NUMBER),
    }
    return Terms(parameters.propers.numpy()[torsion].tolist(), columns, column.tolist())


def improper_terms(predicted: PredictedMolecule) -> Terms:
    """Improper torsions of one molecule."""
    parameters = predicted.parameters
    n_terms = len(parameters.impropers)
    columns = {
        "k": Column(parameters.improper_k.numpy() * OPENMM_ENERGY, ENERGY),
        "periodicity": Column(np.full(n_terms, 2), NUMBER),
        "phase": Column(np.full(n_terms, np.pi), ANGLE),
        "idivf": Column(np.ones(n_terms, dtype=np.int64), NUMBER),
    }
    return Terms(parameters.impropers.tolist(), columns)


def _sorted(pair: Any) -> tuple[int, ...]:
    return tuple(sorted(pair))


def _bond_key(atoms: tuple[int, ...]) -> BondKey:
    return BondKey(atom_indices=atoms)


def _angle_key(atoms: tuple[int, ...]) -> AngleKey:
    return AngleKey(atom_indices=atoms)


def proper_key(atoms: tuple[int, ...], multiplicity: int) -> ProperTorsionKey:
    """Key of one term of a proper torsion."""
    return ProperTorsionKey(atom_indices=atoms, mult=multiplicity)


def _improper_key(atoms: tuple[int, ...]) -> ImproperTorsionKey:
    return ImproperTorsionKey(atom_indices=atoms, mult=0)
