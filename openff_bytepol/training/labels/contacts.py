"""Dimers as they touch in liquids, with first-order energies.

Published sets of dimers hold minima and what lies on straight lines through them: the back
of a molecule rarely meets anything. Here two molecules turn at random and approach until the
closest pair of atoms reaches a chosen part of the sum of their van der Waals radii (Bondi),
so that every part of a molecule meets every part of its neighbours. Electrostatics and
exchange come from `qm.first_order`; the other components stay open (NaN).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem
from scipy.spatial.transform import Rotation

from openff_bytepol.exceptions import ConvergenceError
from openff_bytepol.qm.first_order import first_order
from openff_bytepol.qm.fragments import split_coordinates
from openff_bytepol.training.config import TrainingConfig
from openff_bytepol.training.labels import aimnet2, geometries
from openff_bytepol.training.labels.chunks import make_files, split_into_chunks
from openff_bytepol.training.labels.config import ContactConfig
from openff_bytepol.training.labels.provenance import provenance
from openff_bytepol.training.labels.schema import write_table
from openff_bytepol.training.targets.dimers import DIMERS

logger = logging.getLogger(__name__)

SUBSET = "liquid contacts"
_FAR = 30.0
_STEP = 0.02
"""Å; the approach starts at the one and goes on by the other."""
Coordinates = NDArray[np.float64]


class _Monomer(NamedTuple):
    mapped_smiles: str
    radii: Coordinates
    conformers: Coordinates


def make_contacts(
    config: TrainingConfig, *, overwrite: bool = False, worker: int = 0, n_workers: int = 1
) -> list[Path]:
    """Label the dimers of ``labels.contacts``; chunks on disk are kept.

    Parameters
    ----------
    config
        Run with a ``labels.contacts`` section.
    overwrite
        Make existing chunks again.
    worker, n_workers
        This process takes every ``n_workers``-th chunk, starting at ``worker``.

    Returns
    -------
    list of Path
        Parquet files of dimers.

    Raises
    ------
    MissingDependencyError
        If PySCF or the AIMNet2 weights are not installed.
    """
    settings = config.labels.contacts
    if settings is None:
        return []

    def make(path: Path, numbered: Sequence[tuple[int, tuple[str, str]]]) -> None:
        rows = [
            row
            for number, pair in numbered
            if (row := _try_label(*pair, number, settings)) is not None
        ]
        write_table(rows, DIMERS, path, provenance("PySCF", settings.level.name))

    numbered = list(enumerate(choose_pairs(settings)))
    return make_files(
        split_into_chunks(numbered, settings.chunk_size, config.output_folder / "contacts"),
        make, description="contacts", overwrite=overwrite, worker=worker, n_workers=n_workers,
    )  # fmt: skip


def choose_pairs(settings: ContactConfig) -> list[tuple[str, str]]:
    """Pairs of SMILES: every molecule with itself and with a random other, shuffled."""
    generator = np.random.default_rng(settings.seed)
    sizes = {s: geometries.hydrogenated(s).GetNumAtoms() for s in settings.molecules}
    pairs = []
    for _ in range(settings.rounds):
        for smiles in settings.molecules:
            other = settings.molecules[int(generator.integers(len(settings.molecules)))]
            pairs += [(smiles, smiles), (smiles, other)]
    pairs = [p for p in pairs if sizes[p[0]] + sizes[p[1]] <= settings.max_atoms]
    return [pairs[i] for i in generator.permutation(len(pairs))]


def _try_label(
    first: str, second: str, number: int, settings: ContactConfig
) -> dict[str, Any] | None:
    try:
        return label_contact(first, second, number, settings)
    except ConvergenceError as error:
        logger.warning("contact %d, %s and %s, left out: %s", number, first, second, error)
        return None


def label_contact(first: str, second: str, number: int, settings: ContactConfig) -> dict[str, Any]:
    """Row of the dimer schema for one random contact of two molecules.

    Parameters
    ----------
    first, second
        SMILES.
    number
        Names the dimer and seeds its geometry.
    settings
        Closeness, level and weight.

    Raises
    ------
    DataError
        If a molecule has no geometry.
    ConvergenceError
        If an SCF does not converge.
    """
    generator = np.random.default_rng([settings.seed, number])
    a, b = _monomer(first, settings), _monomer(second, settings)
    coordinates = place(
        a.conformers[generator.integers(len(a.conformers))],
        b.conformers[generator.integers(len(b.conformers))],
        np.add.outer(a.radii, b.radii),
        float(generator.uniform(*settings.closeness)),
        generator,
    )
    smiles = (a.mapped_smiles, b.mapped_smiles)
    placed_a, placed_b = split_coordinates(smiles, coordinates)
    energies = first_order(placed_a, placed_b, settings.level)
    return {
        "subset": SUBSET,
        "name": f"{first} {second} {number}",
        "level": settings.level.name,
        "smiles_a": smiles[0],
        "smiles_b": smiles[1],
        "coordinates": coordinates.ravel(),
        "elst": energies.electrostatics,
        "exch": energies.exchange,
        **dict.fromkeys(("ind", "disp", "total"), math.nan),
        "weight": settings.weight,
    }


def place(
    a: Coordinates,
    b: Coordinates,
    radius_sums: Coordinates,
    closeness: float,
    generator: np.random.Generator,
) -> Coordinates:
    """Both molecules turned at random, touching from a random side.

    Parameters
    ----------
    a, b
        (n_a, 3) and (n_b, 3), Å.
    radius_sums
        Of each pair of atoms, (n_a, n_b), Å.
    closeness
        The smallest distance as a part of its radius sum.
    generator
        Source of chance.

    Returns
    -------
    ndarray
        (n_a + n_b, 3), Å.
    """
    turned = [
        (x - x.mean(0)) @ Rotation.random(random_state=generator).as_matrix().T for x in (a, b)
    ]
    direction = generator.normal(size=3)
    direction /= np.linalg.norm(direction)
    shift = _FAR
    while shift > 0:
        moved = turned[1] + shift * direction
        distances = np.linalg.norm(turned[0][:, None] - moved[None], axis=-1)
        if (distances / radius_sums).min() <= closeness:
            break
        shift -= _STEP
    return np.concatenate([turned[0], turned[1] + shift * direction])


@cache
def _monomer(smiles: str, settings: ContactConfig) -> _Monomer:
    mol = geometries.hydrogenated(smiles)
    numbers = torch.tensor([atom.GetAtomicNum() for atom in mol.GetAtoms()])
    starts = torch.from_numpy(geometries.conformers(mol, settings.n_conformers, settings.seed))
    relaxed = aimnet2.relax(starts, numbers, Chem.GetFormalCharge(mol), settings.relaxation_steps)
    table = Chem.GetPeriodicTable()
    radii = np.array([table.GetRvdw(int(number)) for number in numbers])
    return _Monomer(Chem.MolToSmiles(mol), radii, relaxed.double().numpy())
