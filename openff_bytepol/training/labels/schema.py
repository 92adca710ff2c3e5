"""Parquet schema of labelled molecules: one row each, units in the field metadata."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from openff_bytepol.exceptions import DataError
from openff_bytepol.training.labels.provenance import as_metadata

VERSION: Final = "1"


def unit_field(name: str, kind: pa.DataType, unit: str, note: str) -> pa.Field:
    """Field with its unit and meaning as metadata."""
    return pa.field(name, kind, nullable=False, metadata={"unit": unit, "description": note})


_INTEGERS = pa.list_(pa.int32())
_FLOATS = pa.list_(pa.float64())
_SINGLES = pa.list_(pa.float32())

MOLECULES: Final = pa.schema(
    [
        unit_field("smiles", pa.string(), "", "canonical SMILES"),
        unit_field(
            "mapped_smiles", pa.string(), "", "SMILES whose map numbers give the atom order"
        ),
        unit_field("source", pa.string(), "", "pool the molecule comes from"),
        unit_field("charges", _FLOATS, "e", "AIMNet2, mean over conformers"),
        unit_field("c6", _FLOATS, "kcal/mol·Å⁶", "DFT-D4 atomic C6"),
        unit_field("polarizabilities", _FLOATS, "Å³", "DFT-D4 atomic static polarizabilities"),
        unit_field("bonds", _INTEGERS, "", "atom indices, flattened (n, 2)"),
        unit_field("bond_k", _FLOATS, "kcal/mol/Å²", "Sage"),
        unit_field("bond_r0", _FLOATS, "Å", "Sage"),
        unit_field("angles", _INTEGERS, "", "atom indices, flattened (n, 3)"),
        unit_field("angle_k", _FLOATS, "kcal/mol/rad²", "Sage"),
        unit_field("angle_theta0", _FLOATS, "rad", "Sage"),
        unit_field("propers", _INTEGERS, "", "atom indices, flattened (n, 4)"),
        unit_field("proper_k", _FLOATS, "kcal/mol", "Sage, flattened (n, 4), n = 1…4"),
        unit_field(
            "kinds", pa.list_(pa.string()), "", "conformer, torsion or distorted, per geometry"
        ),
        unit_field("coordinates", _SINGLES, "Å", "flattened (n_geometries, n_atoms, 3)"),
        unit_field("energies", _FLOATS, "kcal/mol", "AIMNet2, relative to the lowest"),
        unit_field("forces", _SINGLES, "kcal/mol/Å", "AIMNet2, flattened like coordinates"),
        unit_field("dipoles", _SINGLES, "e·Å", "AIMNet2, about the mean position"),
    ],
    metadata={"schema": "openff-bytepol molecules", "version": VERSION},
)


def write_table(
    rows: Sequence[dict[str, Any]],
    schema: pa.Schema,
    path: Path,
    provenance: Mapping[str, str] | None = None,
    **options: Any,
) -> None:
    """Write rows so that the file appears whole or not at all.

    Parameters
    ----------
    rows
        One dictionary each, by field name.
    schema
        Fields with their units.
    path
        Parquet file.
    provenance
        What `openff_bytepol.training.labels.provenance` returns; goes to the metadata.
    **options
        Of ``pyarrow.parquet.write_table``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    table = pa.Table.from_pylist(list(rows), schema=schema)
    if provenance:
        table = table.replace_schema_metadata(schema.metadata | as_metadata(provenance))
    pq.write_table(table, partial, compression="zstd", **options)
    os.replace(partial, path)


def read_table(path: Path, schema: pa.Schema) -> list[dict[str, Any]]:
    """Rows of a file with the given schema; lists are NumPy arrays.

    Raises
    ------
    DataError
        If the file is missing, of another kind or version, or in other units.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such data file")
    table = pq.read_table(path)
    if _signature(table.schema) != _signature(schema):
        raise DataError(
            f"{path}: its fields, units or version differ from "
            f"{schema.metadata[b'schema'].decode()} version {VERSION}; make the labels again"
        )
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    values = {
        name: column.to_numpy(zero_copy_only=False)
        if pa.types.is_list(column.type)
        else column.to_pylist()
        for name, column in columns.items()
    }
    return [{name: column[i] for name, column in values.items()} for i in range(len(table))]


def _signature(schema: pa.Schema) -> dict[str, Any]:
    metadata = schema.metadata or {}
    units = {field.name: (field.metadata or {}).get(b"unit") for field in schema}
    return {"schema": metadata.get(b"schema"), "version": metadata.get(b"version")} | units
