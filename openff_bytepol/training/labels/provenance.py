"""Where labels come from, kept in the metadata of their Parquet files."""

from __future__ import annotations

import hashlib
import platform
import shlex
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pyarrow.parquet as pq
from pydantic import BaseModel

from openff_bytepol.exceptions import DataError

_PREFIX = "provenance."


def provenance(
    program: str,
    level: str,
    program_version: str | None = None,
    settings: BaseModel | None = None,
) -> dict[str, str]:
    """Program, versions, level, command and date of labels made now.

    Parameters
    ----------
    program
        Name, looked up among installed Python packages if no version is given.
    level
        Level of theory.
    program_version
        Version of an external program.
    settings
        What the labels were made with; its SHA-256 is kept.
    """
    command = [Path(sys.argv[0]).name, *sys.argv[1:]]
    made = {
        "program": program,
        "program version": program_version or _installed(program),
        "openff-bytepol version": _installed("openff-bytepol"),
        "python version": platform.python_version(),
        "level": level,
        "command": shlex.join(command),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if settings is not None:
        made["settings sha256"] = hashlib.sha256(settings.model_dump_json().encode()).hexdigest()
    return made


def read_provenance(path: Path) -> dict[str, str]:
    """Provenance that a Parquet file carries; empty if it has none.

    Raises
    ------
    DataError
        If the file is missing.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such data file")
    metadata = pq.read_schema(path).metadata or {}
    return {
        key.decode().removeprefix(_PREFIX): value.decode()
        for key, value in metadata.items()
        if key.decode().startswith(_PREFIX)
    }


def as_metadata(values: Mapping[str, str]) -> dict[bytes, bytes]:
    """Keys and values as they stand in the metadata of a file."""
    return {(_PREFIX + key).encode(): value.encode() for key, value in values.items()}


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
