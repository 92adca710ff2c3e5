"""Dimers labelled with an energy decomposition, one file for each pair of molecules.

Cations approach an acceptor atom along a line; other pairs turn at random and touch
(`openff_bytepol.training.labels.contacts.place`). SAPT0 gives electrostatics, exchange,
induction with delta-HF and dispersion. ALMO-EDA's electrostatics and Pauli repulsion stand
for the first two, polarization + charge transfer for the third.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from openff_bytepol.exceptions import ConvergenceError, DataError, EngineError
from openff_bytepol.qm import Fragment, find_level
from openff_bytepol.training.config import TrainingConfig
from openff_bytepol.training.labels import aimnet2, geometries, psi4
from openff_bytepol.training.labels.chunks import make_files
from openff_bytepol.training.labels.config import DecompositionConfig
from openff_bytepol.training.labels.ions import approach
from openff_bytepol.training.labels.provenance import provenance
from openff_bytepol.training.labels.schema import write_table
from openff_bytepol.training.rigid_pairs import place
from openff_bytepol.training.targets.dimers import DIMERS

logger = logging.getLogger(__name__)

FloatArray = NDArray[np.float64]
Energies = dict[str, float]
Decompose = Callable[[Fragment, Fragment], Energies]


class Species(NamedTuple):
    """A molecule at one geometry."""

    mapped_smiles: str
    fragment: Fragment
    radii: FloatArray
    """van der Waals, Å, (n_atoms,)"""


class Job(NamedTuple):
    """One file: geometries of one pair."""

    name: str
    molecules: tuple[str, str]
    """SMILES."""
    distances: tuple[float, ...] = ()
    """Of a cation to the acceptor, Å; empty for contacts."""
    n_contacts: int = 0
    closeness: tuple[float, float] = (1.0, 1.0)


def make_decompositions(
    config: TrainingConfig, *, overwrite: bool = False, worker: int = 0, n_workers: int = 1
) -> list[Path]:
    """Label the pairs of ``labels.decompositions``; files on disk are kept.

    Parameters
    ----------
    config
        Run with a ``labels.decompositions`` section.
    overwrite
        Make existing files again.
    worker, n_workers
        This process takes every ``n_workers``-th file, starting at ``worker``.

    Returns
    -------
    list of Path
        Files of the dimer schema.

    Raises
    ------
    MissingDependencyError
        If the program of the level is not installed.
    DataError
        If the level is unknown.
    """
    settings = config.labels.decompositions
    if settings is None:
        return []
    decompose = decomposition(settings)

    def make(path: Path, job: Job) -> None:
        rows = label(job, settings, decompose)
        program, version = ("Psi4", psi4.version()) if _is_sapt(settings) else ("PySCF", None)
        write_table(rows, DIMERS, path, provenance(program, settings.level, version, settings))

    folder = config.output_folder / "decompositions"
    return make_files(
        {folder / f"{job.name}.parquet": job for job in jobs(settings)},
        make, description="decompositions", overwrite=overwrite, worker=worker, n_workers=n_workers,
    )  # fmt: skip


def jobs(settings: DecompositionConfig) -> list[Job]:
    """One for each cation and ligand, and for each pair."""
    curves = [
        Job(f"{cation}-{name.replace(' ', '-')}", (f"[{cation}+]", ligand), distances)
        for name, ligand in settings.ligands.items()
        for cation, distances in settings.cations.items()
    ]
    pairs = [
        Job(f"pair-{number:04d}", pair.molecules, (), pair.count, pair.closeness)
        for number, pair in enumerate(settings.pairs)
    ]
    return curves + pairs


def label(job: Job, settings: DecompositionConfig, decompose: Decompose) -> list[dict[str, Any]]:
    """Rows of the dimer schema; geometries that fail are left out with a warning."""
    first, second = (species(smiles, settings.seed) for smiles in job.molecules)
    size = len(first.radii)
    rows = []
    for name, coordinates in _geometries(job, first, second, settings.seed):
        parts = (
            Fragment(first.fragment.symbols, coordinates[:size], first.fragment.charge),
            Fragment(second.fragment.symbols, coordinates[size:], second.fragment.charge),
        )
        try:
            energies = decompose(*parts)
        except (EngineError, ConvergenceError) as error:
            logger.warning("%s %s left out: %s", job.name, name, error)
            continue
        rows.append(
            {
                "subset": "alkali cations" if job.distances else "contacts",
                "name": f"{job.name} {name}",
                "level": settings.level,
                "smiles_a": first.mapped_smiles,
                "smiles_b": second.mapped_smiles,
                "coordinates": coordinates.ravel(),
                **energies,
                "weight": settings.weight,
            }
        )
    return rows


def _geometries(
    job: Job, first: Species, second: Species, seed: int
) -> list[tuple[str, FloatArray]]:
    """Name and coordinates of each dimer, Å, (n_atoms, 3)."""
    xyz = second.fragment.coordinates
    if job.distances:
        acceptor, direction = approach(geometries.from_mapped_smiles(second.mapped_smiles), xyz)
        return [
            (f"{d:.2f}", np.concatenate([(xyz[acceptor] + d * direction)[None], xyz]))
            for d in job.distances
        ]
    generator = np.random.default_rng([seed, *job.name.encode()])
    radii = np.add.outer(first.radii, second.radii)
    return [
        (
            str(number),
            place(
                first.fragment.coordinates,
                xyz,
                radii,
                float(generator.uniform(*job.closeness)),
                generator,
            ),
        )
        for number in range(job.n_contacts)
    ]


@cache
def species(smiles: str, seed: int) -> Species:
    """A molecule at a conformer relaxed with AIMNet2; a single atom at the origin.

    Raises
    ------
    DataError
        If the SMILES is invalid, RDKit finds no geometry, or AIMNet2 lacks an element.
    """
    mol = geometries.hydrogenated(smiles)
    charge = Chem.GetFormalCharge(mol)
    numbers = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    xyz = np.zeros((1, 3))
    if len(numbers) > 1:
        if not set(numbers) <= aimnet2.ELEMENTS:
            raise DataError(f"{smiles}: AIMNet2 lacks one of its elements")
        (xyz,) = geometries.relaxed_conformers(mol, 1, seed, geometries.RELAXATION_STEPS)
    table = Chem.GetPeriodicTable()
    symbols = tuple(atom.GetSymbol() for atom in mol.GetAtoms())
    return Species(
        str(Chem.MolToSmiles(mol)),
        Fragment(symbols, xyz, charge),
        np.array([table.GetRvdw(number) for number in numbers]),
    )


def _is_sapt(settings: DecompositionConfig) -> bool:
    return settings.level.startswith("sapt0/")


def decomposition(settings: DecompositionConfig) -> Decompose:
    """The function that labels one dimer at the level of the settings, kcal/mol.

    Raises
    ------
    DataError
        If the level is unknown.
    MissingDependencyError
        If its program is not installed.
    """
    if _is_sapt(settings):
        psi4.version()
        basis = settings.level.removeprefix("sapt0/")
        return lambda first, second: psi4.sapt0(first, second, basis, settings.memory_gb)
    level = find_level(settings.level)
    if level.kind != "almo-eda":
        raise DataError(f"labels.decompositions.level: {level.name} gives no decomposition")

    from openff_bytepol.qm.almo.decompose import decompose

    def by_almo(first: Fragment, second: Fragment) -> Energies:
        parts = decompose([first, second], level)
        return {
            "elst": parts.electrostatics,
            "exch": parts.pauli,
            "ind": parts.polarization + parts.charge_transfer,
            "disp": parts.dispersion,
            "total": parts.total,
        }

    return by_almo
