"""A box of molecules as a run keeps it on disk: OpenMM system, topology and what is in it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openff_bytepol.interop.periodic_box import check_cutoff
from openff_bytepol.properties.folder import storage, write_text
from openff_bytepol.properties.observables import Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Sequence

    import openmm
    from openff.interchange import Interchange
    from openff.toolkit import Molecule

    from openff_bytepol.properties.force_fields import Parameters

BOX_FILE: Final = "box.json"
SYSTEM_FILE: Final = "system.xml"
TOPOLOGY_FILE: Final = "topology.pdb"

_PACKING: Final = 0.58
"""Fraction of the volume of molecular liquids inside van der Waals surfaces, within 10 %.
Source: A. Bondi, J. Phys. Chem. 68, 441 (1964), https://doi.org/10.1021/j100785a001."""
PACKED_AT: Final = 0.8
"""Of the expected density: packs fast, and the barostat does the rest."""
_SHRINKS: Final = 0.9
"""Edge of the liquid's box over that of the packed one; cubed, less than `PACKED_AT`."""


@dataclass(frozen=True)
class Kind:
    """A kind of molecule in a box.

    Attributes
    ----------
    smiles
        Of the molecule or ion, as the user gave it.
    mapped_smiles
        With every atom numbered in the order of the box.
    count
        Copies; they stand together.
    masses
        Of the atoms, Da.
    charge
        e.
    polarizability
        Isotropic, of the molecule, Å³; 0 with fixed charges.
    """

    smiles: str
    mapped_smiles: str
    count: int
    masses: tuple[float, ...]
    charge: float
    polarizability: float

    @property
    def molar_mass(self) -> float:
        """g/mol."""
        return sum(self.masses)


@dataclass(frozen=True)
class Box:
    """What a simulated box contains.

    Attributes
    ----------
    kinds
        In the order of the box.
    degrees_of_freedom
        Without constraints and the motion of the centre of mass.
    expected_density
        Of a liquid of these molecules, estimated from their volumes, g/cm³.
    periodic
        False for a molecule in vacuum.
    """

    kinds: tuple[Kind, ...]
    degrees_of_freedom: int
    expected_density: float
    periodic: bool

    @property
    def n_atoms(self) -> int:
        """Of the whole box."""
        return sum(kind.count * len(kind.masses) for kind in self.kinds)

    @property
    def n_molecules(self) -> int:
        """Of the whole box."""
        return sum(kind.count for kind in self.kinds)

    @property
    def mass(self) -> float:
        """Of the whole box, Da."""
        return sum(kind.count * kind.molar_mass for kind in self.kinds)

    @cached_property
    def component_index(self) -> Ints:
        """Kind of each molecule; (n_molecules,)."""
        return np.repeat(np.arange(len(self.kinds)), [kind.count for kind in self.kinds])

    @property
    def atoms_per_molecule(self) -> Ints:
        """(n_molecules,)"""
        sizes = np.array([len(kind.masses) for kind in self.kinds])
        return np.asarray(sizes[self.component_index])

    def centers(self, positions: Floats) -> Floats:
        """Centres of mass of molecules.

        Parameters
        ----------
        positions
            Å, molecules whole; (n_atoms, 3).

        Returns
        -------
        Floats
            Å; (n_molecules, 3).
        """
        parts, start = [], 0
        for kind in self.kinds:
            weights = np.asarray(kind.masses) / kind.molar_mass
            end = start + kind.count * len(weights)
            atoms = positions[start:end].reshape(kind.count, len(weights), 3)
            parts.append(np.einsum("man,a->mn", atoms, weights))
            start = end
        return np.concatenate(parts)

    def write(self, folder: Path, system: openmm.System, topology_pdb: str) -> None:
        """Write system, topology and description; the description last.

        Raises
        ------
        StorageError
            If the disk is full or the folder not writable.
        """
        import openmm

        write_text(folder / SYSTEM_FILE, openmm.XmlSerializer.serialize(system))
        write_text(folder / TOPOLOGY_FILE, topology_pdb)
        write_text(folder / BOX_FILE, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Box:
        """Read what `write` wrote."""
        values = json.loads((folder / BOX_FILE).read_text("utf-8"))
        kinds = [Kind(**{**kind, "masses": tuple(kind["masses"])}) for kind in values.pop("kinds")]
        return cls(kinds=tuple(kinds), **values)


def write_box(
    folder: Path,
    interchange: Interchange,
    molecules: Sequence[Molecule],
    counts: Sequence[int],
    parameters: Parameters,
) -> Box:
    """Write the box of an Interchange; arguments as `describe`.

    Raises
    ------
    CutoffError
        If the cutoff is longer than half the shortest box width.
    StorageError
        If the disk is full or the folder not writable.
    """
    system = system_of(interchange)
    _check_size(system)
    box = describe(interchange, system, molecules, counts, parameters)
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
    box.write(folder, system, _pdb_text(interchange))
    return box


def system_of(interchange: Interchange) -> openmm.System:
    """OpenMM system of an Interchange, polarizable or not."""
    plugins = any(collection.is_plugin for collection in interchange.collections.values())
    return interchange.to_openmm(combine_nonbonded_forces=not plugins)


def describe(
    interchange: Interchange,
    system: openmm.System,
    molecules: Sequence[Molecule],
    counts: Sequence[int],
    parameters: Parameters,
) -> Box:
    """Description of the box of an Interchange.

    Parameters
    ----------
    interchange
        Its topology holds ``counts`` copies of each of the ``molecules``, one after another.
    system
        The same in OpenMM.
    molecules, counts
        In the order of the topology.
    parameters
        Force field, for polarizabilities.
    """
    from openmm import unit

    names = _names(molecules)
    kinds, start = [], 0
    for molecule, name, count in zip(molecules, names, counts, strict=True):
        atoms = range(start, start + molecule.n_atoms)
        masses = tuple(system.getParticleMass(i).value_in_unit(unit.dalton) for i in atoms)
        kinds.append(
            Kind(
                name,
                molecule.to_smiles(mapped=True),
                count,
                masses,
                float(molecule.total_charge.m_as("elementary_charge")),
                parameters.molecular_polarizability(molecule),
            )
        )
        start += count * molecule.n_atoms
    return Box(
        tuple(kinds),
        _degrees_of_freedom(system),
        expected_density(molecules, counts),
        interchange.box is not None,
    )


def expected_density(molecules: Sequence[Molecule], counts: Sequence[int]) -> float:
    """Density of a liquid of these molecules from their van der Waals volumes, g/cm³.

    Within about 10 % for molecular liquids; enough to pack a box.
    """
    from rdkit.Chem import AllChem

    from openff_bytepol.interop.boxes import with_conformer
    from openff_bytepol.units import GRAM_PER_CM3

    mass = volume = 0.0
    for molecule, count in zip(molecules, counts, strict=True):
        solid = with_conformer(molecule).to_rdkit()
        mass += count * sum(atom.mass.m_as("dalton") for atom in molecule.atoms)
        volume += count * float(AllChem.ComputeMolVolume(solid))  # type: ignore[no-untyped-call]
    return float(_PACKING * mass * GRAM_PER_CM3 / volume)


def _pdb_text(interchange: Interchange) -> str:
    """PDB file of the positions, with the box and bonds."""
    from openmm.app import PDBFile

    text = StringIO()
    PDBFile.writeFile(
        interchange.to_openmm_topology(), interchange.positions.to_openmm(), text, keepIds=True
    )
    return text.getvalue()


def _check_size(system: openmm.System) -> None:
    """Refuse boxes that would be too small once the packed box has shrunk to a liquid."""
    from openmm import unit

    vectors: Any = [
        vector.value_in_unit(unit.angstrom) * _SHRINKS
        for vector in system.getDefaultPeriodicBoxVectors()
    ]
    for force in system.getForces():
        if force.usesPeriodicBoundaryConditions() and hasattr(force, "getCutoffDistance"):
            check_cutoff(vectors, force.getCutoffDistance().value_in_unit(unit.angstrom))


def _names(molecules: Sequence[Molecule]) -> list[str]:
    return [m.name or m.to_smiles(explicit_hydrogens=False) for m in molecules]


def _degrees_of_freedom(system: openmm.System) -> int:
    import openmm

    massive = sum(system.getParticleMass(i)._value > 0.0 for i in range(system.getNumParticles()))
    fixed_center = any(isinstance(f, openmm.CMMotionRemover) for f in system.getForces())
    return int(3 * massive - system.getNumConstraints() - 3 * fixed_center)
