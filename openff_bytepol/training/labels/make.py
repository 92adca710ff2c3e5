"""Label molecules in chunks that survive interruption."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from rdkit import Chem

from openff_bytepol.exceptions import DataError, OutputExistsError
from openff_bytepol.training.config import LabelConfig, TrainingConfig, load_config
from openff_bytepol.training.labels import aimnet2, geometries, priors
from openff_bytepol.training.labels.anchors import make_anchors
from openff_bytepol.training.labels.checks import make_checks
from openff_bytepol.training.labels.chunks import make_files, split_into_chunks
from openff_bytepol.training.labels.clusters import make_clusters
from openff_bytepol.training.labels.contacts import make_contacts
from openff_bytepol.training.labels.decompositions import make_decompositions
from openff_bytepol.training.labels.entries import named_entries, pool_entries
from openff_bytepol.training.labels.ions import make_ion_curves
from openff_bytepol.training.labels.pool import PoolEntry
from openff_bytepol.training.labels.provenance import provenance
from openff_bytepol.training.labels.responses import make_responses
from openff_bytepol.training.labels.schema import MOLECULES, write_table

logger = logging.getLogger(__name__)


def make_labels(
    config_path: str | Path,
    *,
    kinds: Sequence[str] = (),
    resume: bool = True,
    overwrite: bool = False,
    worker: int = 0,
    n_workers: int = 1,
) -> Path:
    """Make the labels that a configuration asks for.

    Chunks already on disk are kept, so an interrupted run continues where it stopped;
    several workers may share one folder.

    Parameters
    ----------
    config_path
        YAML file of a `TrainingConfig`.
    kinds
        Some of `KINDS`; by default those that the configuration's ``labels`` name, so molecules of
        ``dimers`` only beside ``pools`` or ``extra``.
    resume
        Continue if some chunks exist.
    overwrite
        Make existing chunks again.
    worker, n_workers
        This process takes every ``n_workers``-th chunk, starting at ``worker``.

    Returns
    -------
    Path
        Folder of Parquet files.

    Raises
    ------
    DataError
        If a kind is unknown, or none is given and ``labels`` name none.
    OutputExistsError
        If chunks exist and neither ``resume`` nor ``overwrite`` is set.
    """
    unknown = set(kinds) - set(KINDS)
    if unknown:
        raise DataError(f"no labels of kind {', '.join(unknown)}; there are {', '.join(KINDS)}")
    config = load_config(config_path)
    wanted = frozenset(kinds) or config.labels.kinds
    if not wanted:
        raise DataError(
            f"{config_path}: `labels` names nothing to make; add `pools`, `extra` or the section "
            "of a kind, or choose --kind molecules for those of `dimers`"
        )
    folder = config.labels_folder
    existing = list(folder.glob("*.parquet"))
    if existing and not (resume or overwrite):
        raise OutputExistsError(f"{folder}: labels exist; resume, or pass --force to make them new")
    for kind, make in KINDS.items():
        if kind in wanted:
            make(config, overwrite=overwrite, worker=worker, n_workers=n_workers)
    return folder


def make_molecules(
    config: TrainingConfig, *, overwrite: bool = False, worker: int = 0, n_workers: int = 1
) -> list[Path]:
    """AIMNet2 labels of molecules, in chunks; those on disk are kept."""
    size = config.labels.chunk_size
    folder = config.labels_folder
    chosen = pool_entries(config)[: config.labels.max_molecules]
    chunks = split_into_chunks(named_entries(config), size, folder, "named")
    chunks |= split_into_chunks(chosen, size, folder, "pool")
    made = provenance("Auto3D", "AIMNet2 (wB97M-D3)", settings=config.labels)

    def make(path: Path, entries: Sequence[PoolEntry]) -> None:
        rows = [row for entry in entries if (row := _try_label(entry, config.labels)) is not None]
        write_table(rows, MOLECULES, path, made)

    return make_files(
        chunks, make, description="labels", overwrite=overwrite, worker=worker, n_workers=n_workers
    )


def _ions(
    config: TrainingConfig, *, overwrite: bool = False, worker: int = 0, n_workers: int = 1
) -> list[Path]:
    """Curves of alkali cations, by the first worker alone; those on disk are kept."""
    del overwrite, n_workers
    return make_ion_curves(config) if worker == 0 else []


KINDS: Final[dict[str, Callable[..., list[Path]]]] = {
    "molecules": make_molecules,
    "contacts": make_contacts,
    "clusters": make_clusters,
    "ions": _ions,
    "responses": make_responses,
    "decompositions": make_decompositions,
    "anchors": make_anchors,
    "checks": make_checks,
}
"""What can be labelled, by name; anchors are fitted to what comes before them."""


def _try_label(entry: PoolEntry, config: LabelConfig) -> dict[str, Any] | None:
    try:
        return label_molecule(entry, config)
    except DataError as error:
        logger.warning("%s left out: %s", entry.smiles, error)
        return None


def label_molecule(entry: PoolEntry, config: LabelConfig) -> dict[str, Any]:
    """All labels of one molecule, a row of the molecules schema.

    Raises
    ------
    DataError
        If it has elements AIMNet2 lacks, no geometry, or no priors.
    """
    mol = geometries.hydrogenated(entry.smiles)
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()], dtype=np.int64)
    charge = Chem.GetFormalCharge(mol)
    if not set(numbers.tolist()) <= aimnet2.ELEMENTS:
        raise DataError("AIMNet2 lacks one of its elements")
    atomic_numbers = torch.from_numpy(numbers)
    starts, kinds = _starting_geometries(mol, atomic_numbers, charge, config)
    surface = aimnet2.evaluate(starts, atomic_numbers, charge)
    relative = surface.energies - surface.energies.min()
    strongest = surface.forces.abs().amax((1, 2))
    keep = (relative < config.energy_window) & (strongest < config.force_limit)
    if config.deviation_limit is not None:
        keep &= aimnet2.deviations(starts, atomic_numbers, charge) < config.deviation_limit
    if not keep.any():
        raise DataError("no geometry within the energy window")
    lowest, n_conformers = int(relative.argmin()), kinds.count("conformer")
    molecule = priors.openff_molecule(mol)
    try:
        bonded = priors.bonded_priors(molecule)
    except (ValueError, KeyError) as error:
        raise DataError(f"no priors: {error}") from error
    charges = surface.charges[:n_conformers].double().mean(0)
    charges = charges + (charge - charges.sum()) / len(charges)
    dispersion = priors.dispersion_priors(numbers, starts[lowest].double().numpy(), charge)
    return {
        "smiles": entry.smiles,
        "mapped_smiles": Chem.MolToSmiles(mol),
        "source": entry.source,
        "charges": charges.tolist(),
        **{name: value.ravel().tolist() for name, value in (bonded | dispersion).items()},
        "kinds": [kind for kind, kept in zip(kinds, keep.tolist(), strict=True) if kept],
        "coordinates": starts[keep].numpy().ravel(),
        "energies": relative[keep].numpy(),
        "forces": surface.forces[keep].numpy().ravel(),
        "dipoles": aimnet2.dipoles(starts, surface.charges)[keep].numpy().ravel(),
    }


def _starting_geometries(
    mol: Chem.Mol, atomic_numbers: torch.Tensor, charge: int, config: LabelConfig
) -> tuple[torch.Tensor, list[str]]:
    found = torch.from_numpy(geometries.conformers(mol, config.n_conformers, config.seed))
    relaxed = aimnet2.relax(found, atomic_numbers, charge, config.conformer_steps)
    scans = []
    for index, dihedral in enumerate(geometries.rotatable_bonds(mol)[: config.max_torsions]):
        step = 360.0 / config.torsion_points
        angles = [step * (i + 0.5) for i in range(config.torsion_points)]
        start = relaxed[index % len(relaxed)].double().numpy()
        scans.append(torch.from_numpy(geometries.torsion_scan(mol, start, dihedral, angles)))
    driven = torch.cat(scans) if scans else found[:0]
    if len(driven):
        driven = aimnet2.relax(driven, atomic_numbers, charge, config.torsion_steps)
    generator = torch.Generator().manual_seed(config.seed)
    distorted = []
    for width in config.distortions:
        noise = torch.randn(relaxed.shape, generator=generator)
        distorted.append(relaxed.float() + width * noise)
    parts = {
        "conformer": relaxed.float(),
        "torsion": driven.float(),
        "distorted": torch.cat(distorted) if distorted else relaxed[:0].float(),
    }
    kinds = [kind for kind, part in parts.items() for _ in range(len(part))]
    return torch.cat(list(parts.values())), kinds
