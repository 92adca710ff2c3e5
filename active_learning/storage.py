"""A full disk, told as such."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from openff_bytepol.exceptions import BytePolError, StorageError

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


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
    except (OSError, sqlite3.OperationalError) as error:
        if not _is_full(error):
            raise
        raise StorageError(
            f"{folder}: {error}; what was finished is kept: free some space, then "
            "`bytepol-al resume`"
        ) from error


def _is_full(error: OSError | sqlite3.OperationalError) -> bool:
    if isinstance(error, OSError):
        return error.errno in _FULL
    return error.sqlite_errorname == "SQLITE_FULL"
