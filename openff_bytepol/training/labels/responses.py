"""Molecular dipoles, polarizabilities and electrostatic potentials, made in chunks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rdkit import Chem

from openff_bytepol.exceptions import ConvergenceError, DataError
from openff_bytepol.training.config import TrainingConfig
from openff_bytepol.training.datasets.schemas import POTENTIALS, RESPONSES
from openff_bytepol.training.labels import aimnet2, geometries, quantum
from openff_bytepol.training.labels.chunks import make_files, split_into_chunks
from openff_bytepol.training.labels.config import ResponseConfig
from openff_bytepol.training.labels.pool import PoolEntry, choose_molecules
from openff_bytepol.training.labels.provenance import provenance
from openff_bytepol.training.labels.schema import write_table
from openff_bytepol.training.moments import MolecularResponse, read_responses

logger = logging.getLogger(__name__)

Row = dict[str, Any]


def make_responses(
    config: TrainingConfig, *, overwrite: bool = False, worker: int = 0, n_workers: int = 1
) -> list[Path]:
    """Label the molecules of ``labels.responses``; chunks on disk are kept.

    Parameters
    ----------
    config
        Run with a ``labels.responses`` section.
    overwrite
        Make existing chunks again.
    worker, n_workers
        This process takes every ``n_workers``-th chunk, starting at ``worker``.

    Returns
    -------
    list of Path
        Files of dipoles and polarizabilities (``responses``); the electrostatic potentials
        lie in ``potentials`` under the same names.

    Raises
    ------
    MissingDependencyError
        If PySCF or the AIMNet2 weights are not installed.
    """
    settings = config.labels.responses
    if settings is None:
        return []

    def make(path: Path, entries: Sequence[PoolEntry]) -> None:
        pairs = [pair for e in entries if (pair := _try(e, settings)) is not None]
        made = provenance("PySCF", settings.level, settings=settings)
        potentials = path.parent.with_name("potentials") / path.name
        write_table([pair[1] for pair in pairs], POTENTIALS, potentials, made)
        write_table([pair[0] for pair in pairs], RESPONSES, path, made)

    entries = choose(config, settings)
    return make_files(
        split_into_chunks(entries, settings.chunk_size, config.labels_folder / "responses"),
        make, description="responses", overwrite=overwrite, worker=worker, n_workers=n_workers,
    )  # fmt: skip


def choose(config: TrainingConfig, settings: ResponseConfig) -> list[PoolEntry]:
    """Molecules to label: named ones first, then by size.

    Those of Dip146 and Pol130 are left out, except ``settings.benchmark``.
    """
    entries = choose_molecules(
        config.pool_files(settings.pools),
        (*settings.extra, *settings.benchmark),
        n_ions=settings.n_ions,
        max_heavy_atoms=settings.max_heavy_atoms,
        exclude=frozenset(),
        seed=settings.seed,
    )
    benchmark = config.data_path(config.evaluation.gscdb)
    molecules = read_responses(benchmark) if benchmark.is_file() else []
    held = {_key(m) for m in not_labelled(molecules, settings)}
    kept = [e for e in entries if inchi_key(Chem.MolFromSmiles(e.smiles)) not in held]
    return sorted(kept, key=lambda e: (e.source != "extra", _heavy_atoms(e.smiles)))


def not_labelled(
    molecules: Sequence[MolecularResponse], settings: ResponseConfig | None
) -> list[MolecularResponse]:
    """Molecules of Dip146 and Pol130 that ``settings.benchmark`` does not name, by InChIKey."""
    named = settings.benchmark if settings is not None else ()
    labelled = {inchi_key(Chem.MolFromSmiles(smiles)) for smiles in named}
    return [m for m in molecules if _key(m) not in labelled] if labelled else list(molecules)


def _key(molecule: MolecularResponse) -> str:
    return inchi_key(geometries.from_mapped_smiles(molecule.mapped_smiles))


def _heavy_atoms(smiles: str) -> int:
    return int(Chem.MolFromSmiles(smiles).GetNumHeavyAtoms())


def inchi_key(mol: Chem.Mol) -> str:
    """InChIKey: one name of a molecule, whatever its SMILES."""
    return str(Chem.MolToInchiKey(mol))  # type: ignore[no-untyped-call]


def _try(entry: PoolEntry, settings: ResponseConfig) -> tuple[Row, Row] | None:
    try:
        return label(entry, settings)
    except (DataError, ConvergenceError) as error:
        logger.warning("%s left out: %s", entry.smiles, error)
        return None


def label(entry: PoolEntry, settings: ResponseConfig) -> tuple[Row, Row]:
    """Rows of `RESPONSES` and `POTENTIALS` for the lowest conformer AIMNet2 finds.

    Raises
    ------
    DataError
        If there is no geometry, or an element AIMNet2 lacks.
    ConvergenceError
        If the SCF does not converge.
    """
    mol = geometries.hydrogenated(entry.smiles)
    charge = Chem.GetFormalCharge(mol)
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()], dtype=np.int64)
    relaxed = geometries.relaxed_conformers(
        mol, settings.n_conformers, settings.seed, settings.relaxation_steps
    )
    surface = aimnet2.evaluate(torch.from_numpy(relaxed), torch.from_numpy(numbers), charge)
    coordinates = relaxed[int(surface.energies.argmin())]
    found = quantum.response(numbers, coordinates, charge, settings.functional, settings.basis)
    common = {
        "subset": entry.source,
        "name": entry.smiles,
        "level": settings.level,
        "mapped_smiles": Chem.MolToSmiles(mol),
        "coordinates": coordinates.ravel(),
    }
    return (
        common | {"dipole": found.dipole, "polarizability": found.polarizability.ravel()},
        common | {"points": found.points.ravel(), "potential": found.potential},
    )
