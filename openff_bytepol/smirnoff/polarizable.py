"""The polarizable nonbonded energy as an Interchange collection."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple, Self

from openff.interchange._annotations import _DistanceQuantity
from openff.interchange.models import TopologyKey
from openff.interchange.smirnoff._base import SMIRNOFFCollection
from openff.toolkit import unit

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.settings import NonbondedSettings
from openff_bytepol.smirnoff.guards import check_cutoff
from openff_bytepol.smirnoff.handlers import (
    DEFAULT_CUTOFF,
    DEFAULT_SWITCH_WIDTH,
    BytePolNonbondedHandler,
)
from openff_bytepol.smirnoff.nonbonded import CHARGE, check_value
from openff_bytepol.smirnoff.prediction import PredictedMolecule
from openff_bytepol.smirnoff.terms import Column, Terms, fill
from openff_bytepol.smirnoff.valence import NUMBER, HandlerTypes, predict_for

if TYPE_CHECKING:
    import openmm
    from openff.interchange import Interchange
    from openff.toolkit import Topology
    from openff.units import Unit

    from openff_bytepol.parameters import ParameterSet


class FixedChargeProjectionWarning(UserWarning):
    """Files of other engines will not hold the polarizable model."""


class _AtomParameter(NamedTuple):
    field: str
    """Name in a `ParameterSet`."""
    unit: Unit


ENERGY: Final = unit.kilocalorie_per_mole
LENGTH: Final = unit.angstrom

ATOM_PARAMETERS: Final = {
    "charge": _AtomParameter("charges", CHARGE),
    "polarizability": _AtomParameter("polarizabilities", LENGTH**3),
    "damping": _AtomParameter("dampings", LENGTH**3),
    "c6": _AtomParameter("c6", ENERGY * LENGTH**6),
    "radius": _AtomParameter("radii", LENGTH),
    "repulsion_epsilon": _AtomParameter("epsilons", ENERGY),
    "repulsion_lambda": _AtomParameter("lambdas", NUMBER),
    "ct_epsilon": _AtomParameter("ct_epsilons", ENERGY * LENGTH**4),
    "ct_lambda": _AtomParameter("ct_lambdas", NUMBER),
}
"""Parameters of a potential, as `ParameterSet` describes them."""

_SETTINGS: Final = {
    "charge_scale14": "charge_14",
    "vdw_scale14": "vdw_14",
    "induction_scale14": "induction_14",
    "repulsion_s12": "repulsion_s12",
    "dispersion_damping": "dispersion_damping",
    "dispersion_c8": "dispersion_c8",
    "thole": "thole",
}
"""Attribute of the section → field of the settings."""

_PROJECTION_FORCES: Final = {
    "Nonbonded force",
    "vdW force",
    "vdW 1-4 force",
    "Electrostatics force",
    "Electrostatics 1-4 force",
}
"""Names that Interchange gives to the forces of the vdW and Electrostatics collections."""


class BytePolNonbondedCollection(SMIRNOFFCollection):
    """Polarizable nonbonded parameters of every atom.

    In OpenMM they take the place of the "vdW" and "Electrostatics" collections, which
    hold the fixed-charge projection for files of other engines.
    """

    type: Literal["BytePolNonbonded"] = "BytePolNonbonded"
    is_plugin: bool = True
    acts_as: str = ""
    expression: str = (
        "6*repulsion_epsilon*exp(repulsion_lambda*(1-r/radius))+(s12/r)**12"
        "-c6/(dispersion_damping*radius**6+r**6)"
        "-dispersion_c8*c6*radius**2/(dispersion_damping**(4/3)*radius**8+r**8)"
        "-ct_epsilon/r**4*exp(-(ct_lambda*r/radius)**3)"
        "+coulomb*charge1*charge2/r+induction"
    )
    cutoff: _DistanceQuantity = DEFAULT_CUTOFF
    switch_width: _DistanceQuantity = DEFAULT_SWITCH_WIDTH
    settings: NonbondedSettings = NonbondedSettings()

    has_fixed_charge_projection: ClassVar[bool] = True
    """Whether the Interchange also holds all that fixed-charge file formats need."""

    @classmethod
    def allowed_parameter_handlers(cls) -> HandlerTypes:
        return [BytePolNonbondedHandler]

    @classmethod
    def supported_parameters(cls) -> Iterable[str]:
        return tuple(ATOM_PARAMETERS)

    @classmethod
    def potential_parameters(cls) -> Iterable[str]:
        return tuple(ATOM_PARAMETERS)

    @classmethod
    def create(cls, parameter_handler: BytePolNonbondedHandler, topology: Topology) -> Self:
        from openff_bytepol.models import load_model

        placements = predict_for(cls, parameter_handler, topology)
        settings = load_model(parameter_handler.model).config.settings
        for attribute, field in _SETTINGS.items():
            check_value(parameter_handler, attribute, getattr(settings, field))
        collection = cls(
            cutoff=parameter_handler.cutoff,
            switch_width=parameter_handler.switch_width,
            settings=settings,
        )
        fill(collection, collection.type, placements, atom_terms, _atom_key)
        warnings.warn(
            "this Interchange is polarizable in OpenMM only: GROMACS, AMBER and LAMMPS files hold "
            "its fixed-charge projection. bytepol-fixed.offxml uses the projection everywhere.",
            FixedChargeProjectionWarning,
            stacklevel=2,
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
        """Put the polarizable energy in place of the fixed-charge projection.

        Raises
        ------
        ForceFieldError
            If some atoms have no polarizable parameters, as after ``Interchange.combine``
            with a system of another force field.
        CutoffError
            If the cutoff is longer than half the shortest box width.
        """
        from openff_bytepol.interop.openmm_forces import polarizable_forces

        check_cutoff(interchange.box, self.cutoff)
        parameters, placements = self.parameters_of(interchange.topology)
        for index in reversed(range(system.getNumForces())):
            if system.getForce(index).getName() in _PROJECTION_FORCES:
                system.removeForce(index)
        forces = polarizable_forces(
            parameters,
            [(kind, [particle_map[atom] for atom in atoms]) for kind, atoms in placements],
            n_particles=system.getNumParticles(),
            nonbonded_method="NoCutoff" if interchange.box is None else "PME",
            cutoff=self.cutoff.m_as(LENGTH),
            switch_distance=self._switch_distance(),
        )
        for force in forces:
            system.addForce(force)

    def _switch_distance(self) -> float | None:
        """Where van der Waals forces start to be switched off, Å."""
        width = self.switch_width.m_as(LENGTH)
        return self.cutoff.m_as(LENGTH) - width if width > 0.0 else None

    def parameters_of(
        self, topology: Topology
    ) -> tuple[list[ParameterSet], list[tuple[int, Sequence[int]]]]:
        """Nonbonded parameters of the distinct molecules of a topology, and where they are.

        Returns
        -------
        parameters
            One set per distinct molecule; no bonded terms but the bonds.
        placements
            For every molecule, the index of its parameters and those of its atoms.

        Raises
        ------
        ForceFieldError
            If an atom has no parameters here.
        """
        index_of: dict[tuple[Any, ...], int] = {}
        parameters: list[ParameterSet] = []
        placements: list[tuple[int, Sequence[int]]] = []
        start = 0
        for molecule in topology.molecules:
            atoms = range(start, start + molecule.n_atoms)
            start += molecule.n_atoms
            try:
                keys = [self.key_map[TopologyKey(atom_indices=(atom,))] for atom in atoms]
            except KeyError:
                raise ForceFieldError(
                    f"molecule {len(placements)} of the Interchange has no polarizable parameters: "
                    "a polarizable system cannot be combined with one of another force field; use "
                    "bytepol-fixed.offxml for that"
                ) from None
            kind = tuple(key.id for key in keys)
            if kind not in index_of:
                index_of[kind] = len(parameters)
                parameters.append(self._parameter_set(molecule, keys))
            placements.append((index_of[kind], atoms))
        return parameters, placements

    def _parameter_set(self, molecule: Any, keys: Sequence[Any]) -> ParameterSet:
        import torch

        from openff_bytepol.parameters import ParameterSet

        potentials = [self.potentials[key].parameters for key in keys]
        bonds = [(bond.atom1_index, bond.atom2_index) for bond in molecule.bonds]
        none = torch.zeros(0, dtype=torch.float64)
        return ParameterSet(
            atomic_numbers=torch.tensor([atom.atomic_number for atom in molecule.atoms]),
            molecule_index=torch.zeros(len(keys), dtype=torch.int64),
            **{
                field: torch.tensor([p[name].m_as(own) for p in potentials], dtype=torch.float64)
                for name, (field, own) in ATOM_PARAMETERS.items()
            },
            bonds=torch.tensor(bonds, dtype=torch.int64).reshape(-1, 2),
            bond_k=torch.zeros(len(bonds), dtype=torch.float64),
            bond_r0=torch.zeros(len(bonds), dtype=torch.float64),
            angles=torch.zeros((0, 3), dtype=torch.int64),
            angle_k=none,
            angle_theta0=none,
            propers=torch.zeros((0, 4), dtype=torch.int64),
            proper_k=none.reshape(0, 4),
            impropers=torch.zeros((0, 4), dtype=torch.int64),
            improper_k=none,
            settings=self.settings,
        )


def atom_terms(predicted: PredictedMolecule) -> Terms:
    """Polarizable parameters of the atoms of one molecule."""
    columns = {
        name: Column(getattr(predicted.parameters, field).numpy(), own)
        for name, (field, own) in ATOM_PARAMETERS.items()
    }
    return Terms([(atom,) for atom in range(predicted.parameters.n_atoms)], columns)


def _atom_key(atoms: tuple[int, ...]) -> TopologyKey:
    return TopologyKey(atom_indices=atoms)
