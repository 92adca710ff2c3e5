"""A full disk, told as such."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from openff_bytepol.exceptions import BytePolError, StorageError

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LITTLE: Final = 2**20
"""Bytes left below which errors that do not say why are put down to the disk."""


@contextmanager
def full_disk_reported(folder: Path) -> Iterator[None]:
    """Turn errors of a full disk into `StorageError`; others pass.

    Parameters
    ----------
    folder
        Of the campaign; named in the message.

    Raises
    ------
    StorageError
        If the file system, a quota or a limit on the size of files is exhausted.
    """
    try:
        yield
    except BytePolError:
        raise
    except (OSError, sqlite3.OperationalError, RuntimeError) as error:
        if not _is_full(error, folder):
            raise
        raise StorageError(
            f"{folder}: {error}; what was finished is kept: free some space, then "
            "`bytepol-al resume`"
        ) from error


def _is_full(error: Exception, folder: Path) -> bool:
    if isinstance(error, OSError):
        return error.errno in _FULL
    if isinstance(error, sqlite3.OperationalError):
        return error.sqlite_errorname == "SQLITE_FULL"
    return shutil.disk_usage(folder).free < _LITTLE  # torch says RuntimeError
