"""One task of a calculation backend, run in a process of its own in a given folder."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from openff_bytepol.exceptions import EngineError

_CLOCK_SLACK = 2.0
"""Seconds: file systems round times of change."""


class Outcome(NamedTuple):
    """What came of a task.

    Attributes
    ----------
    result
        Pickled return value.
    changed
        Files written, relative to the folder.
    """

    result: bytes
    changed: list[str]


def pack_task(function: Any, *args: Any, **kwargs: Any) -> bytes:
    """A call as bytes, for `run_task`."""
    return pickle.dumps((function, args, kwargs))


def run_task(task: bytes, folder: str, watched: str) -> Outcome:
    """Run a packed call with a folder as the working directory.

    Parameters
    ----------
    task
        From `pack_task`.
    folder
        In which relative paths of the task lie.
    watched
        Below it: where files are looked for that the task wrote.

    Returns
    -------
    Outcome

    Raises
    ------
    EngineError
        If the process died.
    Exception
        What the task raised.
    """
    begin = time.time() - _CLOCK_SLACK
    method = "fork" if sys.platform == "linux" else "spawn"
    context: Any = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(task, folder, sender))
    process.start()
    sender.close()
    try:
        succeeded, value = receiver.recv()
    except EOFError as error:
        process.join()
        raise EngineError(
            f"the process of a task ended with exit code {process.exitcode}; it may have run out "
            "of memory or lost its GPU. Give the workers more memory, and submit again: finished "
            "work is kept"
        ) from error
    process.join()
    if not succeeded:
        raise pickle.loads(value)
    return Outcome(value, changed_since(Path(folder), watched, begin))


def changed_since(folder: Path, watched: str, begin: float) -> list[str]:
    """Files below ``folder/watched`` changed after a time, relative to the folder."""
    return sorted(
        str(path.relative_to(folder))
        for path in (folder / watched).rglob("*")
        if path.is_file() and path.stat().st_mtime >= begin
    )


def _child(task: bytes, folder: str, sender: Any) -> None:
    os.chdir(folder)
    try:
        function, args, kwargs = pickle.loads(task)
        answer = True, pickle.dumps(function(*args, **kwargs))
    except Exception as error:
        answer = False, _pickled(error)
    sender.send(answer)
    sender.close()


def _pickled(error: Exception) -> bytes:
    try:
        return pickle.dumps(error)
    except Exception:
        return pickle.dumps(EngineError(f"{type(error).__name__}: {error}"))
