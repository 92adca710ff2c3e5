"""Reading a fixed-charge system from an OpenFF Interchange, with every check.

File formats can say less than an Interchange, and exporters that skip what they do not
know write wrong files silently. `fixed_charge_system` refuses what GROMACS and AMBER
cannot hold, and calls two molecules alike only if their atoms, order and parameters are.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from openff.units.elements import MASSES

from openff_bytepol.exceptions import ExportError
from openff_bytepol.interop.export_checks import (
    check_collections,
    check_positions,
    checked_box,
)
from openff_bytepol.interop.fixed_charge import (
    FixedChargeSystem,
    Floats,
    Integers,
    MoleculeType,
    Terms,
)
from openff_bytepol.interop.names import AtomNames, MoleculeNames, atom_names

if TYPE_CHECKING:
    from openff.interchange import Interchange

_TERMS: Final[dict[str, tuple[int, dict[str, str]]]] = {
    "Bonds": (2, {"k": "kcal/mol/angstrom**2", "length": "angstrom"}),
    "Angles": (3, {"k": "kcal/mol/radian**2", "angle": "radian"}),
    "ProperTorsions": (4, {"k": "kcal/mol", "periodicity": "", "phase": "radian", "idivf": ""}),
    "ImproperTorsions": (4, {"k": "kcal/mol", "periodicity": "", "phase": "radian", "idivf": ""}),
    "Constraints": (2, {"distance": "angstrom"}),
    "vdW": (1, {"sigma": "angstrom", "epsilon": "kcal/mol"}),
}
"""Collection → atoms per term, and its parameters with the unit they are read in."""


def fixed_charge_system(interchange: Interchange) -> FixedChargeSystem:
    """Read the fixed-charge part of an Interchange.

    Molecules share a type only where atoms, order, names and parameters are all equal:
    copies in another atom order, or with other charges, become types of their own.

    Parameters
    ----------
    interchange
        With positions; with a box where the system is periodic.

    Returns
    -------
    FixedChargeSystem

    Raises
    ------
    ExportError
        If positions or terms are missing, or something is there that fixed-charge file
        formats cannot hold: virtual sites, collections of other plugins, other
        functional forms, mixing rules, cutoff methods or scale factors.
    ForceFieldError
        If the box vectors are not in reduced form.
    CutoffError
        If the cutoff is longer than half the shortest box edge.
    """
    check_collections(interchange)
    if interchange.positions is None:
        raise ExportError("the Interchange has no positions; set interchange.positions")
    sizes = [molecule.n_atoms for molecule in interchange.topology.molecules]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    terms = {name: _terms_by_molecule(interchange, name, offsets) for name in _TERMS}
    charges = _charges(interchange, int(offsets[-1]))
    names = MoleculeNames()
    index_of: dict[tuple[object, ...], int] = {}
    types: list[MoleculeType] = []
    order: list[int] = []
    for index, molecule in enumerate(interchange.topology.molecules):
        own = {name: by_molecule[index] for name, by_molecule in terms.items()}
        own_charges = charges[offsets[index] : offsets[index + 1]]
        labels = atom_names(molecule)
        elements = tuple(atom.atomic_number for atom in molecule.atoms)
        connections = _connections(molecule)
        signature = (
            elements,
            labels,
            connections.tobytes(),
            own_charges.tobytes(),
            *(array.tobytes() for term in own.values() for array in term),
        )
        if signature not in index_of:
            index_of[signature] = len(types)
            name = names.new(molecule)
            types.append(
                _molecule_type(
                    name=name,
                    labels=labels,
                    elements=elements,
                    connections=connections,
                    charges=own_charges,
                    terms=own,
                )
            )
        order.append(index_of[signature])
    vdw = interchange["vdW"]
    cutoff = float(vdw.cutoff.m_as("angstrom"))
    system = FixedChargeSystem(
        types=tuple(types),
        molecules=np.array(order, dtype=np.int64),
        charge_14=float(interchange["Electrostatics"].scale_14),
        vdw_14=float(vdw.scale_14),
        cutoff=cutoff,
        switch_distance=cutoff - float(vdw.switch_width.m_as("angstrom")),
        box=checked_box(interchange, cutoff),
        positions=np.asarray(interchange.positions.m_as("angstrom"), dtype=np.float64),
    )
    check_positions(system)
    return system


def _terms_by_molecule(interchange: Interchange, name: str, offsets: Integers) -> list[Terms]:
    """Terms of one collection, per molecule, with atoms counted from its first atom."""
    width, units = _TERMS[name]
    atoms = np.zeros((0, width), dtype=np.int64)
    values = np.zeros((0, len(units)))
    collection = interchange.collections.get(name)
    if collection is not None and collection.key_map:
        rows = {key: row for row, key in enumerate(collection.potentials)}
        table = np.array([_values(name, p, units) for p in collection.potentials.values()])
        atoms = np.array([key.atom_indices for key in collection.key_map], dtype=np.int64)
        values = table[[rows[key] for key in collection.key_map.values()]]
    if "idivf" in units:
        values = np.column_stack([values[:, 0] / values[:, 3], np.rint(values[:, 1]), values[:, 2]])
    molecule = np.searchsorted(offsets, atoms[:, 0], side="right") - 1
    if (atoms < offsets[molecule][:, None]).any() or (
        atoms >= offsets[molecule + 1][:, None]
    ).any():
        raise ExportError(f"a term of {name} joins atoms of two molecules")
    sorting = np.lexsort((*values.T[::-1], *atoms.T[::-1]))
    atoms, values, molecule = atoms[sorting], values[sorting], molecule[sorting]
    bounds = np.searchsorted(molecule, np.arange(len(offsets)))
    local = atoms - offsets[molecule][:, None]
    return [
        Terms(np.ascontiguousarray(local[start:stop]), np.ascontiguousarray(values[start:stop]))
        for start, stop in itertools.pairwise(bounds)
    ]


def _values(name: str, potential: Any, units: dict[str, str]) -> list[float]:
    parameters = potential.parameters
    missing = [key for key in units if key not in parameters and key != "idivf"]
    if missing:
        raise ExportError(
            f"a potential of {name} has no {', '.join(missing)}; it holds {', '.join(parameters)}"
        )
    values = [float(parameters[key].m_as(unit)) for key, unit in units.items() if key in parameters]
    if len(values) < len(units):
        values.append(1.0)
    if not np.isfinite(values).all():
        raise ExportError(f"a potential of {name} is not a finite number: {parameters}")
    return values


def _charges(interchange: Interchange, n_atoms: int) -> Floats:
    charges = np.full(n_atoms, np.nan)
    for key, charge in interchange["Electrostatics"].charges.items():
        charges[key.atom_indices[0]] = charge.m_as("elementary_charge")
    if not np.isfinite(charges).all():
        atom = int(np.flatnonzero(~np.isfinite(charges))[0])
        raise ExportError(f"atom {atom} has no charge in the Electrostatics collection")
    return charges


def _connections(molecule: Any) -> Integers:
    bonds = [
        sorted((molecule.atom_index(bond.atom1), molecule.atom_index(bond.atom2)))
        for bond in molecule.bonds
    ]
    return np.array(sorted(bonds), dtype=np.int64).reshape(-1, 2)


def _molecule_type(
    *,
    name: str,
    labels: AtomNames,
    elements: tuple[int, ...],
    connections: Integers,
    charges: Floats,
    terms: dict[str, Terms],
) -> MoleculeType:
    vdw = terms["vdW"]
    if len(vdw.atoms) != len(elements):
        raise ExportError(f"not every atom of molecule {name} has one vdW term")
    constrained = {tuple(sorted(pair)) for pair in terms["Constraints"].atoms.tolist()}
    bonded = {tuple(sorted(pair)) for pair in terms["Bonds"].atoms.tolist()}
    bare = {tuple(pair) for pair in connections.tolist()} - bonded - constrained
    if bare:
        raise ExportError(f"bonds {sorted(bare)} of molecule {name} have no parameters")
    angles = terms["Angles"]
    free = [not _is_rigid(atoms, constrained) for atoms in angles.atoms.tolist()]
    return MoleculeType(
        name=name,
        atom_names=labels.atoms,
        residue_names=labels.residue_names,
        residues=np.array(labels.residues, dtype=np.int64),
        atomic_numbers=np.array(elements, dtype=np.int64),
        masses=np.array([MASSES[element].m for element in elements]),
        charges=charges,
        sigmas=vdw.values[:, 0],
        epsilons=vdw.values[:, 1],
        connections=connections,
        bonds=terms["Bonds"],
        angles=Terms(angles.atoms[free], angles.values[free]),
        propers=terms["ProperTorsions"],
        impropers=terms["ImproperTorsions"],
        constraints=terms["Constraints"],
    )


def _is_rigid(angle: list[int], constrained: set[tuple[int, ...]]) -> bool:
    """Whether constraints fix an angle, which OpenFF then leaves out of the energy."""
    first, centre, last = angle
    sides = ((first, centre), (centre, last), (first, last))
    return all(tuple(sorted(side)) in constrained for side in sides)
