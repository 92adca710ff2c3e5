"""Nonbonded collections of the fixed-charge projection.

They keep the names and forms of the standard collections they derive from, so every
exporter reads them as those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from openff.interchange.models import LibraryChargeTopologyKey, TopologyKey
from openff.interchange.smirnoff._nonbonded import (
    SMIRNOFFElectrostaticsCollection,
    SMIRNOFFvdWCollection,
)
from openff.toolkit import unit

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.smirnoff.deferred import DeferredCollection
from openff_bytepol.smirnoff.handlers import (
    BytePolElectrostaticsHandler,
    BytePolHandler,
    BytePolvdWHandler,
)
from openff_bytepol.smirnoff.prediction import PredictedMolecule
from openff_bytepol.smirnoff.terms import Column, Terms, fill
from openff_bytepol.smirnoff.valence import ENERGY, LENGTH, HandlerTypes, predict_for
from openff_bytepol.units import OPENMM_ENERGY, OPENMM_LENGTH

if TYPE_CHECKING:
    from openff.toolkit import Topology

CHARGE: Final = unit.elementary_charge

_SCALE_DIGITS: Final = 10
"""Digits of 5/6 in other OpenFF force fields: Interchange combines only equal factors."""


class BytePolvdWCollection(SMIRNOFFvdWCollection, DeferredCollection):
    """Lennard-Jones parameters; one potential per distinct atom, keys in atom order."""

    @classmethod
    def allowed_parameter_handlers(cls) -> HandlerTypes:
        return [BytePolvdWHandler]

    @classmethod
    def create(cls, parameter_handler: BytePolvdWHandler, topology: Topology) -> Self:
        from openff_bytepol.projection.fixed_charge import VDW_14

        placements = predict_for(cls, parameter_handler, topology)
        check_value(parameter_handler, "scale14", VDW_14)
        collection = cls(
            scale_14=VDW_14,
            cutoff=parameter_handler.cutoff,
            switch_width=parameter_handler.switch_width,
            periodic_method=parameter_handler.periodic_method,
            nonperiodic_method=parameter_handler.nonperiodic_method,
        )
        collection.defer(lambda c: fill(c, "vdW", placements, vdw_terms, _atom_key))
        return collection


class BytePolElectrostaticsCollection(SMIRNOFFElectrostaticsCollection, DeferredCollection):
    """Point charges, one per atom.

    Interchange knows charges by the kind of section they come from; predicted ones are
    entered as library charges.
    """

    @classmethod
    def allowed_parameter_handlers(cls) -> HandlerTypes:
        return [BytePolElectrostaticsHandler]

    @classmethod
    def create(cls, parameter_handler: BytePolElectrostaticsHandler, topology: Topology) -> Self:
        from openff_bytepol.projection.fixed_charge import CHARGE_14

        placements = predict_for(cls, parameter_handler, topology)
        check_value(parameter_handler, "scale14", CHARGE_14)
        collection = cls(
            scale_14=round(CHARGE_14, _SCALE_DIGITS),
            cutoff=parameter_handler.cutoff,
            periodic_potential=parameter_handler.periodic_potential,
            nonperiodic_potential=parameter_handler.nonperiodic_potential,
        )
        collection._charges = {}
        collection.defer(lambda c: fill(c, "LibraryCharges", placements, charge_terms, _charge_key))
        return collection


def check_value(handler: BytePolHandler, attribute: str, expected: float) -> None:
    """Refuse an attribute that says something else than what the parameters were made for.

    Parameters
    ----------
    handler
        Section of the force field.
    attribute
        Its attribute, which may be None.
    expected
        Value that goes with the parameters.

    Raises
    ------
    ForceFieldError
        If the attribute differs from it by more than 1e-6.
    """
    written = getattr(handler, attribute)
    if written is not None and abs(written - expected) > 1e-6:
        raise ForceFieldError(
            f"<{handler.TAGNAME}> says {attribute}={written:g}, and parameters of model "
            f"{handler.model} are made for {expected:g}; leave the attribute out, or write the "
            "force field anew with openff_bytepol.smirnoff.write_offxml"
        )


def vdw_terms(predicted: PredictedMolecule) -> Terms:
    """Lennard-Jones parameters of the atoms of one molecule."""
    fixed = predicted.fixed_charge
    columns = {
        "sigma": Column(fixed.sigmas.numpy() * OPENMM_LENGTH, LENGTH),
        "epsilon": Column(fixed.epsilons.numpy() * OPENMM_ENERGY, ENERGY),
    }
    return Terms(_atoms(predicted), columns)


def charge_terms(predicted: PredictedMolecule) -> Terms:
    """Charges of the atoms of one molecule."""
    charges = Column(predicted.fixed_charge.charges.numpy(), CHARGE)
    return Terms(_atoms(predicted), {"charge": charges})


def _atoms(predicted: PredictedMolecule) -> list[tuple[int]]:
    return [(atom,) for atom in range(predicted.parameters.n_atoms)]


def _atom_key(atoms: tuple[int, ...]) -> TopologyKey:
    return TopologyKey(atom_indices=atoms)


def _charge_key(atoms: tuple[int, ...]) -> Any:
    return LibraryChargeTopologyKey(this_atom_index=atoms[0])
