"""Processes of an embedded server: found by an environment variable, ended with their kin."""

from __future__ import annotations

import logging
import shutil
from contextlib import suppress
from pathlib import Path

import psutil

from active_learning.server.layout import MARKER, Layout

logger = logging.getLogger(__name__)


def compute_processes(folder: Path) -> list[psutil.Process]:
    """Managers, workers and quantum chemistry programs started by the server of a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARKER) == str(folder):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def end(folder: Path, patience: float = 5.0) -> int:
    """End the managers and workers of a folder; how many there were.

    Managers are asked first and hand their records back to the server. Workers are killed
    after them, so that no killed calculation is reported as a failed one.
    """
    processes = compute_processes(folder)
    managers = [process for process in processes if _is_manager(process)]
    for manager in managers:
        with suppress(psutil.Error):
            manager.terminate()
    psutil.wait_procs(managers, timeout=patience)
    rest = [p for p in (*managers, *compute_processes(folder)) if p.is_running()]
    for process in rest:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(rest, timeout=patience)
    return len(processes)


def clean_up(layout: Layout) -> None:
    """End orphans of a server that was killed and remove its temporary files.

    Only called while no server runs in the folder.
    """
    if orphans := end(layout.folder):
        logger.warning("ended %d processes that a killed server left", orphans)
    shutil.rmtree(layout.scratch, ignore_errors=True)
    layout.state.unlink(missing_ok=True)


def _is_manager(process: psutil.Process) -> bool:
    try:
        return "active_learning.server.manager" in process.cmdline()
    except psutil.Error:
        return False
