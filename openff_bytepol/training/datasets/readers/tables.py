"""Your own Parquet files: the fields of a schema, in any unit that the file declares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from openff_bytepol.exceptions import DataError, UnitError
from openff_bytepol.training.datasets.imported import Imported
from openff_bytepol.training.datasets.kinds import KINDS
from openff_bytepol.units import DEBYE_IN_E_ANGSTROM, energy_in_kcal, length_in_angstrom

_OPTIONAL: Final = {"weight": 1.0, "subset": "user"}


def read_parquet(path: Path, kind: str) -> Imported:
    """Rows of a Parquet file, converted to the units of a schema.

    Parameters
    ----------
    path
        File whose columns are named as in the schema. Columns with a unit carry it in the
        field metadata under ``unit``, as files written by this package do.
    kind
        ``dimers``, ``monomers``, …

    Raises
    ------
    DataError
        If the file is missing or lacks a column.
    UnitError
        If a column's unit is missing, unknown or of another dimension.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such data file")
    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: not a Parquet file ({error})") from error
    schema = KINDS[kind]
    absent = [
        f.name for f in schema if f.name not in table.column_names and f.name not in _OPTIONAL
    ]
    if absent:
        raise DataError(f"{path}: no column {', '.join(absent)}, which {kind} need")
    columns: dict[str, list[Any]] = {}
    for field in schema:
        if field.name not in table.column_names:
            columns[field.name] = [_OPTIONAL[field.name]] * len(table)
            continue
        values = table[field.name].to_pylist()
        wanted = (field.metadata or {}).get(b"unit", b"").decode()
        if wanted:
            given = (table.schema.field(field.name).metadata or {}).get(b"unit", b"").decode()
            factor = _factor(path, field.name, given, wanted)
            values = [None if v is None else np.asarray(v, dtype=float) * factor for v in values]
        columns[field.name] = values
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    whole = [row for row in rows if all(value is not None for value in row.values())]
    dropped = Counter({"missing values": len(rows) - len(whole)} if len(rows) > len(whole) else {})
    return Imported(whole, dropped)


def _factor(path: Path, column: str, given: str, wanted: str) -> float:
    """What turns a column's values into the unit wanted."""
    if given == wanted:
        return 1.0
    if not given:
        raise UnitError(
            f"{path}: column {column} declares no unit; add it to the field metadata as "
            f"'unit', e.g. '{wanted}'"
        )
    try:
        return _CONVERSIONS[wanted](given)
    except UnitError as error:
        raise UnitError(f"{path}: column {column}, wanted in {wanted}: {error}") from error
    except KeyError:
        raise UnitError(f"{path}: column {column} must be in {wanted}, not {given}") from None


def _force(unit: str) -> float:
    energy, _, length = unit.rpartition("/")
    return energy_in_kcal(energy) / length_in_angstrom(length)


def _moment(unit: str) -> float:
    if unit.lower() in {"d", "debye"}:
        return DEBYE_IN_E_ANGSTROM
    charge, _, length = unit.replace("·", "*").partition("*")
    if charge != "e":
        raise UnitError(f"unit '{unit}' is not debye, e*angstrom or e*bohr")
    return length_in_angstrom(length)


_CONVERSIONS: Final[dict[str, Callable[[str], float]]] = {
    "kcal/mol": energy_in_kcal,
    "Å": length_in_angstrom,
    "kcal/mol/Å": _force,
    "kcal/mol/e": lambda unit: energy_in_kcal(unit.removesuffix("/e")),
    "Å³": lambda unit: length_in_angstrom(unit.rstrip("³3^*")) ** 3,
    "e·Å": _moment,
}
