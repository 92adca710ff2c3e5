"""Records of a QCArchive server (https://doi.org/10.1002/wcms.1491), as dictionaries.

A dictionary is what ``record.model_dump(mode="json")`` of QCPortal gives after the record
has been fetched with its molecules and children (``include=["**"]``); a file holds a JSON
list of them. Coordinates are in bohr and energies in hartree, as QCSchema fixes.
Molecules need the mapped SMILES that the OpenFF toolkit and QCSubmit attach; where it is
missing, molecules are perceived from their coordinates.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from openff_bytepol.exceptions import DataError
from openff_bytepol.training.datasets.imported import Imported
from openff_bytepol.training.labels.geometries import from_mapped_smiles
from openff_bytepol.training.perception import mapped_smiles
from openff_bytepol.units import BOHR_IN_ANGSTROM, HARTREE_IN_KCAL

Record = Mapping[str, Any]

_SMILES: Final = "canonical_isomeric_explicit_hydrogen_mapped_smiles"
_SAPT0: Final = {
    "elst": "sapt0 elst energy",
    "exch": "sapt0 exch energy",
    "ind": "sapt0 ind energy",
    "disp": "sapt0 disp energy",
    "total": "sapt0 total energy",
}
_MANYBODY: Final = (
    "cp_corrected_interaction_energy",
    "cp_corrected_interaction_energy_through_2_body",
    "nocp_corrected_interaction_energy",
    "nocp_corrected_interaction_energy_through_2_body",
)


def read_records(path: Path) -> list[Record]:
    """The records of a JSON file.

    Raises
    ------
    DataError
        If the file is missing, is no JSON, or holds no list of records.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file of records")
    try:
        records = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON ({error})") from error
    if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
        raise DataError(f"{path}: a list of records is needed")
    return records


def monomer_rows(records: Iterable[Record]) -> Imported:
    """Energies and gradients of single points and optimizations, rows of monomers.

    Geometries of one molecule at one level make one row. Single points without a gradient
    are left out.
    """
    groups: dict[tuple[str, str], list[tuple[Any, float, Any, str]]] = {}
    dropped = Counter[str]()
    for record in records:
        for point in _single_points(record):
            try:
                smiles, coordinates = _molecule(point.get("molecule"))
                energy, gradient = _energy_and_gradient(point)
            except DataError as error:
                dropped[str(error)] += 1
                continue
            level = _level(point["specification"])
            name = f"{record.get('record_type')} {record.get('id')}"
            groups.setdefault((smiles, level), []).append((coordinates, energy, gradient, name))
    rows = []
    for (smiles, level), points in groups.items():
        energies = np.array([point[1] for point in points])
        rows.append(
            {
                "subset": "QCArchive",
                "name": points[0][3],
                "level": level,
                "mapped_smiles": smiles,
                "coordinates": np.concatenate([point[0].ravel() for point in points]),
                "energies": energies - energies.min(),
                "forces": -np.concatenate([point[2].ravel() for point in points]),
            }
        )
    return Imported(rows, dropped)


def torsion_rows(records: Iterable[Record]) -> Imported:
    """One-dimensional torsion drives, rows of the torsion schema."""
    rows, dropped = [], Counter[str]()
    for record in records:
        try:
            rows.append(_torsion_row(record))
        except DataError as error:
            dropped[str(error)] += 1
    return Imported(rows, dropped)


def dimer_rows(records: Iterable[Record]) -> Imported:
    """SAPT0 single points and many-body records of two molecules, rows of dimers."""
    rows, dropped = [], Counter[str]()
    for record in records:
        try:
            rows.append(_dimer_row(record))
        except DataError as error:
            dropped[str(error)] += 1
    return Imported(rows, dropped)


def _single_points(record: Record) -> Sequence[Record]:
    if record.get("record_type") == "optimization":
        return record.get("trajectory_records") or []
    return [record] if record.get("record_type") == "singlepoint" else []


def _energy_and_gradient(point: Record) -> tuple[float, NDArray[np.float64]]:
    properties = {k.lower(): v for k, v in (point.get("properties") or {}).items()}
    energy = properties.get("return_energy")
    gradient = properties.get("return_gradient")
    if gradient is None and point["specification"].get("driver") == "gradient":
        gradient = properties.get("return_result")
    if energy is None or gradient is None:
        raise DataError("single point without energy or gradient")
    values = np.asarray(gradient, dtype=np.float64).reshape(-1, 3)
    return float(energy) * HARTREE_IN_KCAL, values * HARTREE_IN_KCAL / BOHR_IN_ANGSTROM


def _torsion_row(record: Record) -> dict[str, Any]:
    if record.get("record_type") != "torsiondrive":
        raise DataError("not a torsion drive")
    specification = record["specification"]
    dihedrals = specification["keywords"]["dihedrals"]
    if len(dihedrals) != 1:
        raise DataError("torsion drive about more than one bond")
    found = []
    optimizations = record.get("optimization_records") or {}
    by_id = {one["id"]: one for several in optimizations.values() for one in several}
    for key, number in (record.get("minimum_optimizations") or {}).items():
        if number not in by_id:
            raise DataError("torsion drive fetched without its optimizations")
        best = by_id[number]
        smiles, coordinates = _molecule(best.get("final_molecule"))
        found.append((float(json.loads(key)[0]), coordinates, best["energies"][-1], smiles))
    if len({point[3] for point in found}) != 1:
        raise DataError("torsion drive without results, or whose bonds change")
    found.sort(key=lambda point: point[0])
    energies = np.array([point[2] for point in found]) * HARTREE_IN_KCAL
    return {
        "subset": "QCArchive",
        "name": f"torsiondrive {record.get('id')}",
        "level": _level(specification["optimization_specification"]["qc_specification"]),
        "mapped_smiles": found[0][3],
        "dihedral": list(dihedrals[0]),
        "angles": [point[0] for point in found],
        "coordinates": np.concatenate([point[1].ravel() for point in found]),
        "energies": energies - energies.min(),
    }


def _dimer_row(record: Record) -> dict[str, Any]:
    properties = {k.lower(): v for k, v in (record.get("properties") or {}).items()}
    if record.get("record_type") == "manybody":
        total = next((properties[key] for key in _MANYBODY if key in properties), None)
        values: dict[str, Any] = dict.fromkeys(_SAPT0, math.nan) | {"total": total}
        molecule, levels = record.get("initial_molecule"), record["specification"]["levels"]
        level = " + ".join(sorted({_level(one) for one in levels.values()}))
    else:
        values = {name: properties.get(key) for name, key in _SAPT0.items()}
        molecule, level = record.get("molecule"), _level(record["specification"])
    if any(value is None for value in values.values()):
        raise DataError("no interaction energy")
    numbers, coordinates, charges, fragments = _fragments(molecule)
    if len(fragments) != 2:
        raise DataError("not two molecules")
    parts = {
        f"smiles_{side}": mapped_smiles(numbers[atoms], coordinates[atoms], charge)
        for side, atoms, charge in zip("ab", fragments, charges, strict=True)
    }
    return {
        "subset": "QCArchive",
        "name": f"{record['record_type']} {record.get('id')}",
        "level": level,
        **parts,
        "coordinates": np.concatenate([coordinates[atoms] for atoms in fragments]).ravel(),
        **{name: float(value) * HARTREE_IN_KCAL for name, value in values.items()},
    }


def _level(specification: Record) -> str:
    basis = specification.get("basis")
    return f"{specification['method']}/{basis}" if basis else str(specification["method"])


def _molecule(molecule: Record | None) -> tuple[str, NDArray[np.float64]]:
    if molecule is None:
        raise DataError("record fetched without its molecule")
    numbers, coordinates, _, _ = _fragments(molecule)
    known = {**(molecule.get("extras") or {}), **(molecule.get("identifiers") or {})}
    attached = known.get(_SMILES)
    if attached is None:
        charge = round(float(molecule.get("molecular_charge", 0.0)))
        return mapped_smiles(numbers, coordinates, charge), coordinates
    mol = from_mapped_smiles(attached)
    if [atom.GetAtomicNum() for atom in mol.GetAtoms()] != numbers.tolist():
        raise DataError("mapped SMILES and atoms differ")
    return str(Chem.MolToSmiles(mol)), coordinates


def _fragments(
    molecule: Record | None,
) -> tuple[NDArray[np.int64], NDArray[np.float64], list[int], list[list[int]]]:
    """Elements, coordinates (Å), and charges and atoms of the fragments."""
    if molecule is None:
        raise DataError("record fetched without its molecule")
    if int(molecule.get("molecular_multiplicity", 1)) != 1:
        raise DataError("radical")
    table = Chem.GetPeriodicTable()
    numbers = np.array([table.GetAtomicNumber(symbol) for symbol in molecule["symbols"]])
    coordinates = np.asarray(molecule["geometry"], dtype=np.float64).reshape(-1, 3)
    fragments = molecule.get("fragments") or [list(range(len(numbers)))]
    charges = molecule.get("fragment_charges") or [molecule.get("molecular_charge", 0.0)]
    return (
        numbers,
        coordinates * BOHR_IN_ANGSTROM,
        [round(float(charge)) for charge in charges],
        [list(atoms) for atoms in fragments],
    )
