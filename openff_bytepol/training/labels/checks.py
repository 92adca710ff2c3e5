"""A few AIMNet2 labels made again by density functional theory.

For a random choice of labelled molecules, relative energies and forces of some of their
geometries are computed with PySCF. What the labels are worth is written beside them as
``checks.json``.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rich.progress import track

from openff_bytepol.exceptions import ConvergenceError, DataError
from openff_bytepol.qm import Fragment, Level, find_level
from openff_bytepol.training.config import TrainingConfig
from openff_bytepol.training.labels.config import CheckConfig
from openff_bytepol.training.labels.geometries import from_mapped_smiles
from openff_bytepol.training.labels.provenance import provenance
from openff_bytepol.training.labels.schema import MOLECULES, read_table

logger = logging.getLogger(__name__)

FloatArray = NDArray[np.float64]


def make_checks(
    config: TrainingConfig, *, overwrite: bool = False, worker: int = 0, n_workers: int = 1
) -> list[Path]:
    """Check the labels of a run, by the first worker alone; molecules done are kept.

    Returns
    -------
    list of Path
        The report, ``labels/checks.json``.

    Raises
    ------
    DataError
        If the level is unknown or there are no labels.
    MissingDependencyError
        If PySCF is not installed.
    """
    del n_workers
    settings = config.labels.checks
    if settings is None or worker != 0:
        return []
    level = find_level(settings.level)
    path = config.labels_folder / "checks.json"
    report: dict[str, Any] = {"molecules": {}}
    if path.is_file() and not overwrite:
        report = json.loads(path.read_text())
    report |= {"unit": "kcal/mol, kcal/mol/Å", "provenance": provenance("PySCF", level.name)}
    for row in track(choose(config, settings), description="checks"):
        if row["smiles"] in report["molecules"]:
            continue
        try:
            report["molecules"][row["smiles"]] = compare(row, level, settings)
        except ConvergenceError as error:
            logger.warning("%s left out: %s", row["smiles"], error)
            continue
        report |= _summary(list(report["molecules"].values()))
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(report, indent=2))
        os.replace(partial, path)
    return [path]


def choose(config: TrainingConfig, settings: CheckConfig) -> list[dict[str, Any]]:
    """Random small molecules among the labels.

    Raises
    ------
    DataError
        If there are none.
    """
    rows = [
        row
        for path in sorted(config.labels_folder.glob("*.parquet"))
        for row in read_table(path, MOLECULES)
        if len(row["charges"]) <= settings.max_atoms
        and len(row["energies"]) >= settings.n_geometries
    ]
    if not rows:
        raise DataError(f"{config.labels_folder}: no labels to check; make molecules first")
    order = np.random.default_rng(settings.seed).permutation(len(rows))
    return [rows[i] for i in order[: settings.n_molecules]]


def compare(row: dict[str, Any], level: Level, settings: CheckConfig) -> dict[str, float]:
    """Deviation of one molecule's labels from a level of theory.

    Returns
    -------
    dict
        ``energy_rmse`` of relative energies, mean removed, kcal/mol; ``force_rmse``, per
        component, kcal/mol/Å; ``n_geometries``.

    Raises
    ------
    ConvergenceError
        If an SCF does not converge.
    """
    from openff_bytepol.qm.single_point import single_point

    mol = from_mapped_smiles(row["mapped_smiles"])
    symbols = tuple(atom.GetSymbol() for atom in mol.GetAtoms())
    shape = (-1, len(symbols), 3)
    coordinates: FloatArray = np.asarray(row["coordinates"], dtype=float).reshape(shape)
    forces: FloatArray = np.asarray(row["forces"], dtype=float).reshape(shape)
    generator = np.random.default_rng(settings.seed)
    chosen = generator.choice(len(coordinates), settings.n_geometries, replace=False)
    charge = Chem.GetFormalCharge(mol)
    points = [single_point(Fragment(symbols, coordinates[i], charge), level) for i in chosen]
    energies = np.array([point.energy for point in points]) - np.asarray(row["energies"])[chosen]
    residuals = np.array([point.gradient for point in points]) + forces[chosen]
    return {
        "energy_rmse": float(np.std(energies)),
        "force_rmse": float(np.sqrt((residuals**2).mean())),
        "n_geometries": len(chosen),
    }


def _summary(molecules: list[dict[str, float]]) -> dict[str, float]:
    return {
        f"mean_{name}": float(np.mean([one[name] for one in molecules]))
        for name in ("energy_rmse", "force_rmse")
    }
