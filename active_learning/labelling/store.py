"""A labeller's local memory: one small JSON file for each fact, written whole or not at all."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from active_learning.labelling.base import LabelJob
from openff_bytepol.exceptions import CorruptedStateError, StorageError


@dataclass(frozen=True)
class StoredRecord:
    """A record that belongs to a job.

    Attributes
    ----------
    entry
        Name in the data set.
    id
        Number on the server.
    variant
        0 for the level itself, 1… for its alternatives.
    attempts
        With these settings.
    given_up
        Why; empty if not.
    """

    entry: str
    id: int
    variant: int
    attempts: int = 1
    given_up: str = ""

    def replace(self, **changes: Any) -> StoredRecord:
        """A copy with some fields changed."""
        return replace(self, **changes)


class JobStore:
    """Jobs, their records and their results.

    Parameters
    ----------
    folder
        Made if needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("jobs", "records", "results"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._finished: dict[str, dict[str, Any]] = {}

    def ids(self) -> list[str]:
        """Every job ever added."""
        return sorted(path.stem for path in (self._folder / "jobs").glob("*.json"))

    def add(self, job: LabelJob) -> None:
        """Remember a job; again is harmless."""
        if not self._path("jobs", job.id).exists():
            self._write("jobs", job.id, job.to_dict())

    def job(self, job_id: str) -> LabelJob:
        """A job by id."""
        values = self._read("jobs", job_id)
        if values is None:
            raise CorruptedStateError(f"{self._path('jobs', job_id)}: missing")
        return LabelJob.from_dict(values)

    def records(self, job_id: str) -> list[StoredRecord] | None:
        """Records of a job; None if it is not submitted yet."""
        values = self._read("records", job_id)
        return None if values is None else [StoredRecord(**item) for item in values["records"]]

    def set_records(self, job_id: str, records: list[StoredRecord]) -> None:
        """Remember a job's records."""
        self._write("records", job_id, {"records": [asdict(record) for record in records]})

    def result(self, job_id: str) -> dict[str, Any] | None:
        """Result or failure of a finished job."""
        if job_id not in self._finished:
            values = self._read("results", job_id)
            if values is None:
                return None
            self._finished[job_id] = values
        return dict(self._finished[job_id])

    def finish(self, job_id: str, values: dict[str, Any]) -> None:
        """Remember a job's result or failure."""
        self._write("results", job_id, values)

    def _path(self, kind: str, job_id: str) -> Path:
        return self._folder / kind / f"{job_id}.json"

    def _read(self, kind: str, job_id: str) -> dict[str, Any] | None:
        path = self._path(kind, job_id)
        try:
            values: dict[str, Any] = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise CorruptedStateError(
                f"{path}: not JSON ({error}); delete it, and the job is looked up on the server"
            ) from error
        return values

    def _write(self, kind: str, job_id: str, values: dict[str, Any]) -> None:
        path = self._path(kind, job_id)
        partial = path.with_suffix(".partial")
        try:
            with partial.open("w", encoding="utf-8") as handle:
                json.dump(values, handle)
                handle.flush()
                os.fsync(handle.fileno())
            os.replace(partial, path)
        except OSError as error:
            raise StorageError(f"{path}: {error}; free some space and resume") from error
