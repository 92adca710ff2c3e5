"""Datasets of a run: found or made, checked, split and featurized."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from openff_bytepol.exceptions import DataError
from openff_bytepol.nn.model import Model
from openff_bytepol.smiles import canonical_smiles
from openff_bytepol.training.cluster_data import load_clusters
from openff_bytepol.training.config import TrainingConfig
from openff_bytepol.training.datasets.schemas import POTENTIALS, RESPONSES
from openff_bytepol.training.labels.config import ContactConfig, DecompositionConfig
from openff_bytepol.training.labels.dimers import import_dimers
from openff_bytepol.training.labels.ions import make_ion_curves
from openff_bytepol.training.labels.schema import MOLECULES, read_table
from openff_bytepol.training.level_factors import corrected
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.splits import Rows, pair_key, scaffold_key, split_rows
from openff_bytepol.training.start import start_molecules
from openff_bytepol.training.targets.anchors import ANCHORS, AnchorTarget
from openff_bytepol.training.targets.base import Target
from openff_bytepol.training.targets.clusters import ClusterTarget
from openff_bytepol.training.targets.dimers import CONTACTS, DIMERS, MINIMA, DimerTarget
from openff_bytepol.training.targets.monomers import MonomerTarget
from openff_bytepol.training.targets.potentials import PotentialTarget
from openff_bytepol.training.targets.priors import PriorTarget
from openff_bytepol.training.targets.responses import ResponseTarget
from openff_bytepol.training.targets.start import StartTarget

logger = logging.getLogger(__name__)

MOST_COPIES: Final = 20
"""Of a contact in an epoch, where `ContactConfig.shown` asks for more."""


def load_dimers(config: TrainingConfig) -> Rows:
    """Dimers, split by monomer pair; labels of our own count as far as they are made."""
    rows = [
        row
        for path in [*import_dimers(config), *make_ion_curves(config)]
        for row in read_table(path, DIMERS)
    ]
    contacts = config.labels.contacts
    rows += _labelled_dimers(config, "contacts", contacts)
    rows += _labelled_dimers(config, "decompositions", config.labels.decompositions)
    rows = [corrected(row, config) for row in rows]
    rows = [row for row in rows if not _interaction(row) > config.targets.dimer_energy_limit]
    names = {s: canonical_smiles(s) for row in rows for s in (row["smiles_a"], row["smiles_b"])}
    split = config.split
    result = split_rows(
        rows,
        lambda row: {pair_key(names[row["smiles_a"]], names[row["smiles_b"]])},
        split.pair_fraction,
        split,
        trained={pair_key(name, name) for name in map(canonical_smiles, split.trained)},
    )
    if contacts is not None:
        touching = [row for row in result["train"] if _touches(row)]
        for row, copies in zip(touching, _copies(touching, contacts), strict=True):
            result["train"] += [row] * (copies - 1)
    return result


def _apart(dimers: Rows) -> tuple[Rows, Rows]:
    """Those of the target ``contacts``, and all others."""
    contacts: Rows = {}
    others: Rows = {}
    for split, rows in dimers.items():
        contacts[split] = [row for row in rows if _touches(row)]
        others[split] = [row for row in rows if not _touches(row)]
    return contacts, others


def _touches(row: dict[str, Any]) -> bool:
    return row["subset"] in (CONTACTS, MINIMA)


def _copies(rows: Sequence[dict[str, Any]], settings: ContactConfig) -> list[int]:
    """How often an epoch shows each contact."""
    keys = ("smiles_a", "smiles_b", "subset")
    pairs = [(*(row[key] for key in keys), math.isnan(row["total"])) for row in rows]
    counts = Counter(pairs)
    wanted = [0 if pair[-1] else math.ceil(settings.shown / counts[pair]) for pair in pairs]
    return [max(settings.repeats, min(often, MOST_COPIES)) for often in wanted]


def _labelled_dimers(
    config: TrainingConfig, kind: str, settings: ContactConfig | DecompositionConfig | None
) -> list[dict[str, Any]]:
    """Those on disk, with the weight that the configuration gives them now.

    Raises
    ------
    DataError
        If a file of ``labels.contacts.files`` is missing or holds no dimers.
    """
    paths = sorted((config.output_folder / kind).glob("*.parquet"))
    if isinstance(settings, ContactConfig):
        paths += [config.beside(path) for path in settings.files]
    rows = [row for path in paths for row in read_table(path, DIMERS)]
    return rows if settings is None else [row | {"weight": _weight(row, settings)} for row in rows]


def _weight(row: dict[str, Any], settings: ContactConfig | DecompositionConfig) -> float:
    if isinstance(settings, ContactConfig) and not math.isnan(row["total"]):
        return settings.total_weight or settings.weight
    return settings.weight


def _interaction(row: dict[str, Any]) -> float:
    """Total, or the first-order energy where that is all there is, kcal/mol."""
    return float(row["elst"] + row["exch"] if math.isnan(row["total"]) else row["total"])


def load_molecules(config: TrainingConfig) -> Rows:
    """Labelled molecules, split by scaffold.

    Raises
    ------
    DataError
        If there are none.
    """
    paths = sorted(config.labels_folder.glob("*.parquet"))
    if not paths:
        raise DataError(
            f"{config.labels_folder}: no labels of molecules; run "
            "`bytepol labels --kind molecules` first"
        )
    unique = {row["smiles"]: row for path in paths for row in read_table(path, MOLECULES)}
    return _by_scaffold(unique.values(), lambda row: str(row["smiles"]), config)


def load_responses(config: TrainingConfig) -> Rows:
    """Dipoles and polarizabilities by quantum chemistry, split by scaffold; may be empty."""
    return _by_scaffold(_labelled(config, "responses", RESPONSES), _name, config)


def load_potentials(config: TrainingConfig) -> Rows:
    """Electrostatic potentials by quantum chemistry, split by scaffold; may be empty."""
    return _by_scaffold(_labelled(config, "potentials", POTENTIALS), _name, config)


def load_anchors(config: TrainingConfig) -> list[dict[str, Any]]:
    """Molecules with fitted parameters, all for training.

    Raises
    ------
    DataError
        If there are none.
    """
    folder = config.output_folder / "anchors"
    paths = sorted(folder.glob("*.parquet"))
    if config.labels.anchors is not None:
        paths += [config.beside(path) for path in config.labels.anchors.files]
    if not paths:
        raise DataError(
            f"{folder}: no anchors; name molecules in `labels.anchors` and run "
            "`bytepol labels --kind anchors` first"
        )
    return [row for path in paths for row in read_table(path, ANCHORS)]


def _labelled(config: TrainingConfig, kind: str, schema: pa.Schema) -> list[dict[str, Any]]:
    paths = sorted((config.labels_folder / kind).glob("*.parquet"))
    return [corrected(row, config) for path in paths for row in read_table(path, schema)]


def _name(row: dict[str, Any]) -> str:
    return canonical_smiles(row["mapped_smiles"])


def _by_scaffold(
    rows: Iterable[dict[str, Any]], name: Callable[[dict[str, Any]], str], config: TrainingConfig
) -> Rows:
    """Split, with rows for training repeated as ``labels.emphasis`` says."""
    fraction = config.split.scaffold_fraction
    result = split_rows(rows, lambda row: {scaffold_key(name(row))}, fraction, config.split)
    often = config.labels.times_shown
    result["train"] = [row for row in result["train"] for _ in range(often.get(name(row), 1))]
    return result


def without_known_dipoles(molecules: Rows, responses: Rows) -> Rows:
    """Molecules whose AIMNet2 dipoles are NaN where quantum chemistry gave one.

    Parameters
    ----------
    molecules
        Rows of the molecules schema.
    responses
        Rows of the responses schema.
    """
    known = {
        _name(row)
        for rows in responses.values()
        for row in rows
        if not np.isnan(row["dipole"]).any()
    }
    return {
        split: [
            row | {"dipoles": np.full_like(row["dipoles"], np.nan)}
            if row["smiles"] in known
            else row
            for row in rows
        ]
        for split, rows in molecules.items()
    }


def make_targets(config: TrainingConfig, model: Model) -> dict[str, Target]:
    """The targets that some stage uses, with their data featurized.

    Contacts from liquids are among the dimers, or a target of their own if a stage asks for it.
    AIMNet2's dipoles do not count beside those of quantum chemistry if every stage with
    ``monomers`` also has ``responses``.

    Raises
    ------
    DataError
        If a used target has no training data.
    """
    weights = [stage.weights for stage in config.stages]
    used = {name for of_stage in weights for name in of_stage}
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    targets: dict[str, Target] = {}
    if used & {"dimers", "contacts"}:
        dimers = load_dimers(config)
        library.add(row[f"smiles_{side}"] for r in dimers.values() for row in r for side in "ab")
        if "contacts" in used:
            contacts, dimers = _apart(dimers)
            targets["contacts"] = DimerTarget(contacts, library, config.targets)
        if "dimers" in used:
            targets["dimers"] = DimerTarget(dimers, library, config.targets)
    if used & {"priors", "monomers", "responses"}:
        molecules = load_molecules(config)
        library.add(row["mapped_smiles"] for rows in molecules.values() for row in rows)
        if "priors" in used:
            targets["priors"] = PriorTarget(molecules, library, config.targets)
        responses = load_responses(config) if "responses" in used else None
        if "monomers" in used:
            together = all("responses" in w for w in weights if "monomers" in w)
            rows = molecules
            if responses is not None and together:
                rows = without_known_dipoles(molecules, responses)
            targets["monomers"] = MonomerTarget(rows, library, config.targets)
        if responses is not None:
            library.add(row["mapped_smiles"] for rows in responses.values() for row in rows)
            targets["responses"] = ResponseTarget(responses, molecules, library, config.targets)
    targets |= _separate_targets(config, used, library, model)
    if library.refused:
        reasons = Counter(reason.split(":")[-1][:80] for reason in library.refused.values())
        logger.warning("%d molecules refused: %s", len(library.refused), reasons.most_common(5))
    for name, target in targets.items():
        if target.size("train") == 0:
            raise DataError(f"target {name} has no training data")
        logger.info(
            "%s: %d train, %d validation, %d test",
            name, target.size("train"), target.size("validation"), target.size("test"),
        )  # fmt: skip
    return targets


def _separate_targets(
    config: TrainingConfig, used: Collection[str], library: MoleculeLibrary, model: Model
) -> dict[str, Target]:
    """Targets whose data no other target needs."""
    targets: dict[str, Target] = {}
    if "potentials" in used:
        potentials = load_potentials(config)
        library.add(row["mapped_smiles"] for rows in potentials.values() for row in rows)
        targets["potentials"] = PotentialTarget(potentials, library, config.targets)
    if "clusters" in used:
        clusters = load_clusters(config)
        library.add(s for rows in clusters.values() for row in rows for s in row["smiles"])
        targets["clusters"] = ClusterTarget(clusters, library, config.targets)
    if "anchors" in used:
        anchors = load_anchors(config)
        library.add(row["mapped_smiles"] for row in anchors)
        targets["anchors"] = AnchorTarget(anchors, library, config.targets)
    if "start" in used:
        kept = start_molecules(config)
        library.add(kept)
        targets["start"] = StartTarget(kept, model, library, config.targets)
    return targets
