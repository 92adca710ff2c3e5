"""The server process: database, QCFractal, and watch over compute managers.

Started by `control.start_server` as ``python -m active_learning.server.serve FOLDER``.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from active_learning.server.layout import MARKER, Layout, ServerSettings, ServerState
from active_learning.server.postgres import DATABASE, is_running, revive, start_postgres
from active_learning.server.processes import clean_up, end
from openff_bytepol.exceptions import MissingDependencyError

logger = logging.getLogger(__name__)
HOST = "127.0.0.1"
LOCK_ATTEMPTS = 20
WATCH_SECONDS = 2.0
MANAGER_STARTS = 20
"""A manager that keeps failing is given up after so many starts."""


def main() -> None:
    """Serve the folder of the first argument, with the settings (JSON) of the second."""
    layout = Layout(Path(sys.argv[1]).resolve())
    settings = ServerSettings(**json.loads(sys.argv[2]))
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    logger.setLevel(logging.INFO)
    with layout.lock.open("a") as lock:
        if not _acquire(lock):
            logger.info("another server runs in %s", layout.folder)
            return
        clean_up(layout)
        serve(layout, settings)


def _acquire(lock: IO[str]) -> bool:
    """Take the lock; those who only ask whether it is free hold it for an instant."""
    for _ in range(LOCK_ATTEMPTS):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1)
        else:
            return True
    return False


def serve(layout: Layout, settings: ServerSettings) -> None:
    """Run until SIGTERM or SIGINT, then stop everything in order."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    layout.scratch.mkdir(parents=True, exist_ok=True)
    postgres = start_postgres(layout.database)
    fractal: Any = None
    try:
        fractal = _start_fractal(layout, postgres)
        uri = fractal.get_uri()
        managers = [Manager(layout, settings, uri, i) for i in range(settings.managers)]
        layout.write_state(ServerState(os.getpid(), uri, settings))
        logger.info("serving %s at %s", layout.folder, uri)
        while not stop.wait(WATCH_SECONDS):
            if not is_running(postgres):
                logger.warning("PostgreSQL died; starting it again")
                revive(postgres)
            for manager in managers:
                manager.watch()
    finally:
        logger.info("stopping")
        layout.state.unlink(missing_ok=True)
        end(layout.folder)
        if fractal is not None:
            fractal.stop()
        postgres.stop()
        logger.info("stopped")


class Manager:
    """A compute manager in a process group of its own, restarted if it dies."""

    def __init__(self, layout: Layout, settings: ServerSettings, uri: str, index: int) -> None:
        self._command = [
            sys.executable, "-m", "active_learning.server.manager", "--uri", uri,
            "--name", f"embedded-{index}", "--workers", str(settings.workers),
            "--cores", str(settings.cores), "--memory", str(settings.memory),
        ]  # fmt: skip
        self._environment = {
            **os.environ,
            MARKER: str(layout.folder),
            "TMPDIR": str(layout.scratch),
            "OMP_NUM_THREADS": str(settings.cores),
        }
        self._starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.watch()

    def watch(self) -> None:
        """Start the manager, unless it runs or has failed too often."""
        if self._process is not None and self._process.poll() is None:
            return
        if self._starts >= MANAGER_STARTS:
            return
        if self._process is not None:
            logger.warning("manager ended with %s; starting another", self._process.returncode)
        self._starts += 1
        self._process = subprocess.Popen(
            self._command, env=self._environment, start_new_session=True, stdin=subprocess.DEVNULL
        )


def _start_fractal(layout: Layout, postgres: Any) -> Any:
    try:
        from qcfractal.config import DatabaseConfig
        from qcfractal.db_socket.socket import SQLAlchemySocket
        from qcfractal.postgres_harness import PostgresHarness
        from qcfractal.snowflake import FractalSnowflake
    except ImportError as error:
        raise MissingDependencyError(
            f"the embedded server needs QCFractal (docs: Use QCArchive): {error}"
        ) from error
    database = DatabaseConfig(
        base_folder=str(layout.folder),
        own=False,
        username="postgres",
        password="",
        database_name=DATABASE,
        full_uri=postgres.get_uri(database=DATABASE),
    )
    harness = PostgresHarness(database)
    harness.create_database(create_tables=False)
    if not harness.sql_command("SELECT to_regclass('public.alembic_version')")[0][0]:
        # New, or the first start was killed between the database and its tables.
        SQLAlchemySocket.create_database_tables(database)
    fractal = FractalSnowflake(
        start=False,
        compute_workers=0,
        database_config=database,
        host=HOST,
        tmpdir_parent=str(layout.scratch),
        extra_config={
            "name": "openff-bytepol embedded",
            "service_frequency": 2,
            "heartbeat_frequency": 10,
            "heartbeat_max_missed": 2,
        },
    )
    fractal.start(wait=True)
    return fractal


if __name__ == "__main__":
    main()
