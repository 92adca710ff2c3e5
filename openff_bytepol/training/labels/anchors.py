"""Parameters fitted directly to the dimers, liquid contacts and trimers of some molecules.

Some molecules, water first of all, need parameters far from where gradient descent on a whole
network starts. Fitted alone, a dozen numbers with all other molecules as a model has them, good
values are found in minutes; the target ``anchors`` then teaches them to a network.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from rdkit import Chem
from torch import Tensor

from openff_bytepol.exceptions import DataError
from openff_bytepol.graph.symmetry import refined_classes
from openff_bytepol.nn.model import Model
from openff_bytepol.smiles import canonical_smiles
from openff_bytepol.training.cluster_data import load_clusters
from openff_bytepol.training.config import TrainingConfig
from openff_bytepol.training.data import load_dimers, load_responses
from openff_bytepol.training.labels import aimnet2
from openff_bytepol.training.labels.anchor_fit import FreeParameters, fit
from openff_bytepol.training.labels.anchor_loss import AnchorLoss
from openff_bytepol.training.labels.chunks import make_files
from openff_bytepol.training.labels.config import AnchorConfig
from openff_bytepol.training.labels.geometries import (
    RELAXATION_STEPS,
    from_mapped_smiles,
    hydrogenated,
    relaxed_conformers,
)
from openff_bytepol.training.labels.priors import molecular_c6
from openff_bytepol.training.labels.provenance import provenance
from openff_bytepol.training.labels.responses import inchi_key
from openff_bytepol.training.labels.schema import write_table
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.start import named_model
from openff_bytepol.training.targets.anchors import ANCHORS
from openff_bytepol.training.targets.clusters import known_trimers
from openff_bytepol.training.targets.dimers import CONTACTS

logger = logging.getLogger(__name__)

Row: TypeAlias = dict[str, Any]


def make_anchors(
    config: TrainingConfig, *, overwrite: bool = False, worker: int = 0, n_workers: int = 1
) -> list[Path]:
    """Fit the molecules of ``labels.anchors``; files on disk are kept.

    Parameters
    ----------
    config
        Run with a ``labels.anchors`` section; its dimers, contacts, clusters and responses
        count as far as they are made.
    overwrite
        Fit again what is on disk.
    worker, n_workers
        This process takes every ``n_workers``-th molecule.

    Returns
    -------
    list of Path
        Parquet files of the anchors schema, named by InChIKey.

    Raises
    ------
    DataError
        If no dimer for training holds a molecule, the model cannot describe it, or an element of
        ``held`` does not exist.
    ModelNotFoundError
        If there is no such model.
    PolarizationCatastropheError, NonFiniteLossError
        If the model's own parameters have no loss.
    MissingDependencyError
        If DFT-D4 or the AIMNet2 weights are not installed, unless ``c6_weight`` is 0.
    """
    settings = config.labels.anchors
    if settings is None or not settings.molecules:
        return []
    molecules = [hydrogenated(smiles) for smiles in settings.molecules]
    folder = config.output_folder / "anchors"
    tasks = {folder / f"{inchi_key(mol)}.parquet": str(Chem.MolToSmiles(mol)) for mol in molecules}
    model = named_model(config, settings.model)
    dimers = lru_cache(maxsize=1)(lambda: load_dimers(config)["train"])
    responses = lru_cache(maxsize=1)(lambda: load_responses(config)["train"])
    clusters = lru_cache(maxsize=1)(lambda: _clusters(config))
    made = provenance("openff-bytepol", f"fitted, from {model.name}", settings=settings)
    made |= {"model sha256": model.sha256}

    def make(path: Path, mapped_smiles: str) -> None:
        row = fit_anchor(mapped_smiles, dimers(), responses(), model, config, clusters=clusters())
        write_table([row], ANCHORS, path, made)

    return make_files(
        tasks, make, description="anchors", overwrite=overwrite, worker=worker, n_workers=n_workers
    )


def fit_anchor(
    mapped_smiles: str,
    dimers: Sequence[Row],
    responses: Sequence[Row],
    model: Model,
    config: TrainingConfig,
    *,
    clusters: Sequence[Row] = (),
) -> Row:
    """Row of the anchors schema of one molecule.

    Parameters
    ----------
    mapped_smiles
        The molecule, its hydrogens explicit.
    dimers, responses
        Rows of the dimer and responses schemas, of any molecules; repeated ones count once.
    model
        Gives the parameters to start from, and those of all other molecules.
    config
        Scales of the losses, and settings of the fit if it has a ``labels.anchors`` section.
    clusters
        Rows of the clusters schema, of any molecules.

    Raises
    ------
    DataError, PolarizationCatastropheError, NonFiniteLossError, MissingDependencyError
        As `make_anchors`.
    """
    settings = config.labels.anchors or AnchorConfig()
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    library.add([mapped_smiles])
    if mapped_smiles not in library:
        raise DataError(f"labels.anchors: {library.refused[mapped_smiles]}; leave it out")
    chosen = choose_dimers(mapped_smiles, dimers, library, settings)
    known = [row for row in _once(responses) if _is(mapped_smiles, row["mapped_smiles"])]
    if not known:
        logger.warning(
            "%s: nothing holds its dipole moment and polarizability; name it in "
            "`labels.responses.extra`, or `benchmark` if Dip146 or Pol130 hold it, and make these "
            "labels",
            canonical_smiles(mapped_smiles),
        )
    library.add(row["mapped_smiles"] for row in known)
    trimers = [
        row
        for row in known_trimers(clusters)
        if any(_is(mapped_smiles, smiles) for smiles in row["smiles"])
    ]
    library.add(smiles for row in trimers for smiles in row["smiles"])
    trimers = [row for row in trimers if all(smiles in library for smiles in row["smiles"])]
    predicted = model.predict(library.graphs)
    loss = AnchorLoss(
        mapped_smiles,
        chosen,
        known,
        trimers,
        three_body_weight=settings.three_body_weight,
        c6=reference_c6(mapped_smiles, settings.seed) if settings.c6_weight else None,
        c6_weight=settings.c6_weight,
        library=library,
        predicted=predicted,
        config=config.targets,
    )
    graph = library.graphs[library.index(mapped_smiles)]
    classes, _ = refined_classes(graph.atomic_numbers.numpy(), graph.bonds.numpy())
    held: dict[str, dict[int, float]] = {
        name: _by_atomic_number(values) for name, values in settings.held.items()
    }
    start = predicted[library.index(mapped_smiles)]
    free = FreeParameters(
        start,
        torch.from_numpy(classes),
        held,
        own_polarizability=model.config.nonbonded.own_polarizability,
    )
    found = fit(free, loss, steps=settings.steps)
    logger.info(
        "%s: loss %.4f before, %.4f after the fit to %d dimers and %d trimers; %s",
        mapped_smiles, found.before, found.after, len(chosen), len(trimers),
        _shown(found.values, classes),
    )  # fmt: skip
    return {
        "mapped_smiles": mapped_smiles,
        **{name: values.numpy() for name, values in found.values.items()},
        "n_dimers": len(chosen),
        "loss_before": found.before,
        "loss_after": found.after,
    }


def choose_dimers(
    mapped_smiles: str, dimers: Sequence[Row], library: MoleculeLibrary, settings: AnchorConfig
) -> list[Row]:
    """Dimers that hold a molecule, with all of its contacts from liquids.

    Parameters
    ----------
    mapped_smiles
        The molecule.
    dimers
        Rows of the dimer schema; repeated ones count once.
    library
        Gets their molecules; dimers of those it refuses are left out.
    settings
        How many of the others are taken: evenly, from a place that the seed decides.

    Raises
    ------
    DataError
        If there are none.
    """
    smiles = {row[f"smiles_{side}"] for row in dimers for side in "ab"}
    same = {one for one in smiles if _is(mapped_smiles, one)}
    holding = [row for row in _once(dimers) if {row["smiles_a"], row["smiles_b"]} & same]
    library.add(row[f"smiles_{side}"] for row in holding for side in "ab")
    holding = [row for row in holding if all(row[f"smiles_{s}"] in library for s in "ab")]
    if not holding:
        raise DataError(
            f"labels.anchors: no dimer for training holds {canonical_smiles(mapped_smiles)}; add "
            "it to `labels.contacts.molecules` and make these labels, add a source of `dimers` "
            "that has it, or leave it out"
        )
    contacts = [row for row in holding if row["subset"] == CONTACTS]
    others = [row for row in holding if row["subset"] != CONTACTS]
    if len(others) > settings.max_dimers:
        start = np.random.default_rng(settings.seed).random()
        places = (np.arange(settings.max_dimers) + start) * len(others) / settings.max_dimers
        others = [others[int(place)] for place in places]
    return contacts + others


def reference_c6(mapped_smiles: str, seed: int) -> float | None:
    """C6 of a molecule by DFT-D4, kcal/mol·Å⁶, at a conformer relaxed with AIMNet2.

    Parameters
    ----------
    mapped_smiles
        The molecule.
    seed
        Of the conformer.

    Returns
    -------
    float or None
        None with elements that AIMNet2 lacks: of alkali metals DFT-D4 knows atoms, no cations.

    Raises
    ------
    DataError
        If the molecule has no geometry.
    MissingDependencyError
        If DFT-D4 or the AIMNet2 weights are not installed.
    """
    molecule = from_mapped_smiles(mapped_smiles)
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()], dtype=np.int64)
    if not set(numbers.tolist()) <= aimnet2.ELEMENTS:
        logger.warning("%s: AIMNet2 lacks one of its elements; its C6 is not held", mapped_smiles)
        return None
    (coordinates,) = relaxed_conformers(molecule, 1, seed, RELAXATION_STEPS)
    return molecular_c6(numbers, coordinates, Chem.GetFormalCharge(molecule))


def _clusters(config: TrainingConfig) -> Sequence[Row]:
    """Those for training; none if none are made or named."""
    named = config.labels.clusters is not None and config.labels.clusters.files
    made = (config.output_folder / "clusters").glob("*.parquet")
    return load_clusters(config)["train"] if named or any(made) else []


def _by_atomic_number(values: Mapping[str, float]) -> dict[int, float]:
    table = Chem.GetPeriodicTable()
    try:
        return {table.GetAtomicNumber(symbol): value for symbol, value in values.items()}
    except RuntimeError as error:
        raise DataError(
            f"labels.anchors.held: {', '.join(values)}: write element symbols, as H"
        ) from error


def _is(mapped_smiles: str, other: str) -> bool:
    return canonical_smiles(mapped_smiles) == canonical_smiles(other)


def _once(rows: Sequence[Row]) -> list[Row]:
    """Without repetitions of one and the same row."""
    return list({id(row): row for row in rows}.values())


def _shown(values: Mapping[str, Tensor], classes: Any) -> str:
    """Values of one atom of each class."""
    first = np.unique(classes, return_index=True)[1]
    return ", ".join(
        f"{name} {' '.join(f'{value:.4g}' for value in found[first].tolist())}"
        for name, found in values.items()
    )
