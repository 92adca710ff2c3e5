"""The folder of a run: its request, its lock, and files that appear whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from openff_bytepol.exceptions import (
    MissingDependencyError,
    OutputExistsError,
    RunLockedError,
    StorageError,
)

REQUEST_FILE: Final = "request.json"
_LOCK_FILE: Final = ".lock"
_OURS: Final = (
    "liquid", "transport", "gas-*", "pure-*", "results.*", "report.html", "samples.*",
    "stability", "summary.json",
)  # fmt: skip
"""What a run may leave in its folder."""
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only process at work in a folder, which is made.

    The operating system lets go of the lock when a process ends, however it ends.

    Raises
    ------
    RunLockedError
        If another process is at work there.
    StorageError
        If the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK_FILE)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise RunLockedError(
                f"another process is at work in {folder}; wait for it or choose another folder"
            ) from error
    try:
        yield
    finally:
        lock.release()


def claim(folder: Path, request: Mapping[str, Any], *, overwrite: bool = False) -> None:
    """Make a folder that of a request, or recognise an earlier run of the same request.

    Parameters
    ----------
    folder
        That exists.
    request
        Plain JSON: whatever makes two runs different.
    overwrite
        Replace the run of another request. Files of anything else are never touched.

    Raises
    ------
    OutputExistsError
        If the folder holds another run, or anything else.
    StorageError
        If the folder cannot be written.
    """
    path = folder / REQUEST_FILE
    wanted = json.loads(json.dumps(request))
    if path.is_file():
        if json.loads(path.read_text("utf-8")) == wanted:
            return
        if not overwrite:
            raise OutputExistsError(
                f"{folder} holds a run with other settings; choose another folder or pass "
                "overwrite=True (--force)"
            )
        _remove_run(folder)
    elif any(not entry.name.startswith(".") for entry in folder.iterdir()):
        raise OutputExistsError(f"{folder} is not empty; choose another folder")
    write_text(path, json.dumps(wanted, indent=2) + "\n")


def _remove_run(folder: Path) -> None:
    """Remove what a run left, and nothing else."""
    for entry in (path for pattern in _OURS for path in folder.glob(pattern)):
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def write_text(path: Path, text: str) -> None:
    """Replace a file in one move, on disk when this returns.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written; then the old file is intact.
    """
    part = path.with_name(f".{path.name}.part")
    with storage(path):
        try:
            with part.open("w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def write_parquet(path: Path, columns: Mapping[str, Any]) -> None:
    """Replace a Parquet file in one move.

    Parameters
    ----------
    path
        File to write.
    columns
        Arrays or lists of equal lengths, by name.

    Raises
    ------
    MissingDependencyError
        If pyarrow is not installed.
    StorageError
        If the disk is full or the folder cannot be written; then the old file is intact.
    """
    require_parquet()
    import pyarrow as pa
    from pyarrow import parquet

    part = path.with_name(f".{path.name}.part")
    with storage(path):
        try:
            parquet.write_table(pa.table(dict(columns)), part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def require_parquet() -> None:
    """Raise `MissingDependencyError` where pyarrow is missing, before work begins."""
    if find_spec("pyarrow") is None:
        raise MissingDependencyError(
            'pyarrow is not installed: pip install "openff-bytepol[properties]"'
        )


@contextmanager
def storage(path: Path) -> Iterator[None]:
    """Turn errors of the operating system while writing into one that says what to do."""
    try:
        yield
    except OSError as error:
        if isinstance(error, StorageError | OutputExistsError):
            raise
        reason = "the disk is full" if error.errno in _FULL else str(error)
        raise StorageError(
            f"{path} could not be written: {reason}. What was saved before is intact; free space "
            "or mend the folder and give the same command again to go on"
        ) from error
