"""Published single-molecule sets: torsion scans, and energies with forces."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
from rdkit import Chem

from openff_bytepol.exceptions import DataError, MissingDependencyError
from openff_bytepol.training.datasets.imported import Imported
from openff_bytepol.training.labels.geometries import from_mapped_smiles
from openff_bytepol.training.references import read_torsion_scans

_TORSION_LEVEL: Final = "MP2/CBS + CCSD(T)"
_BYTEFF_LEVEL: Final = "B3LYP-D3(BJ)/DZVP"


def read_torsions(path: Path) -> Imported:
    """Reference scans of MobleyLab's qm-theory-benchmark, rows of the torsion schema.

    Raises
    ------
    DataError
        If the file is missing or an entry lacks a field.
    """
    rows = [
        {
            "subset": "qm-theory-benchmark",
            "name": str(number),
            "level": _TORSION_LEVEL,
            "mapped_smiles": scan.mapped_smiles,
            "dihedral": scan.dihedral,
            "angles": scan.angles,
            "coordinates": scan.coordinates.ravel(),
            "energies": scan.energies["reference"] - scan.energies["reference"].min(),
        }
        for number, scan in enumerate(read_torsion_scans(path))
    ]
    return Imported(rows, Counter())


def read_byteff_monomers(path: Path) -> Imported:
    """Energies and forces of ByteFF's HDF5 layout, rows of the monomer schema.

    The JSON file beside it gives mapped SMILES (Zheng et al., arXiv:2408.12817).

    Raises
    ------
    DataError
        If one of the two files is missing.
    MissingDependencyError
        If h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError(f"{path}: reading HDF5 needs `pip install h5py`") from error
    names = path.with_suffix(".json")
    for one in (path, names):
        if not one.is_file():
            raise DataError(f"{one}: no such file")
    rows: list[dict[str, Any]] = []
    dropped = Counter[str]()
    with h5py.File(path) as archive:
        for name, smiles in json.loads(names.read_text()).items():
            if name not in archive:
                dropped["named in the JSON file only"] += 1
                continue
            group = archive[name]
            energies = group["energy"][:]
            mol = from_mapped_smiles(smiles)
            if mol.GetNumAtoms() != group["coords"].shape[1]:
                dropped["SMILES and coordinates differ in length"] += 1
                continue
            rows.append(
                {
                    "subset": "byteff",
                    "name": name,
                    "level": _BYTEFF_LEVEL,
                    "mapped_smiles": Chem.MolToSmiles(mol),
                    "coordinates": np.ravel(group["coords"][:]),
                    "energies": energies - energies.min(),
                    "forces": np.ravel(group["forces"][:]),
                }
            )
    return Imported(rows, dropped)
