"""Files of an embedded server."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

MARKER = "BYTEPOL_SERVER_FOLDER"
"""Environment variable of every compute process of a server; names its folder."""


@dataclass(frozen=True)
class ServerSettings:
    """Size of an embedded server.

    Attributes
    ----------
    managers
        Compute managers, each a process of its own; 0 leaves computing to others.
    workers
        Records that each manager computes at once.
    cores
        Of each worker.
    memory
        Of each worker, GiB.
    """

    managers: int = 1
    workers: int = 1
    cores: int = 1
    memory: float = 2.0


@dataclass(frozen=True)
class ServerState:
    """A running server, as it describes itself."""

    pid: int
    uri: str
    settings: ServerSettings


@dataclass(frozen=True)
class Layout:
    """Where the files are."""

    folder: Path

    @property
    def database(self) -> Path:
        """PostgreSQL's files."""
        return self.folder / "pgdata"

    @property
    def scratch(self) -> Path:
        """Everything that may be deleted while nothing runs."""
        return self.folder / "scratch"

    @property
    def log(self) -> Path:
        """Of the server and its managers."""
        return self.folder / "server.log"

    @property
    def lock(self) -> Path:
        """Held by the server as long as it runs."""
        return self.folder / "server.lock"

    @property
    def state(self) -> Path:
        """Written once the server can be used, removed when it stops."""
        return self.folder / "server.json"

    def write_state(self, state: ServerState) -> None:
        """Describe the running server, whole or not at all."""
        partial = self.state.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(state), indent=2))
        os.replace(partial, self.state)

    def read_state(self) -> ServerState | None:
        """The last server's description; None if it stopped cleanly or the file is damaged."""
        try:
            values = json.loads(self.state.read_text())
            settings = ServerSettings(**values.pop("settings"))
            return ServerState(**values, settings=settings)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
