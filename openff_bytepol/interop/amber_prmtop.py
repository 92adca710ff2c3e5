"""AMBER topology (prmtop) of a fixed-charge system.

Format: "PARM parameter/topology file specification", https://ambermd.org/prmtop.pdf.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from openff.units.elements import SYMBOLS

from openff_bytepol.interop.amber_terms import (
    Table,
    angle_terms,
    bond_terms,
    check_constraints,
    coordinate_rows,
    dihedral_terms,
    excluded_atoms,
)
from openff_bytepol.interop.fixed_charge import FixedChargeSystem, Floats, MoleculeType

CHARGE_UNIT: Final = 18.2223
"""AMBER's charge of one e; its square is AMBER's Coulomb constant in kcal/mol·Å/e²."""

_INFINITE: Final = 1e30
"""Divisor that switches a 1-4 interaction off."""

_LAYOUTS: Final = {
    "10I8": (10, "{:8d}"),
    "3I8": (3, "{:8d}"),
    "1I8": (1, "{:8d}"),
    "5E16.8": (5, "{:16.8E}"),
    "20a4": (20, "{:<4s}"),
    "1a80": (1, "{:<80s}"),
}


def topology_text(system: FixedChargeSystem) -> str:
    """The prmtop file.

    Raises
    ------
    ExportError
        If the constraints are not what AMBER can name: every bond to hydrogen, and rigid
        water.
    """
    check_constraints(system)
    vdw, bond, angle, dihedral = Table(), Table(), Table(), Table()
    vdw_numbers = [vdw.number(_lennard_jones(molecule)) for molecule in system.types]
    bonds = [bond_terms(molecule, bond) for molecule in system.types]
    angles = [angle_terms(molecule, angle) for molecule in system.types]
    dihedrals = [dihedral_terms(molecule, dihedral) for molecule in system.types]
    bonds_h, bonds_a = coordinate_rows(system, bonds)
    angles_h, angles_a = coordinate_rows(system, angles)
    dihedrals_h, dihedrals_a = coordinate_rows(system, dihedrals)
    excluded_counts, excluded = excluded_atoms(system)
    labels, starts = _residues(system)
    parm_index, acoef, bcoef = _lennard_jones_table(vdw)
    n_types, n_dihedrals = len(vdw.rows), len(dihedral.rows)
    counts = {"NBONH": len(bonds_h) // 3, "MBONA": len(bonds_a) // 3}
    counts |= {"NTHETH": len(angles_h) // 4, "MTHETA": len(angles_a) // 4}
    counts |= {"NPHIH": len(dihedrals_h) // 5, "MPHIA": len(dihedrals_a) // 5}
    pointers = [
        *(system.n_atoms, n_types),
        *counts.values(),
        *(0, 0, len(excluded), len(labels)),
        *(counts["MBONA"], counts["MTHETA"], counts["MPHIA"]),
        *(len(bond.rows), len(angle.rows), n_dihedrals),
        *(1, 0, 0, 0, 0, 0, 0, 0, 0, _box_kind(system)),
        *(int(np.diff([*starts, system.n_atoms + 1]).max()), 0, 0, 0),
    ]
    zeros = [0] * system.n_atoms
    sections: list[tuple[str, str, Sequence[Any]]] = [
        ("TITLE", "20a4", ["open", "ff-b", "ytep", "ol"]),
        ("POINTERS", "10I8", pointers),
        ("ATOM_NAME", "20a4", _per_atom(system, [m.atom_names for m in system.types])),
        ("CHARGE", "5E16.8", _per_atom(system, [CHARGE_UNIT * m.charges for m in system.types])),
        ("ATOMIC_NUMBER", "10I8", _per_atom(system, [m.atomic_numbers for m in system.types])),
        ("MASS", "5E16.8", _per_atom(system, [m.masses for m in system.types])),
        ("ATOM_TYPE_INDEX", "10I8", _per_atom(system, vdw_numbers)),
        ("NUMBER_EXCLUDED_ATOMS", "10I8", excluded_counts),
        ("NONBONDED_PARM_INDEX", "10I8", parm_index),
        ("RESIDUE_LABEL", "20a4", labels),
        ("RESIDUE_POINTER", "10I8", starts),
        ("BOND_FORCE_CONSTANT", "5E16.8", bond.column(0)),
        ("BOND_EQUIL_VALUE", "5E16.8", bond.column(1)),
        ("ANGLE_FORCE_CONSTANT", "5E16.8", angle.column(0)),
        ("ANGLE_EQUIL_VALUE", "5E16.8", angle.column(1)),
        ("DIHEDRAL_FORCE_CONSTANT", "5E16.8", dihedral.column(0)),
        ("DIHEDRAL_PERIODICITY", "5E16.8", dihedral.column(1)),
        ("DIHEDRAL_PHASE", "5E16.8", dihedral.column(2)),
        ("SCEE_SCALE_FACTOR", "5E16.8", [_divisor(system.charge_14)] * n_dihedrals),
        ("SCNB_SCALE_FACTOR", "5E16.8", [_divisor(system.vdw_14)] * n_dihedrals),
        ("SOLTY", "5E16.8", [0.0]),
        ("LENNARD_JONES_ACOEF", "5E16.8", acoef),
        ("LENNARD_JONES_BCOEF", "5E16.8", bcoef),
        ("BONDS_INC_HYDROGEN", "10I8", bonds_h),
        ("BONDS_WITHOUT_HYDROGEN", "10I8", bonds_a),
        ("ANGLES_INC_HYDROGEN", "10I8", angles_h),
        ("ANGLES_WITHOUT_HYDROGEN", "10I8", angles_a),
        ("DIHEDRALS_INC_HYDROGEN", "10I8", dihedrals_h),
        ("DIHEDRALS_WITHOUT_HYDROGEN", "10I8", dihedrals_a),
        ("EXCLUDED_ATOMS_LIST", "10I8", excluded),
        ("HBOND_ACOEF", "5E16.8", []),
        ("HBOND_BCOEF", "5E16.8", []),
        ("HBCUT", "5E16.8", []),
        ("AMBER_ATOM_TYPE", "20a4", _per_atom(system, [_type_names(m) for m in system.types])),
        ("TREE_CHAIN_CLASSIFICATION", "20a4", ["BLA"] * system.n_atoms),
        ("JOIN_ARRAY", "10I8", zeros),
        ("IROTAT", "10I8", zeros),
        *_box_sections(system),
        ("RADIUS_SET", "1a80", ["none"]),
        ("RADII", "5E16.8", zeros),
        ("SCREEN", "5E16.8", zeros),
        ("IPOL", "1I8", [0]),
    ]
    version = "%VERSION  VERSION_STAMP = V0001.000  DATE = 01/01/00  00:00:00\n"
    return version + "".join(_section(*section) for section in sections)


def _section(name: str, layout: str, values: Sequence[Any]) -> str:
    per_line, pattern = _LAYOUTS[layout]
    cells = [pattern.format(value) for value in values]
    lines = ["".join(cells[start : start + per_line]) for start in range(0, len(cells), per_line)]
    return "\n".join([f"%FLAG {name}", f"%FORMAT({layout})", *(lines or [""])]) + "\n"


def _divisor(scale: float) -> float:
    return 1.0 / scale if scale > 0.0 else _INFINITE


def _per_atom(system: FixedChargeSystem, by_type: Sequence[Any]) -> list[Any]:
    return [value for index in system.molecules for value in by_type[index]]


def _type_names(molecule: MoleculeType) -> list[str]:
    return [SYMBOLS[element].lower() for element in molecule.atomic_numbers.tolist()]


def _lennard_jones(molecule: MoleculeType) -> Floats:
    acting = molecule.epsilons != 0.0
    values: Floats = np.column_stack([molecule.sigmas, molecule.epsilons]) * acting[:, None]
    return values


def _lennard_jones_table(table: Table) -> tuple[list[int], list[float], list[float]]:
    """Index of every pair of types, and A and B in kcal/mol of the lower triangle."""
    sigma, epsilon = np.array(table.column(0)), np.array(table.column(1))
    rows, columns = np.tril_indices(len(sigma))
    index = np.zeros((len(sigma), len(sigma)), dtype=np.int64)
    index[rows, columns] = index[columns, rows] = np.arange(len(rows)) + 1
    pair_sigma = (sigma[rows] + sigma[columns]) / 2.0
    pair_epsilon = np.sqrt(epsilon[rows] * epsilon[columns])
    b = 4.0 * pair_epsilon * pair_sigma**6
    return index.reshape(-1).tolist(), (b * pair_sigma**6).tolist(), b.tolist()


def _residues(system: FixedChargeSystem) -> tuple[list[str], list[int]]:
    """Label and first atom (from 1) of every residue."""
    labels, starts = [], []
    first_atoms = [np.flatnonzero(np.diff(m.residues, prepend=-1)) for m in system.types]
    for index, offset in zip(system.molecules, system.offsets.tolist(), strict=True):
        for atom in first_atoms[index].tolist():
            labels.append(system.types[index].residue_names[atom])
            starts.append(offset + atom + 1)
    return labels, starts


def _box_kind(system: FixedChargeSystem) -> int:
    """IFBOX: 0 without a box, 1 rectangular, 3 triclinic."""
    if system.box is None:
        return 0
    return 3 if np.tril(system.box, -1).any() else 1


def _box_sections(system: FixedChargeSystem) -> list[tuple[str, str, Sequence[Any]]]:
    if system.box is None:
        return []
    sizes = [molecule.n_atoms for molecule in system.types]
    first_residues = int(system.types[system.molecules[0]].residues[-1]) + 1
    return [
        ("SOLVENT_POINTERS", "3I8", [first_residues, len(system.molecules), 2]),
        ("ATOMS_PER_MOLECULE", "10I8", [sizes[index] for index in system.molecules]),
        ("BOX_DIMENSIONS", "5E16.8", [90.0, *np.diag(system.box).tolist()]),
    ]
