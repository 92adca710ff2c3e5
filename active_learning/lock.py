"""One process at a time in a campaign folder.

On one machine the operating system's file lock decides, and vanishes with its process. A
holder on another machine, where that lock may not reach (network and cloud volumes), is
recognised by its heartbeat: a counter in the lock file, watched by a monotonic clock, so
that wrong or changed wall clocks do not matter.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from openff_bytepol.exceptions import CampaignLockedError

HEARTBEAT: Final = 10.0
"""Seconds between beats."""
STALE_AFTER: Final = 35.0
"""Seconds without a beat after which a holder on another machine counts as dead."""


class CampaignLock:
    """Exclusive use of a campaign, as a context manager.

    Parameters
    ----------
    path
        Lock file; it stays when the lock is released.
    heartbeat, stale_after
        Seconds.

    Raises
    ------
    CampaignLockedError
        On entry, if another live process holds the lock.
    """

    def __init__(
        self, path: Path, *, heartbeat: float = HEARTBEAT, stale_after: float = STALE_AFTER
    ) -> None:
        self._path = path
        self._heartbeat = heartbeat
        self._stale_after = stale_after
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._descriptor = -1
        self._beats = 0

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = self._read()
            os.close(self._descriptor)
            raise _locked(self._path, holder) from error
        try:
            self._check_elsewhere()
            self._beat()
        except BaseException:
            os.close(self._descriptor)
            raise
        self._thread = threading.Thread(target=self._beat_on, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def _check_elsewhere(self) -> None:
        """Watch the heartbeat of a holder on another machine."""
        holder = self._read()
        if not holder or holder.get("host") == _host():
            return
        deadline = time.monotonic() + self._stale_after
        while time.monotonic() < deadline:
            time.sleep(min(1.0, self._stale_after / 10))
            now = self._read()
            if not now:
                return
            if now != holder:
                raise _locked(self._path, now)

    def _beat_on(self) -> None:
        while not self._stop.wait(self._heartbeat):
            try:
                self._beat()
            except OSError:
                continue

    def _beat(self) -> None:
        self._beats += 1
        text = json.dumps({"host": _host(), "pid": os.getpid(), "beats": self._beats})
        os.pwrite(self._descriptor, text.ljust(200).encode(), 0)

    def _read(self) -> dict[str, Any]:
        try:
            holder = json.loads(os.pread(self._descriptor, 4096, 0) or b"{}")
        except ValueError:
            return {}
        return holder if isinstance(holder, dict) else {}


def lock_holder(path: Path) -> dict[str, Any] | None:
    """Host and process id of whoever holds a lock, or None; takes nothing."""
    if not path.is_file():
        return None
    with path.open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            held = True
        else:
            held = False
        try:
            holder = json.loads(handle.read() or b"{}")
        except ValueError:
            holder = {}
    here = isinstance(holder, dict) and holder.get("host") == _host()
    return holder if held or (holder and not here) else None


def _host() -> str:
    """Name of this machine and of its last start; containers of one name are told apart by it."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return (
        f"{socket.gethostname()}/{boot.read_text()[:8]}" if boot.is_file() else socket.gethostname()
    )


def _locked(path: Path, holder: dict[str, Any]) -> CampaignLockedError:
    who = f"process {holder.get('pid', '?')} on {holder.get('host', 'an unknown host')}"
    return CampaignLockedError(
        f"{path.parent}: {who} is running this campaign; wait for it, or stop it with "
        "`bytepol-al cancel`"
    )
