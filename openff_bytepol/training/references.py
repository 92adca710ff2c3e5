"""Readers of benchmark files that assess a model and never train it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.exceptions import DataError
from openff_bytepol.units import BOHR_IN_ANGSTROM


class TorsionScan(NamedTuple):
    """One molecule of `torsion_scans.json`."""

    mapped_smiles: str
    charge: int
    angles: NDArray[np.float64]
    """degrees, (n,)"""
    coordinates: NDArray[np.float64]
    """Å, (n, n_atoms, 3)"""
    energies: dict[str, NDArray[np.float64]]
    """Method → relative energies, kcal/mol, (n,); ``reference`` is the benchmark."""
    dihedral: tuple[int, ...] = ()
    """Atoms of the scanned torsion, from 0; empty if unknown."""


def read_torsion_scans(path: Path) -> list[TorsionScan]:
    """Torsion scans of the MobleyLab qm-theory-benchmark layout.

    Raises
    ------
    DataError
        If the file is missing or an entry lacks a field.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file of torsion scans")
    scans = []
    for key, entry in json.loads(path.read_text()).items():
        try:
            scans.append(
                TorsionScan(
                    entry["mapped_smiles"],
                    round(entry["charge"]),
                    np.array(entry["angles_deg"], dtype=float),
                    np.array(entry["geometries_bohr"]) * BOHR_IN_ANGSTROM,
                    {
                        method: np.array(values, dtype=float)
                        for method, values in entry["relative_energies_kcal_mol"].items()
                    },
                    tuple(entry["dihedral_scanned"][0]),
                )
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}: entry {key} cannot be read: {error!r}") from error
    return scans


def torsion_scan_smiles(path: Path) -> list[str]:
    """Mapped SMILES of the torsion benchmark; empty where the file is absent."""
    return [scan.mapped_smiles for scan in read_torsion_scans(path)] if path.is_file() else []
