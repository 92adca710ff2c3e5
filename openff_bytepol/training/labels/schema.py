"""Parquet schema of labelled molecules: one row each, units in the field metadata."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from openff_bytepol.exceptions import DataError

VERSION: Final = "1"


def _field(name: str, kind: pa.DataType, unit: str, note: str) -> pa.Field:
    return pa.field(name, kind, nullable=False, metadata={"unit": unit, "description": note})


_INTEGERS = pa.list_(pa.int32())
_FLOATS = pa.list_(pa.float64())
_SINGLES = pa.list_(pa.float32())

MOLECULES: Final = pa.schema(
    [
        _field("smiles", pa.string(), "", "canonical SMILES"),
        _field("mapped_smiles", pa.string(), "", "SMILES whose map numbers give the atom order"),
        _field("source", pa.string(), "", "pool the molecule comes from"),
        _field("charge_source", pa.string(), "", "what made the charges"),
        _field("charges", _FLOATS, "e", "prior partial charges"),
        _field("c6", _FLOATS, "kcal/mol·Å⁶", "DFT-D4 atomic C6"),
        _field("polarizabilities", _FLOATS, "Å³", "DFT-D4 atomic static polarizabilities"),
        _field("bonds", _INTEGERS, "", "atom indices, flattened (n, 2)"),
        _field("bond_k", _FLOATS, "kcal/mol/Å²", "Sage"),
        _field("bond_r0", _FLOATS, "Å", "Sage"),
        _field("angles", _INTEGERS, "", "atom indices, flattened (n, 3)"),
        _field("angle_k", _FLOATS, "kcal/mol/rad²", "Sage"),
        _field("angle_theta0", _FLOATS, "rad", "Sage"),
        _field("propers", _INTEGERS, "", "atom indices, flattened (n, 4)"),
        _field("proper_k", _FLOATS, "kcal/mol", "Sage, flattened (n, 4), n = 1…4"),
        _field("kinds", pa.list_(pa.string()), "", "conformer, torsion or distorted, per geometry"),
        _field("coordinates", _SINGLES, "Å", "flattened (n_geometries, n_atoms, 3)"),
        _field("energies", _FLOATS, "kcal/mol", "AIMNet2, relative to the lowest"),
        _field("forces", _SINGLES, "kcal/mol/Å", "AIMNet2, flattened like coordinates"),
    ],
    metadata={"schema": "openff-bytepol molecules", "version": VERSION},
)


def write_table(rows: Sequence[dict[str, Any]], schema: pa.Schema, path: Path) -> None:
    """Write rows so that the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), partial, compression="zstd")
    os.replace(partial, path)


def read_table(path: Path, schema: pa.Schema) -> list[dict[str, Any]]:
    """Rows of a file with the given schema.

    Raises
    ------
    DataError
        If the file is missing, of another kind or version, or in other units.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such data file")
    table = pq.read_table(path)
    if not table.schema.equals(schema, check_metadata=True):
        raise DataError(
            f"{path}: its fields, units or version differ from "
            f"{schema.metadata[b'schema'].decode()} version {VERSION}; make the labels again"
        )
    return list(table.to_pylist())
