"""Copies of a folder's files on shared storage: a Modal volume, or another folder."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol


class Storage(Protocol):
    """Where files are shared with workers, by paths relative to its root."""

    def upload(self, files: Iterable[tuple[Path, str]]) -> None:
        """Store files under names."""

    def download(self, name: str, target: Path) -> None:
        """Copy a stored file; the target appears whole."""


class FolderStorage:
    """A folder in place of a volume.

    Parameters
    ----------
    root
        Made if it does not exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def upload(self, files: Iterable[tuple[Path, str]]) -> None:
        for source, name in files:
            target = self.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)

    def download(self, name: str, target: Path) -> None:
        with _appearing(target) as part:
            shutil.copyfile(self.root / name, part)


class VolumeStorage:
    """A ``modal.Volume``."""

    def __init__(self, volume: Any) -> None:
        self._volume = volume

    def upload(self, files: Iterable[tuple[Path, str]]) -> None:
        found = list(files)
        if found:
            with self._volume.batch_upload(force=True) as batch:
                for source, name in found:
                    batch.put_file(source, name)

    def download(self, name: str, target: Path) -> None:
        with _appearing(target) as part, part.open("wb") as stream:
            for chunk in self._volume.read_file(name):
                stream.write(chunk)


class Mirror:
    """Keeps a local folder and shared storage alike, file by file.

    Parameters
    ----------
    root
        Local folder; names in storage are relative to it.
    watched
        Folder below the root whose files are mirrored.
    storage
        Shared with the workers.
    """

    def __init__(self, root: Path, watched: str, storage: Storage) -> None:
        self._root, self._watched, self._storage = root, watched, storage
        self._known: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def push(self) -> None:
        """Store local files that are new or have changed."""
        with self._lock:
            changed: list[tuple[Path, str]] = []
            for path in sorted((self._root / self._watched).rglob("*")):
                name = path.relative_to(self._root).as_posix()
                if path.is_file() and self._known.get(name) != (stamp := _stamp(path)):
                    changed.append((path, name))
                    self._known[name] = stamp
            self._storage.upload(changed)

    def pull(self, names: Iterable[str]) -> None:
        """Fetch stored files."""
        with self._lock:
            for name in names:
                target = self._root / name
                self._storage.download(name, target)
                self._known[name] = _stamp(target)


class _appearing:  # noqa: N801
    """Context of a temporary file that is moved into place at the end."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._part = target.with_name(f".{target.name}.part")

    def __enter__(self) -> Path:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        return self._part

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None:
            os.replace(self._part, self._target)
        else:
            self._part.unlink(missing_ok=True)


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size
