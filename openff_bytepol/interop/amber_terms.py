"""Bonded terms and exclusions as AMBER topology files list them.

AMBER takes its 1-4 interactions from the dihedral list, so every 1-4 pair gets exactly
one dihedral that carries it, with a barrier of zero where the force field has no torsion
(linear groups, for instance). sander takes its exclusions from the bonded lists, too, and
not from the list of excluded atoms, so every 1-3 pair gets an angle, with a force constant
of zero where the force field has none (opposite atoms of an octahedron, for instance).
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.exceptions import ExportError
from openff_bytepol.interop.fixed_charge import (
    FixedChargeSystem,
    Floats,
    Integers,
    MoleculeType,
    Terms,
)

_HYDROGENS_OF_WATER: Final = 553.0
"""kcal/mol/Å², K of K(r − r0)² between the hydrogens of AMBER's own rigid waters (HW-HW in its
frcmod.tip3p), which keeps their angle where no constraint acts, as in minimisation."""


class Table:
    """Distinct rows of parameters, numbered from 1 in order of appearance."""

    def __init__(self) -> None:
        self.rows: dict[tuple[float, ...], int] = {}

    def number(self, values: Floats) -> Integers:
        numbers = [self.rows.setdefault(tuple(r), len(self.rows) + 1) for r in values.tolist()]
        return np.array(numbers, dtype=np.int64)

    def column(self, index: int) -> list[float]:
        return [row[index] for row in self.rows]


class Listed(NamedTuple):
    """Bonded terms of one molecule type, as AMBER lists them.

    ``signs`` are those of the atom indices: a negative third atom of a dihedral carries
    no 1-4 interaction, a negative fourth atom marks an improper.
    """

    atoms: Integers
    signs: Integers
    numbers: Integers
    has_hydrogen: NDArray[np.bool_]


def check_constraints(system: FixedChargeSystem) -> bool:
    """Whether every bond to hydrogen is constrained.

    Raises
    ------
    ExportError
        If some are and some are not, or other distances are constrained: sander can only
        constrain every bond to hydrogen, and rigid water.
    """
    wanted, found = 0, 0
    for molecule in system.types:
        pairs = set(molecule.fixed_distances)
        hydrogen = {
            tuple(pair)
            for pair in molecule.connections.tolist()
            if 1 in molecule.atomic_numbers[pair]
        }
        others = pairs - hydrogen - ({(1, 2)} if molecule.is_water else set())
        if others or (pairs and hydrogen - pairs):
            raise ExportError(
                f"molecule {molecule.name} has constraints that AMBER cannot name: it constrains "
                "all bonds to hydrogen and rigid water ordered O, H, H, or nothing; reorder the "
                "atoms, or use an unconstrained force field"
            )
        wanted += bool(hydrogen)
        found += bool(pairs)
    if found and found != wanted:
        raise ExportError(
            "bonds to hydrogen are constrained in some molecules only, which AMBER cannot name; "
            "constrain all of them or none"
        )
    return found > 0


def angle_terms(molecule: MoleculeType, table: Table) -> Listed:
    """Angles as (k/2, theta0), one or more for each 1-3 pair."""
    rows = {tuple(atoms): (k / 2.0, theta0) for atoms, (k, theta0) in _pairs(molecule.angles)}
    covered = {(min(a[0], a[2]), max(a[0], a[2])) for a in rows}
    bonded = _neighbours(molecule)
    for first, last in molecule.pairs.pairs_13.tolist():
        if (first, last) not in covered:
            rows[first, min(bonded[first] & bonded[last]), last] = (0.0, math.pi / 2.0)
    atoms = np.array(list(rows), dtype=np.int64).reshape(-1, 3)
    return _listed(molecule, atoms, table.number(np.array(list(rows.values()))))


def bond_terms(molecule: MoleculeType, table: Table) -> Listed:
    """Bonds as (k/2, r0); a constrained one takes its fixed distance, which SHAKE reads.

    The hydrogens of rigid water are bonded, too.
    """
    values = {(min(a), max(a)): (k / 2.0, r0) for a, (k, r0) in _pairs(molecule.bonds)}
    connected = {tuple(pair) for pair in molecule.connections.tolist()}
    for pair, distance in molecule.fixed_distances.items():
        bare = 0.0 if pair in connected else _HYDROGENS_OF_WATER
        values[pair] = (values.get(pair, (bare, 0.0))[0], distance)
    atoms = np.array(list(values), dtype=np.int64).reshape(-1, 2)
    return _listed(molecule, atoms, table.number(np.array(list(values.values()))))


def _listed(molecule: MoleculeType, atoms: Integers, numbers: Integers) -> Listed:
    hydrogen = (molecule.atomic_numbers[atoms] == 1).any(axis=1)
    return Listed(atoms, np.ones_like(atoms), numbers, hydrogen)


def _pairs(terms: Terms) -> list[tuple[list[int], list[float]]]:
    return list(zip(terms.atoms.tolist(), terms.values.tolist(), strict=True))


def dihedral_terms(molecule: MoleculeType, table: Table) -> Listed:
    """Propers and impropers; each 1-4 pair is carried by one proper, added where missing."""
    waiting = {tuple(pair) for pair in molecule.pairs.pairs_14.tolist()}
    atoms: list[list[int]] = []
    values: list[list[float]] = []
    signs: list[tuple[int, int, int, int]] = []
    for quartet, parameters in _pairs(molecule.propers):
        ends = (min(quartet[0], quartet[3]), max(quartet[0], quartet[3]))
        if parameters[0] != 0.0 or ends in waiting:
            atoms.append(quartet)
            values.append(parameters)
            signs.append((1, 1, 1 if ends in waiting else -1, 1))
            waiting.discard(ends)
    for first, last in sorted(waiting):
        atoms.append(_path(molecule, first, last))
        values.append([0.0, 1.0, 0.0])
        signs.append((1, 1, 1, 1))
    for quartet, parameters in _pairs(molecule.impropers):
        if parameters[0] != 0.0:
            atoms.append(quartet)
            values.append(parameters)
            signs.append((1, 1, -1, -1))
    # Atom 0 cannot carry a sign; a dihedral read backwards is the same.
    ordered = [quartet[::-1] if 0 in quartet[2:] else quartet for quartet in atoms]
    listed = np.array(ordered, dtype=np.int64).reshape(-1, 4)
    numbers = table.number(np.array(values).reshape(-1, 3))
    return _listed(molecule, listed, numbers)._replace(
        signs=np.array(signs, dtype=np.int64).reshape(-1, 4)
    )


def _neighbours(molecule: MoleculeType) -> dict[int, set[int]]:
    bonded: dict[int, set[int]] = {}
    for one, other in molecule.connections.tolist():
        bonded.setdefault(one, set()).add(other)
        bonded.setdefault(other, set()).add(one)
    return bonded


def _path(molecule: MoleculeType, first: int, last: int) -> list[int]:
    """The four atoms of a shortest chain of bonds between two atoms three bonds apart."""
    bonded = _neighbours(molecule)
    second, third = next(
        (j, k) for j in sorted(bonded[first]) for k in sorted(bonded[j] & bonded[last])
    )
    return [first, second, third, last]


def coordinate_rows(system: FixedChargeSystem, terms: list[Listed]) -> tuple[list[int], list[int]]:
    """Coordinate indices (3·atom) and parameter numbers of all molecules, with and without H."""
    with_hydrogen, without = [], []
    for index, listed in enumerate(terms):
        offsets = system.offsets[system.molecules == index]
        atoms = 3 * (offsets[:, None, None] + listed.atoms) * listed.signs
        numbers = np.broadcast_to(listed.numbers[:, None], (len(offsets), len(listed.numbers), 1))
        rows = np.concatenate([atoms, numbers], axis=2)
        with_hydrogen += rows[:, listed.has_hydrogen].reshape(-1).tolist()
        without += rows[:, ~listed.has_hydrogen].reshape(-1).tolist()
    return with_hydrogen, without


def excluded_atoms(system: FixedChargeSystem) -> tuple[list[int], list[int]]:
    """Number of later atoms each atom does not see, and those atoms; a 0 where none."""
    by_type = []
    for molecule in system.types:
        later: list[list[int]] = [[] for _ in range(molecule.n_atoms)]
        near = molecule.pairs
        for pairs in (near.pairs_12, near.pairs_13, near.pairs_14):
            for one, other in pairs.tolist():
                later[one].append(other)
        by_type.append([sorted(atoms) for atoms in later])
    counts, excluded = [], []
    for index, offset in zip(system.molecules, system.offsets.tolist(), strict=True):
        for later in by_type[index]:
            numbers = [offset + atom + 1 for atom in later] or [0]
            counts.append(len(numbers))
            excluded += numbers
    return counts, excluded
