"""Alkali cations approaching small ligands: counterpoise-corrected MP2/def2-TZVPP.

No published set of energy components in reach holds Li+, Na+ or K+. These curves give
totals only (components are NaN), enough to place the repulsion of the three cations.
Engine: PySCF (https://doi.org/10.1063/5.0006074), density fitting.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from openff_bytepol.exceptions import DataError, MissingDependencyError
from openff_bytepol.training.config import TrainingConfig
from openff_bytepol.training.labels import geometries
from openff_bytepol.training.labels.schema import write_table
from openff_bytepol.training.targets.dimers import DIMERS
from openff_bytepol.units import HARTREE_IN_KCAL

logger = logging.getLogger(__name__)

LEVEL = "MP2/def2-TZVPP (counterpoise)"
Coordinates = NDArray[np.float64]


def make_ion_curves(config: TrainingConfig) -> list[Path]:
    """Label every cation-ligand curve of a configuration; finished ones are kept.

    Returns
    -------
    list of Path
        One Parquet file of dimers for each ligand and cation.

    Raises
    ------
    MissingDependencyError
        If PySCF is not installed.
    DataError
        If a ligand has no acceptor atom with neighbours.
    """
    paths = []
    for name, ligand in config.labels.ion_ligands.items():
        for cation, distances in config.labels.cations.items():
            path = config.output_folder / "ions" / f"{cation}-{name}.parquet"
            if not path.exists():
                rows = _curve(cation, name, ligand, distances)
                write_table([r | {"weight": config.labels.ion_weight} for r in rows], DIMERS, path)
                logger.info("%s done", path.name)
            paths.append(path)
    return paths


def _curve(
    cation: str, name: str, ligand: str, distances: tuple[float, ...]
) -> list[dict[str, Any]]:
    mol = geometries.hydrogenated(ligand)
    symbols = [atom.GetSymbol() for atom in mol.GetAtoms()]
    charge = Chem.GetFormalCharge(mol)
    (relaxed,) = geometries.relaxed_conformers(mol, 1, 1, geometries.RELAXATION_STEPS)
    acceptor, direction = approach(mol, relaxed)
    rows = []
    for distance in distances:
        position = relaxed[acceptor] + distance * direction
        total = interaction_energy(cation, position, symbols, relaxed, charge)
        rows.append(
            {
                "subset": "alkali cations",
                "name": f"{cation}+ {name} {distance:.2f}",
                "level": LEVEL,
                "smiles_a": f"[{cation}+:1]",
                "smiles_b": Chem.MolToSmiles(mol),
                "coordinates": np.concatenate([position[None], relaxed]).ravel(),
                **dict.fromkeys(("elst", "exch", "ind", "disp"), math.nan),
                "total": total,
            }
        )
    return rows


def approach(mol: Chem.Mol, positions: Coordinates) -> tuple[int, Coordinates]:
    """Acceptor atom (first O, then N) and the unit vector away from its neighbours.

    Raises
    ------
    DataError
        If there is none.
    """
    for number in (8, 7):
        for atom in mol.GetAtoms():
            if atom.GetAtomicNum() == number and atom.GetDegree():
                near = [other.GetIdx() for other in atom.GetNeighbors()]
                vectors = positions[near] - positions[atom.GetIdx()]
                away = -(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).sum(0)
                if np.linalg.norm(away) > 0.1:
                    return atom.GetIdx(), away / np.linalg.norm(away)
    raise DataError(f"{Chem.MolToSmiles(mol)}: no oxygen or nitrogen for a cation to approach")


def interaction_energy(
    cation: str, position: Coordinates, symbols: list[str], ligand: Coordinates, charge: int
) -> float:
    """Counterpoise-corrected MP2/def2-TZVPP interaction energy, kcal/mol.

    Parameters
    ----------
    cation
        Element symbol; charge +1.
    position
        Of the cation, Å; (3,).
    symbols, ligand
        Elements and coordinates of the ligand, Å; (n_atoms, 3).
    charge
        Of the ligand, e.
    """
    ion = [(cation, position)]
    other = list(zip(symbols, ligand, strict=True))
    energies = [
        _mp2(ion + other, 1 + charge),
        _mp2(ion + [(f"ghost-{s}", x) for s, x in other], 1),
        _mp2([(f"ghost-{cation}", position), *other], charge),
    ]
    return (energies[0] - energies[1] - energies[2]) * HARTREE_IN_KCAL


def _mp2(atoms: list[tuple[str, Coordinates]], charge: int) -> float:
    try:
        from pyscf import gto, mp, scf
    except ImportError as error:
        raise MissingDependencyError("labels of alkali cations: pip install pyscf") from error
    molecule = gto.M(
        atom=[(symbol, tuple(x)) for symbol, x in atoms],
        basis="def2-tzvpp", charge=charge, verbose=0,
    )  # fmt: skip
    field = scf.RHF(molecule).density_fit()
    field.kernel()
    if not field.converged:
        raise DataError(f"SCF of {[symbol for symbol, _ in atoms]} did not converge")
    return float(mp.MP2(field).density_fit().kernel()[0] + field.e_tot)
