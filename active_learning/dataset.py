"""Labels of a campaign and of earlier training, split once and for all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from active_learning.config import CampaignConfig
from openff_bytepol.exceptions import DataError
from openff_bytepol.smiles import canonical_smiles
from openff_bytepol.training.config import SplitConfig
from openff_bytepol.training.labels.schema import MOLECULES, read_table, write_table
from openff_bytepol.training.splits import Split, assign, pair_key, scaffold_key
from openff_bytepol.training.targets.dimers import DIMERS

Row = dict[str, Any]
SCHEMAS: Final[dict[str, pa.Schema]] = {"molecules": MOLECULES, "dimers": DIMERS}


@dataclass(frozen=True)
class Labels:
    """Rows of the two schemas."""

    molecules: list[Row] = field(default_factory=list)
    dimers: list[Row] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.molecules) + len(self.dimers)

    def __add__(self, other: Labels) -> Labels:
        return Labels(self.molecules + other.molecules, self.dimers + other.dimers)

    def smiles(self) -> set[str]:
        """Canonical SMILES of every molecule."""
        names = {row["smiles"] for row in self.molecules}
        mapped = {row[f"smiles_{side}"] for row in self.dimers for side in "ab"}
        return names | {canonical_smiles(s) for s in mapped}


def read_labels(molecules: Iterable[Path], dimers: Iterable[Path]) -> Labels:
    """Rows of Parquet files, checked against their schemas."""
    return Labels(
        [row for path in molecules for row in read_table(path, MOLECULES)],
        [row for path in dimers for row in read_table(path, DIMERS)],
    )


def write_labels(labels: Labels, folder: Path) -> dict[str, str]:
    """Write ``molecules.parquet`` and ``dimers.parquet``, only those that have rows.

    Returns
    -------
    dict
        Table → file name.
    """
    written = {}
    for name, schema in SCHEMAS.items():
        rows = getattr(labels, name)
        if rows:
            write_table(rows, schema, folder / f"{name}.parquet")
            written[name] = f"{name}.parquet"
    return written


def read_folder(folder: Path) -> Labels:
    """What `write_labels` wrote; empty where it wrote nothing."""
    paths = {name: folder / f"{name}.parquet" for name in SCHEMAS}
    found = {name: [path] if path.is_file() else [] for name, path in paths.items()}
    return read_labels(found["molecules"], found["dimers"])


def split_new(labels: Labels, fraction: float, seed: int) -> dict[Split, Labels]:
    """New labels split by molecule and by pair of molecules, the same in every round.

    ``fraction`` goes to ``test``; nothing goes to ``validation``.
    """
    parts: dict[Split, Labels] = {s: Labels() for s in ("train", "validation", "test")}
    for row in labels.molecules:
        held = assign(row["smiles"], fraction, seed) == "test"
        parts["test" if held else "train"].molecules.append(row)
    for row in labels.dimers:
        key = pair_key(canonical_smiles(row["smiles_a"]), canonical_smiles(row["smiles_b"]))
        held = assign(key, fraction, seed) == "test"
        parts["test" if held else "train"].dimers.append(row)
    return parts


def split_replay(labels: Labels, split: SplitConfig) -> dict[Split, Labels]:
    """Earlier labels split as the trainer splits them: by scaffold and by pair of molecules."""
    parts: dict[Split, Labels] = {s: Labels() for s in ("train", "validation", "test")}
    names: dict[str, str] = {}
    for row in labels.molecules:
        key = scaffold_key(row["smiles"])
        parts[assign(key, split.scaffold_fraction, split.seed)].molecules.append(row)
    for row in labels.dimers:
        for side in "ab":
            mapped = row[f"smiles_{side}"]
            if mapped not in names:
                names[mapped] = canonical_smiles(mapped)
        key = pair_key(names[row["smiles_a"]], names[row["smiles_b"]])
        parts[assign(key, split.pair_fraction, split.seed)].dimers.append(row)
    return parts


def read_replay(config: CampaignConfig) -> dict[Split, Labels]:
    """Labels of earlier training, thinned to the configured sizes."""
    replay = config.training.replay
    molecules = config.files(replay.molecules) if replay.molecules else []
    dimers = config.files(replay.dimers) if replay.dimers else []
    labels = read_labels(molecules, dimers)
    limit = config.training.targets.dimer_energy_limit
    labels = replace(labels, dimers=[row for row in labels.dimers if row["total"] < limit])
    generator = np.random.default_rng(config.seed)
    thinned = Labels(
        _thin(labels.molecules, replay.molecules_limit, generator),
        _thin(labels.dimers, replay.dimers_limit, generator),
    )
    return split_replay(thinned, config.training.split)


def _thin(rows: list[Row], limit: int | None, generator: np.random.Generator) -> list[Row]:
    if limit is None or len(rows) <= limit:
        return rows
    return [rows[i] for i in sorted(generator.choice(len(rows), limit, replace=False))]


def labels_of(results: Sequence[dict[str, Any]], dimer_weight: float, limit: float) -> Labels:
    """Rows of stored results; dimers above the energy limit are left out.

    Raises
    ------
    DataError
        If a row lacks a field of its schema.
    """
    found = Labels()
    for result in results:
        row, kind = dict(result["row"]), result["kind"]
        if kind not in SCHEMAS:
            continue
        missing = set(SCHEMAS[kind].names) - row.keys()
        if missing:
            raise DataError(
                f"label {result['job_id'][:12]} lacks {', '.join(sorted(missing))}; correct the "
                "labeller"
            )
        if kind == "dimers":
            if not row["total"] < limit:
                continue
            row["weight"] = dimer_weight
        getattr(found, kind).append({name: row[name] for name in SCHEMAS[kind].names})
    return found
