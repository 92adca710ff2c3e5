"""Trimers of neighbours from liquids, with three-body energies.

Dimers say nothing about what three molecules interact beyond their pairs, which decides how
strongly a liquid polarizes: a polarizable model fitted to dimers alone may be far off. Here a
molecule and two of its neighbours are cut from liquids that a model simulates; two of the three
pairs touch, the third may. Molecules are rigid conformers. Energies come from `qm.many_body`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.exceptions import ClashError, ConvergenceError
from openff_bytepol.qm.many_body import three_body
from openff_bytepol.training.config import TrainingConfig
from openff_bytepol.training.datasets.schemas import CLUSTERS
from openff_bytepol.training.labels.chunks import make_files
from openff_bytepol.training.labels.config import ClusterConfig, LiquidConfig
from openff_bytepol.training.labels.liquids import closeness, neighbours, simulate_liquid
from openff_bytepol.training.labels.provenance import provenance
from openff_bytepol.training.labels.rigid import RigidMolecule, rigid_molecule
from openff_bytepol.training.labels.schema import write_table
from openff_bytepol.training.start import named_model
from openff_bytepol.training.targets.clusters import TRIMERS

logger = logging.getLogger(__name__)

Coordinates = NDArray[np.float64]


class Trimer(NamedTuple):
    """A molecule and two of its neighbours."""

    smiles: tuple[str, ...]
    coordinates: tuple[Coordinates, ...]
    """(n_atoms, 3) each, Å."""
    name: str


def make_clusters(
    config: TrainingConfig, *, overwrite: bool = False, worker: int = 0, n_workers: int = 1
) -> list[Path]:
    """Label the trimers of ``labels.clusters``; files on disk are kept.

    Parameters
    ----------
    config
        Run with a ``labels.clusters`` section.
    overwrite
        Make existing files again.
    worker, n_workers
        This process takes every ``n_workers``-th liquid, starting at ``worker``.

    Returns
    -------
    list of Path
        Parquet files of the clusters schema, one for each liquid.

    Raises
    ------
    DataError
        If AIMNet2 lacks an element of a molecule, or it has no geometry.
    MissingDependencyError
        If PySCF or the AIMNet2 weights are not installed.
    ModelNotFoundError
        If there is no such model to simulate liquids with.
    """
    settings = config.labels.clusters
    if settings is None:
        return []
    folder = config.output_folder / "clusters"
    tasks = {
        folder / f"liquid-{number:04d}.parquet": (number, liquid)
        for number, liquid in enumerate(settings.liquids)
    }

    def make(path: Path, task: tuple[int, LiquidConfig]) -> None:
        trimers = _liquid_trimers(*task, settings, config)
        rows = [row for one in trimers if (row := _try_label(one, settings)) is not None]
        write_table(rows, CLUSTERS, path, provenance("PySCF", settings.level.name))

    return make_files(
        tasks, make, description="clusters", overwrite=overwrite, worker=worker, n_workers=n_workers
    )


def label_trimer(trimer: Trimer, settings: ClusterConfig) -> dict[str, Any]:
    """Row of the clusters schema for three molecules, as rigid conformers at their places.

    Parameters
    ----------
    trimer
        Molecules, places and a name.
    settings
        Conformers, level, and the smallest distance allowed.

    Raises
    ------
    ClashError
        If atoms of different molecules are too close.
    DataError
        If a molecule has no geometry.
    ConvergenceError
        If an SCF does not converge.
    """
    rigid = [_rigid(smiles, settings) for smiles in trimer.smiles]
    fragments = [
        one.placed(coordinates) for one, coordinates in zip(rigid, trimer.coordinates, strict=True)
    ]
    places = [fragment.coordinates for fragment in fragments]
    closest = min(
        closeness(places[i], places[j], rigid[i].radii, rigid[j].radii)
        for i, j in combinations(range(3), 2)
    )
    if closest < settings.closest:
        raise ClashError(
            f"atoms at {closest:.2f} of the sum of their van der Waals radii, less than closest "
            f"({settings.closest:g})"
        )
    return {
        "subset": TRIMERS,
        "name": f"{' '.join(trimer.smiles)} {trimer.name}",
        "level": settings.level.name,
        "smiles": [one.mapped_smiles for one in rigid],
        "coordinates": np.concatenate(places).ravel(),
        "total": math.nan,
        "three_body": three_body(fragments, settings.level),
    }


def find_trimers(
    placed: Sequence[Coordinates],
    box: Coordinates | None,
    radii: Sequence[Coordinates],
    reach: float,
) -> dict[tuple[int, int, int], tuple[Coordinates, Coordinates, Coordinates]]:
    """Every molecule with every two of its neighbours; the same three count once.

    Parameters
    ----------
    placed
        Whole molecules, (n_atoms, 3) each, Å.
    box
        Edges (3,), Å; None for a droplet.
    radii
        Van der Waals radii of the atoms of each molecule, Å.
    reach
        Neighbours are closer than this, in sums of van der Waals radii.

    Returns
    -------
    dict
        Numbers of three molecules, that in the middle first, and their coordinates, those of the
        neighbours at the images nearest to it, Å.
    """
    around: list[dict[int, Coordinates]] = [{} for _ in placed]
    largest = reach * 2 * max(one.max() for one in radii)
    for i, j, first, second in neighbours(placed, box, largest):
        if closeness(first, second, radii[i], radii[j]) < reach:
            around[i][j] = second
            around[j][i] = first + (placed[j] - second)[0]
    found: dict[frozenset[int], tuple[int, int, int]] = {}
    for middle, others in enumerate(around):
        for a, b in combinations(others, 2):
            found.setdefault(frozenset((middle, a, b)), (middle, a, b))
    return {(m, a, b): (placed[m], around[m][a], around[m][b]) for m, a, b in found.values()}


def _try_label(trimer: Trimer, settings: ClusterConfig) -> dict[str, Any] | None:
    try:
        return label_trimer(trimer, settings)
    except (ClashError, ConvergenceError) as error:
        logger.warning("trimer %s of %s left out: %s", trimer.name, trimer.smiles, error)
        return None


def _liquid_trimers(
    number: int, liquid: LiquidConfig, settings: ClusterConfig, config: TrainingConfig
) -> Iterator[Trimer]:
    """Trimers of any kind, chosen by chance from every frame."""
    generator = np.random.default_rng([settings.seed, number])
    model = named_model(config, settings.model)
    rigid = [_rigid(smiles, settings) for smiles in liquid.molecules]
    molecules = [one.molecule for one in rigid]
    chosen = 0
    frames = simulate_liquid(model, molecules, liquid, settings.seed + number)
    for done, (placed, kinds, box) in enumerate(frames, start=1):
        found = find_trimers(placed, box, [rigid[kind].radii for kind in kinds], settings.reach)
        trimers = list(found.items())
        for k in generator.permutation(len(trimers)):
            if chosen >= liquid.count * done // liquid.frames:
                break
            members, coordinates = trimers[k]
            of_kinds = [kinds[member] for member in members]
            small = sum(map(len, coordinates)) <= settings.max_atoms
            if small and not (liquid.unlike and liquid.alike(of_kinds)):
                chosen += 1
                smiles = tuple(liquid.molecules[kind] for kind in of_kinds)
                yield Trimer(smiles, coordinates, f"liquid {number}-{chosen}")


def _rigid(smiles: str, settings: ClusterConfig) -> RigidMolecule:
    return rigid_molecule(smiles, settings.n_conformers, settings.relaxation_steps, settings.seed)
