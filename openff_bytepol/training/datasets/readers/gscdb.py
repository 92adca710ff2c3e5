"""GSCDB138: conformers, three-body energies, dipoles and polarizabilities.

Liang and Head-Gordon, arXiv:2508.13468. A ``.din`` file lists reactions: coefficients and
structures by turns, then 0 and the energy in kcal/mol.
"""

from __future__ import annotations

import math
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from openff_bytepol.exceptions import DataError
from openff_bytepol.training.datasets.imported import Imported
from openff_bytepol.training.moments import read_responses
from openff_bytepol.training.perception import connectivity, mapped_smiles
from openff_bytepol.units import BOHR_IN_ANGSTROM

CONFORMER_SETS: Final = (
    "ACONF",
    "Amino20x4",
    "BUT14DIOL",
    "ICONF",
    "MCONF",
    "PCONF21",
    "Pentane13",
    "SCONF",
    "UPU23",
)
_LEVEL: Final = "GSCDB138 reference"
_RESPONSE_LEVEL: Final = "CCSD(T)/CBS"
_TRIMER_LEVEL: Final = "MP2/CBS + CCSD(T)"


class _Reaction(NamedTuple):
    coefficients: tuple[int, ...]
    structures: tuple[str, ...]
    energy: float


class _Structure(NamedTuple):
    charge: int
    multiplicity: int
    atomic_numbers: NDArray[np.int64]
    coordinates: NDArray[np.float64]


def read_conformers(path: Path) -> Imported:
    """Relative conformer energies as rows of the monomer schema, without forces.

    Raises
    ------
    DataError
        If the archive is missing or has another layout.
    """
    rows, dropped = [], Counter[str]()
    with _opened(path) as archive:
        for subset in CONFORMER_SETS:
            energies: dict[str, dict[str, float]] = {}
            for reaction in _reactions(archive, path, subset):
                if sorted(reaction.coefficients) != [-1, 1]:
                    raise DataError(f"{path}: {subset} is not a set of conformers")
                reference = reaction.structures[reaction.coefficients.index(-1)]
                other = reaction.structures[reaction.coefficients.index(1)]
                group = energies.setdefault(reference, {reference: 0.0})
                group[other] = reaction.energy
            for reference, group in energies.items():
                try:
                    rows.append(_conformer_row(archive, path, subset, reference, group))
                except DataError as error:
                    dropped[str(error)] += 1
    return Imported(rows, dropped)


def _conformer_row(
    archive: tarfile.TarFile, path: Path, subset: str, reference: str, energies: dict[str, float]
) -> dict[str, Any]:
    structures = [_structure(archive, path, subset, name) for name in energies]
    first = structures[0]
    smiles = mapped_smiles(first.atomic_numbers, first.coordinates, first.charge)
    bonds = connectivity(first.atomic_numbers, first.coordinates)
    same = all(
        np.array_equal(first.atomic_numbers, one.atomic_numbers)
        and connectivity(one.atomic_numbers, one.coordinates) == bonds
        for one in structures
    )
    if not same:
        raise DataError("conformers differ in atom order or bonds")
    values = np.array(list(energies.values()))
    return {
        "subset": subset,
        "name": reference,
        "level": _LEVEL,
        "mapped_smiles": smiles,
        "coordinates": np.concatenate([one.coordinates.ravel() for one in structures]),
        "energies": values - values.min(),
        "forces": [],
    }


def read_trimers(path: Path) -> Imported:
    """Three-body energies of 3B-69 (doi 10.1021/acs.jctc.5b00312), rows of clusters.

    Raises
    ------
    DataError
        If the archive is missing or has another layout.
    """
    rows, dropped = [], Counter[str]()
    with _opened(path) as archive:
        for reaction in _reactions(archive, path, "3B-69"):
            name = reaction.structures[0].removesuffix("_3B-69")
            parts = [
                _structure(archive, path, "3B-69", f"{name.removesuffix('trim')}mon{x}_3B-69")
                for x in "ABC"
            ]
            try:
                smiles = [mapped_smiles(p.atomic_numbers, p.coordinates, p.charge) for p in parts]
            except DataError as error:
                dropped[str(error)] += 1
                continue
            rows.append(
                {
                    "subset": "3B-69",
                    "name": name.removesuffix("_trim"),
                    "level": _TRIMER_LEVEL,
                    "smiles": smiles,
                    "coordinates": np.concatenate([part.coordinates.ravel() for part in parts]),
                    "total": math.nan,
                    "three_body": reaction.energy,
                }
            )
    return Imported(rows, dropped)


def read_moments(path: Path) -> Imported:
    """Dip146 and Pol130 as rows of the response schema.

    The set gives absolute dipole components and diagonal polarizabilities along some axes
    only; the others are NaN.

    Raises
    ------
    DataError
        If the archive is missing or has another layout.
    """
    rows = []
    for one in read_responses(path):
        dipole = np.full(3, math.nan)
        tensor = np.full((3, 3), math.nan)
        for axis, value in one.dipole.items():
            dipole[axis] = value * BOHR_IN_ANGSTROM
        for axis, value in one.polarizability.items():
            tensor[axis, axis] = value * BOHR_IN_ANGSTROM**3
        rows.append(
            {
                "subset": "Dip146" if one.dipole else "Pol130",
                "name": one.name,
                "level": _RESPONSE_LEVEL,
                "mapped_smiles": one.mapped_smiles,
                "coordinates": one.coordinates.ravel(),
                "dipole": dipole,
                "polarizability": tensor.ravel(),
            }
        )
    return Imported(rows, Counter())


def _opened(path: Path) -> tarfile.TarFile:
    if not path.is_file():
        raise DataError(f"{path}: no such archive")
    return tarfile.open(path)


def _text(archive: tarfile.TarFile, path: Path, name: str) -> str:
    try:
        handle = archive.extractfile(name)
    except KeyError as error:
        raise DataError(f"{path}: no {name} inside") from error
    if handle is None:
        raise DataError(f"{path}: {name} is not a file")
    return handle.read().decode()


def _reactions(archive: tarfile.TarFile, path: Path, subset: str) -> Iterator[_Reaction]:
    lines = [
        line.strip()
        for line in _text(archive, path, f"10_din-GSCDB138/{subset}.din").splitlines()
        if line.strip() and not line.startswith(("#", "--"))
    ]
    coefficients: list[int] = []
    structures: list[str] = []
    for first, second in zip(lines[::2], lines[1::2], strict=True):
        if first != "0":
            coefficients.append(int(first))
            structures.append(second)
            continue
        yield _Reaction(tuple(coefficients), tuple(structures), float(second.split()[0]))
        coefficients, structures = [], []


def _structure(archive: tarfile.TarFile, path: Path, subset: str, name: str) -> _Structure:
    lines = _text(archive, path, f"30_collection-GSCDB138/{subset}/{name}.xyz").splitlines()
    charge, multiplicity = (int(word) for word in lines[1].split()[:2])
    table = Chem.GetPeriodicTable()
    words = [line.split() for line in lines[2 : 2 + int(lines[0])]]
    return _Structure(
        charge,
        multiplicity,
        np.array([table.GetAtomicNumber(word[0]) for word in words]),
        np.array([[float(x) for x in word[1:4]] for word in words]),
    )
