"""Proper torsions of the polarizable energy as an Interchange collection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from openff.interchange.smirnoff._base import SMIRNOFFCollection

from openff_bytepol.smirnoff.handlers import BytePolPolarizableTorsionHandler
from openff_bytepol.smirnoff.terms import fill
from openff_bytepol.smirnoff.valence import (
    HandlerTypes,
    predict_for,
    proper_key,
    proper_terms,
)

if TYPE_CHECKING:
    import openmm
    from openff.interchange import Interchange
    from openff.toolkit import Topology


class BytePolPolarizableTorsionCollection(SMIRNOFFCollection):
    """Barriers of the model, where "ProperTorsions" has those refitted for fixed charges."""

    type: Literal["BytePolPolarizableTorsions"] = "BytePolPolarizableTorsions"
    is_plugin: bool = True
    acts_as: str = ""
    expression: str = "k*(1+cos(periodicity*theta-phase))"

    has_fixed_charge_projection: ClassVar[bool] = True
    """Whether the Interchange also holds all that fixed-charge file formats need."""

    @classmethod
    def allowed_parameter_handlers(cls) -> HandlerTypes:
        return [BytePolPolarizableTorsionHandler]

    @classmethod
    def supported_parameters(cls) -> Iterable[str]:
        return ("k", "periodicity", "phase", "idivf")

    @classmethod
    def potential_parameters(cls) -> Iterable[str]:
        return cls.supported_parameters()

    @classmethod
    def create(
        cls, parameter_handler: BytePolPolarizableTorsionHandler, topology: Topology
    ) -> Self:
        placements = predict_for(cls, parameter_handler, topology)
        collection = cls()
        fill(
            collection,
            "ProperTorsions",
            placements,
            lambda predicted: proper_terms(predicted.parameters),
            proper_key,
        )
        return collection

    def modify_openmm_forces(
        self,
        interchange: Interchange,
        system: openmm.System,
        add_constrained_forces: bool,  # noqa: ARG002
        constrained_pairs: set[tuple[int, ...]],  # noqa: ARG002
        particle_map: dict[Any, int],
    ) -> None:
        """Put the torsions of the polarizable model in place of the refitted ones."""
        force = _without_refitted_torsions(interchange, system)
        values = {
            key: (
                round(potential.parameters["periodicity"].m),
                potential.parameters["phase"].m_as("radian"),
                potential.parameters["k"].m_as("kilojoule / mole"),
            )
            for key, potential in self.potentials.items()
        }
        for key, potential_key in self.key_map.items():
            particles = [particle_map[atom] for atom in key.atom_indices]
            force.addTorsion(*particles, *values[potential_key])


def _without_refitted_torsions(
    interchange: Interchange, system: openmm.System
) -> openmm.PeriodicTorsionForce:
    """The torsion force of a system, with nothing but impropers in it.

    Interchange adds the terms of "ProperTorsions" first, in the order of their keys, and
    then those of "ImproperTorsions".
    """
    import openmm

    impropers = openmm.PeriodicTorsionForce()
    refitted = interchange.collections.get("ProperTorsions")
    for index, force in enumerate(system.getForces()):
        if isinstance(force, openmm.PeriodicTorsionForce):
            if refitted is None:
                return force
            for torsion in range(len(refitted.key_map), force.getNumTorsions()):
                impropers.addTorsion(*force.getTorsionParameters(torsion))
            system.removeForce(index)
            break
    system.addForce(impropers)
    return impropers
