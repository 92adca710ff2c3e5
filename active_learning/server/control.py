"""Start, find and stop the embedded server of a folder."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path

from active_learning.server.layout import Layout, ServerSettings, ServerState
from active_learning.server.postgres import stop_orphan
from active_learning.server.processes import compute_processes, end
from openff_bytepol.exceptions import ServerError


@dataclass(frozen=True)
class EmbeddedServer:
    """A server that answers.

    Attributes
    ----------
    folder
        Its files.
    uri
        Its address, on the loopback interface; it changes with every start.
    pid
        Its process.
    started
        Whether this call started it.
    """

    folder: Path
    uri: str
    pid: int
    started: bool


@dataclass(frozen=True)
class ServerStatus:
    """What is found in a folder.

    Attributes
    ----------
    state
        ``running``, ``starting`` (or not answering), ``crashed`` (it did not stop cleanly;
        `start_server` recovers it), ``stopped`` or ``absent``.
    uri, pid
        Of the running server.
    compute_processes
        Managers, workers and programs alive.
    """

    state: str
    uri: str = ""
    pid: int | None = None
    compute_processes: int = 0


def start_server(
    folder: Path, settings: ServerSettings | None = None, *, patience: float = 600.0
) -> EmbeddedServer:
    """Start the server of a folder, or find it running.

    Parameters
    ----------
    folder
        Made if it does not exist; a database in it is used on.
    settings
        Size; ignored if the server runs.
    patience
        Seconds to wait until it answers.

    Raises
    ------
    ServerError
        If it does not answer in time; the message ends with its log.
    """
    layout = Layout(folder.resolve())
    layout.folder.mkdir(parents=True, exist_ok=True)
    running = _answering(layout)
    if running is not None:
        return EmbeddedServer(layout.folder, running.uri, running.pid, started=False)
    command = [
        sys.executable, "-m", "active_learning.server.serve", str(layout.folder),
        json.dumps(asdict(settings or ServerSettings())),
    ]  # fmt: skip
    with layout.log.open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    end_time = time.monotonic() + patience
    while time.monotonic() < end_time:
        running = _answering(layout)
        if running is not None:
            return EmbeddedServer(
                layout.folder, running.uri, running.pid, started=running.pid == process.pid
            )
        if process.poll() is not None and not _locked(layout):
            break
        time.sleep(0.2)
    if process.poll() is None:
        process.terminate()
    raise ServerError(
        f"the server in {layout.folder} did not answer within {patience:.0f} s; the end of "
        f"{layout.log}:\n{_tail(layout.log)}"
    )


def stop_server(folder: Path, *, patience: float = 60.0) -> bool:
    """Stop the server of a folder and everything it started; records stay.

    Records being computed go back to the queue.

    Returns
    -------
    bool
        Whether anything ran.

    Raises
    ------
    ServerError
        If it does not stop in time.
    """
    layout = Layout(folder.resolve())
    state = layout.read_state()
    if _locked(layout) and state is not None:
        os.kill(state.pid, signal.SIGTERM)
        end_time = time.monotonic() + patience
        while _locked(layout):
            if time.monotonic() > end_time:
                raise ServerError(
                    f"the server in {layout.folder} (process {state.pid}) did not stop within "
                    f"{patience:.0f} s; see {layout.log}"
                )
            time.sleep(0.1)
        return True
    if _locked(layout):
        raise ServerError(f"the server in {layout.folder} is starting; try again in a moment")
    orphans = end(layout.folder)
    layout.state.unlink(missing_ok=True)
    database = stop_orphan(layout.database)
    return bool(orphans) or database


def server_status(folder: Path) -> ServerStatus:
    """What is found in a folder; starts nothing."""
    layout = Layout(folder.resolve())
    if not layout.database.is_dir():
        return ServerStatus("absent")
    count = len(compute_processes(layout.folder))
    running = _answering(layout)
    if running is not None:
        return ServerStatus("running", running.uri, running.pid, count)
    if _locked(layout):
        return ServerStatus("starting", compute_processes=count)
    left = layout.read_state() is not None or (layout.database / "postmaster.pid").exists()
    return ServerStatus("crashed" if left or count else "stopped", compute_processes=count)


def _answering(layout: Layout) -> ServerState | None:
    state = layout.read_state()
    if state is None or not _locked(layout):
        return None
    try:
        with urllib.request.urlopen(f"{state.uri}/api/v1/ping", timeout=5) as reply:
            return state if reply.status == 200 else None
    except (urllib.error.URLError, OSError):
        return None


def _locked(layout: Layout) -> bool:
    try:
        with layout.lock.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _tail(path: Path, size: int = 3000) -> str:
    return path.read_text(errors="replace")[-size:]
