"""Dipoles and polarizabilities of GSCDB138 (Dip146, Pol130), from finite-field energies.

Liang and Head-Gordon, arXiv:2508.13468; references Hait and Head-Gordon,
https://doi.org/10.1021/acs.jctc.7b01252 and https://doi.org/10.1039/C8CP03569E.
"""

from __future__ import annotations

import io
import re
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from openff_bytepol.exceptions import DataError
from openff_bytepol.training.perception import mapped_smiles
from openff_bytepol.units import HARTREE_IN_KCAL

_DIPOLE_FIELD: Final = 1e-4
_POLARIZABILITY_FIELD: Final = 1e-2
_NAME: Final = re.compile(r"(Dip146|Pol130)_(.+)([012])\+$")


@dataclass
class MolecularResponse:
    """Reference dipole and polarizability of one molecule."""

    name: str
    mapped_smiles: str
    coordinates: NDArray[np.float64]
    """Å, (n_atoms, 3)"""
    dipole: dict[int, float] = field(default_factory=dict)
    """Axis → absolute component, atomic units."""
    polarizability: dict[int, float] = field(default_factory=dict)
    """Axis → diagonal element, atomic units."""


def read_responses(path: Path) -> list[MolecularResponse]:
    """Closed-shell, connected molecules of supported elements in the archive.

    Raises
    ------
    DataError
        If the archive is missing or has another layout.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such archive")
    molecules: dict[tuple[str, str], MolecularResponse | None] = {}
    with tarfile.open(path) as archive:
        files = {member.name: member for member in archive.getmembers() if member.isfile()}
        for kind, target in (("Dip146", "dipole"), ("Pol130", "polarizability")):
            listing = f"10_din-GSCDB138/{kind}.din"
            if listing not in files:
                raise DataError(f"{path}: no {listing} inside")
            for name, axis, value in _reactions(_text(archive, files[listing])):
                key = (kind, name)
                if key not in molecules:
                    structure = f"30_collection-GSCDB138/{kind}/{kind}_{name}{axis}+.xyz"
                    molecules[key] = _molecule(name, _text(archive, files[structure]))
                molecule = molecules[key]
                if molecule is not None:
                    getattr(molecule, target)[axis] = _component(kind, value)
    return [molecule for molecule in molecules.values() if molecule is not None]


def _component(kind: str, value: float) -> float:
    hartree = value / HARTREE_IN_KCAL
    if kind == "Dip146":
        return abs(hartree) / (2.0 * _DIPOLE_FIELD)
    return hartree / _POLARIZABILITY_FIELD**2


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    handle = archive.extractfile(member)
    return io.TextIOWrapper(handle, "utf-8").read() if handle else ""


def _reactions(text: str) -> list[tuple[str, int, float]]:
    """Molecule, axis and energy difference (kcal/mol) of each entry."""
    found = []
    name, axis = "", 0
    previous = ""
    for line in text.splitlines():
        if line.startswith(("#", "--")):
            previous = ""
            continue
        match = _NAME.match(line.strip())
        if match:
            name, axis = match.group(2), int(match.group(3))
        elif previous == "0" and name:
            found.append((name, axis, float(line.split()[0])))
            name = ""
        previous = line.strip()
    return found


def _molecule(name: str, xyz: str) -> MolecularResponse | None:
    lines = xyz.splitlines()
    charge, multiplicity = (int(word) for word in lines[1].split()[:2])
    if multiplicity != 1:
        return None
    table = Chem.GetPeriodicTable()
    rows = [line.split() for line in lines[2 : 2 + int(lines[0])]]
    numbers = np.array([table.GetAtomicNumber(row[0]) for row in rows])
    coordinates = np.array([[float(x) for x in row[1:4]] for row in rows])
    try:
        smiles = mapped_smiles(numbers, coordinates, charge)
    except DataError:
        return None
    return MolecularResponse(name, smiles, coordinates)
