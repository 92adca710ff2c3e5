"""Parquet files of reference data: import, describe, split."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from openff_bytepol.exceptions import DataError, OutputExistsError, UnitError
from openff_bytepol.training.datasets.geometry import skeleton
from openff_bytepol.training.datasets.kinds import KINDS, has_geometry
from openff_bytepol.training.datasets.readers import READERS, read
from openff_bytepol.training.datasets.validation import (
    Report,
    contradictions,
    duplicates,
    require_level,
    row_level,
    row_smiles,
    validate,
)
from openff_bytepol.training.labels.provenance import provenance, read_provenance
from openff_bytepol.training.labels.schema import read_table, write_table
from openff_bytepol.training.splits import Split, assign, pair_key, scaffold_key

SPLITS: Final[tuple[Split, ...]] = ("train", "validation", "test")


_GRID: Final = 2.0**14
"""Steps in an Å or a kcal/mol of what is merged: binary fractions compress far better than
decimal ones, and these are within 3e-5 of what they stand for."""
_ROUNDED: Final = ("Å", "kcal/mol")
"""Units of fields that are rounded."""


class Table(NamedTuple):
    """A file of reference data."""

    kind: str
    rows: list[dict[str, Any]]


def open_table(path: str | Path) -> Table:
    """Rows of a file of any schema of this package.

    Raises
    ------
    DataError
        If the file is missing, no Parquet, of an unknown schema or another version.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such data file")
    try:
        metadata = pq.read_schema(path).metadata or {}
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{path}: not a Parquet file; import it with `bytepol data import`"
        ) from error
    name = metadata.get(b"schema", b"").decode()
    kind = name.removeprefix("openff-bytepol ")
    if kind not in KINDS:
        raise DataError(
            f"{path}: schema '{name}' is not one of this package; import the file with "
            "`bytepol data import FILE --reader KIND-parquet`"
        )
    return Table(kind, read_table(path, KINDS[kind]))


def import_file(
    path: str | Path,
    reader: str,
    output: str | Path,
    *,
    levels: Sequence[str] = (),
    exclude_subsets: Sequence[str] = (),
    weight: float = 1.0,
    trust_units: bool = False,
    overwrite: bool = False,
) -> Report:
    """Read, check and write reference data; the report is written beside the Parquet file.

    Parameters
    ----------
    path
        File to read.
    reader
        A key of `openff_bytepol.training.datasets.readers.READERS`.
    output
        Parquet file.
    levels
        Levels of theory allowed; empty for any.
    exclude_subsets
        Subsets left out.
    weight
        Of dimers in the loss.
    trust_units
        Keep values although they look like another unit's.
    overwrite
        Replace the output.

    Raises
    ------
    DataError
        If the file cannot be read or nothing passes the checks.
    LabelLevelError
        If a level is not among those allowed.
    UnitError
        If values look like another unit's.
    OutputExistsError
        If the output exists.
    """
    path, output = Path(path), Path(output)
    if output.exists() and not overwrite:
        raise OutputExistsError(f"{output} exists; choose another name or pass --force")
    kind, found = read(path, reader)
    wanted = [row for row in found.rows if row["subset"] not in exclude_subsets]
    if levels:
        require_level(wanted, levels, str(path))
    excluded = Counter({"excluded subset": len(found.rows) - len(wanted)})
    rows, report = validate(kind, wanted, found.dropped + excluded)
    if report.units and not trust_units:
        raise UnitError(f"{path}: {'; '.join(report.units)}; convert them, or pass --trust-units")
    if not rows:
        raise DataError(f"{path}: nothing passes the checks: {dict(report.dropped)}")
    if kind == "dimers":
        rows = [row | {"weight": row["weight"] * weight} for row in rows]
    made = provenance(reader, " + ".join(sorted(report.levels)), READERS[reader].source)
    made |= {"input": path.name, "input sha256": sha256(path)}
    write_table(rows, KINDS[kind], output, made)
    output.with_suffix(".json").write_text(json.dumps(report.to_dict(), indent=2))
    return report


def merge_files(
    paths: Sequence[str | Path], output: str | Path, *, overwrite: bool = False
) -> dict[str, Any]:
    """Put files of one kind together in a small one, without duplicates.

    Lengths and energies of geometries are rounded within 3e-5 Å and kcal/mol; without any, small
    parameters, which count by their logarithm, stay as they are. Of equal entries the one with
    most energies stays. The provenance of all files is kept.

    Parameters
    ----------
    paths
        Files of one schema.
    output
        Parquet file.
    overwrite
        Replace the output.

    Returns
    -------
    dict
        Kind, numbers of entries and size of the file, for JSON.

    Raises
    ------
    DataError
        If a file cannot be read, they are of several kinds, or entries of one molecule contradict
        each other.
    OutputExistsError
        If the output exists.
    """
    output, sources = Path(output), [Path(path) for path in paths]
    if output.exists() and not overwrite:
        raise OutputExistsError(f"{output} exists; choose another name or pass --force")
    tables = [open_table(path) for path in sources]
    kind = tables[0].kind
    for path, table in zip(sources, tables, strict=True):
        if table.kind != kind:
            raise DataError(
                f"{path} holds {table.kind}, {sources[0]} {kind}; merge files of one kind"
            )
    rows = sorted((row for table in tables for row in table.rows), key=_n_missing)
    repeated = duplicates(kind, rows)
    kept = [row for i, row in enumerate(rows) if i not in repeated]
    _refuse_contradictions(kind, kept)
    if has_geometry(kind):
        kept = [_rounded(row, KINDS[kind]) for row in kept]
    levels = Counter(row_level(row) for row in kept)
    made = provenance("openff-bytepol", " + ".join(sorted(levels))) | _inputs(sources)
    texts = [field.name for field in KINDS[kind] if pa.types.is_string(field.type)]
    write_table(kept, KINDS[kind], output, made, compression_level=19, use_dictionary=texts)
    return {
        "file": str(output),
        "kind": kind,
        "read": len(rows),
        "duplicates": len(repeated),
        "kept": len(kept),
        "levels": dict(levels),
        "bytes": output.stat().st_size,
    }


def _n_missing(row: dict[str, Any]) -> int:
    return sum(isinstance(value, float) and math.isnan(value) for value in row.values())


def _refuse_contradictions(kind: str, rows: Sequence[dict[str, Any]]) -> None:
    smiles = {skeleton(rows[i]["mapped_smiles"]).smiles for i in contradictions(kind, rows)}
    if smiles:
        raise DataError(
            f"{kind} of {', '.join(sorted(smiles))} with different parameters; merge only one of "
            "the files that hold them"
        )


def _rounded(row: dict[str, Any], schema: pa.Schema) -> dict[str, Any]:
    units = {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in schema}
    return {
        name: np.round(_GRID * np.asarray(value)) / _GRID if units[name] in _ROUNDED else value
        for name, value in row.items()
    }


def _inputs(paths: Sequence[Path]) -> dict[str, str]:
    """Names and hashes of files, and each distinct value of their provenance."""
    listed = ", ".join(f"{path.name} {sha256(path)[:16]}" for path in paths)
    values: dict[str, dict[str, None]] = {}
    for path in paths:
        for key, value in read_provenance(path).items():
            values.setdefault(f"input {key}", {})[value] = None
    dates = sorted(values.pop("input date", {}))
    found = {key: " | ".join(one) for key, one in values.items()}
    if dates:
        found["input date"] = " – ".join(dict.fromkeys((dates[0], dates[-1])))
    return {"inputs": listed} | found


def describe(path: str | Path) -> dict[str, Any]:
    """Schema, units, provenance and contents of a file, for JSON."""
    path = Path(path)
    kind, rows = open_table(path)
    fields = {
        field.name: {
            "type": str(field.type),
            "unit": (field.metadata or {}).get(b"unit", b"").decode(),
            "description": (field.metadata or {}).get(b"description", b"").decode(),
        }
        for field in KINDS[kind]
    }
    return {
        "file": str(path),
        "sha256": sha256(path),
        "kind": kind,
        "version": (KINDS[kind].metadata or {})[b"version"].decode(),
        "entries": len(rows),
        "molecules": len({skeleton(smiles).smiles for row in rows for smiles in row_smiles(row)}),
        "groups": len({group_key(kind, row) for row in rows}),
        "levels": dict(Counter(row_level(row) for row in rows)),
        "subsets": dict(Counter(name for row in rows if (name := _subset(row)) is not None)),
        "fields": fields,
        "provenance": read_provenance(path),
    }


def _subset(row: dict[str, Any]) -> str | None:
    """Set or pool that a row comes from; anchors have none."""
    found: str | None = row.get("subset", row.get("source"))
    return found


def group_key(kind: str, row: dict[str, Any]) -> str:
    """What must not be on both sides of a split: the set of molecules, or the scaffold."""
    keys = [skeleton(smiles).smiles for smiles in row_smiles(row)]
    if kind == "dimers":
        return pair_key(*keys)
    return " | ".join(sorted(keys)) if kind == "clusters" else scaffold_key(keys[0])


def split_file(
    path: str | Path, output: str | Path, *, fraction: float, seed: int, overwrite: bool = False
) -> dict[str, Any]:
    """Write train, validation and test files, and `split.json` with their hashes.

    Dimers are split by pair of molecules, single molecules by Bemis-Murcko scaffold, never by
    geometry; the assignment depends on the group and the seed alone.

    Parameters
    ----------
    path
        A file of reference data.
    output
        Folder.
    fraction
        Share of groups in the test file; half as many go to validation.
    seed
        Of the assignment.
    overwrite
        Replace files.

    Raises
    ------
    DataError
        If the file cannot be read.
    OutputExistsError
        If a file exists.
    """
    path, output = Path(path), Path(output)
    kind, rows = open_table(path)
    manifest = output / "split.json"
    files: dict[Split, Path] = {name: output / f"{path.stem}-{name}.parquet" for name in SPLITS}
    existing = [one for one in (*files.values(), manifest) if one.exists()]
    if existing and not overwrite:
        raise OutputExistsError(f"{existing[0]} exists; choose another folder or pass --force")
    parts: dict[Split, list[dict[str, Any]]] = {name: [] for name in SPLITS}
    groups: dict[Split, set[str]] = {name: set() for name in SPLITS}
    for row in rows:
        key = group_key(kind, row)
        name = assign(key, fraction, seed)
        parts[name].append(row)
        groups[name].add(key)
    made = read_provenance(path)
    for name in SPLITS:
        write_table(parts[name], KINDS[kind], files[name], made)
    result = {
        "source": path.name,
        "source_sha256": sha256(path),
        "by": {"dimers": "pair of molecules", "clusters": "molecules"}.get(kind, "scaffold"),
        "fraction": fraction,
        "seed": seed,
        "files": {
            name: {
                "file": files[name].name,
                "sha256": sha256(files[name]),
                "entries": len(parts[name]),
                "groups": len(groups[name]),
            }
            for name in SPLITS
        },
    }
    partial = manifest.with_suffix(".partial")
    partial.write_text(json.dumps(result, indent=2))
    os.replace(partial, manifest)
    return result


def sha256(path: Path) -> str:
    """Hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
