"""The memory of a campaign: one SQLite file that survives anything but its own loss.

Every change is a transaction with full synchronisation, so a process killed at any moment
leaves the state before or after it. After each finished stage the file is copied to
``state.backup.sqlite``; since labels are asked for by content hash, going back to the copy
repeats no calculation.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from active_learning.labelling.base import LabelJob, LabelResult, LabelStatus
from openff_bytepol.exceptions import CampaignError, CorruptedStateError

VERSION: Final = 1
STATE_FILE: Final = "state.sqlite"
BACKUP_FILE: Final = "state.backup.sqlite"

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS stages (
    round INTEGER NOT NULL, name TEXT NOT NULL, started TEXT NOT NULL, finished TEXT,
    seconds REAL NOT NULL DEFAULT 0, output TEXT, PRIMARY KEY (round, name));
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, round INTEGER NOT NULL, content TEXT NOT NULL, info TEXT NOT NULL,
    predicted_core_hours REAL NOT NULL, submitted INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'waiting', reason TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS results (
    job_id TEXT PRIMARY KEY REFERENCES jobs (id), kind TEXT NOT NULL, row TEXT NOT NULL,
    provenance TEXT NOT NULL, core_hours REAL NOT NULL, basis_functions INTEGER,
    partial TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS models (
    sha256 TEXT PRIMARY KEY, round INTEGER NOT NULL, directory TEXT NOT NULL, parent TEXT,
    state TEXT NOT NULL, lineage TEXT NOT NULL, gates TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, round INTEGER NOT NULL,
    text TEXT NOT NULL);
"""


class StoredJob(NamedTuple):
    """A job with everything known about it."""

    job: LabelJob
    round: int
    info: dict[str, Any]
    """Source, molecules and scores of the candidate."""
    predicted_core_hours: float
    submitted: bool
    status: LabelStatus


class StoredModel(NamedTuple):
    """A model that the campaign knows."""

    sha256: str
    round: int
    directory: str
    parent: str | None
    state: str
    """``start``, ``candidate``, ``rejected`` or ``promoted``."""
    lineage: dict[str, Any]
    gates: dict[str, Any]


class CampaignState:
    """Read and write a campaign's state; close it, or use it in a ``with`` block.

    Parameters
    ----------
    folder
        Of the campaign; made if absent.
    config_sha256
        Of the configuration that belongs to it; None only reads.

    Raises
    ------
    CorruptedStateError
        If the file is damaged or of another version.
    CampaignError
        If it belongs to another configuration, or does not exist and is only to be read.
    """

    def __init__(self, folder: Path, config_sha256: str | None = None) -> None:
        self.folder = folder
        self.path = folder / STATE_FILE
        if config_sha256 is None and not self.path.is_file():
            raise CampaignError(f"{folder}: no campaign has run here; start it with bytepol-al run")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(self.path, timeout=30.0, isolation_level=None)
            self._db.row_factory = sqlite3.Row
            self._check()
            if config_sha256 is not None:
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.executescript(_TABLES)
        except sqlite3.DatabaseError as error:
            raise _corrupted(self.path, str(error)) from error
        known = self._meta("version")
        if known is not None and int(known) != VERSION:
            raise CorruptedStateError(f"{self.path}: has version {known}, not {VERSION}")
        if config_sha256 is not None:
            self._claim(config_sha256)

    def __enter__(self) -> CampaignState:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def _check(self) -> None:
        (answer,) = self._db.execute("PRAGMA quick_check").fetchone()
        if answer != "ok":
            raise _corrupted(self.path, str(answer))

    def _meta(self, key: str) -> str | None:
        exists = "SELECT 1 FROM sqlite_master WHERE name = 'meta'"
        if self._db.execute(exists).fetchone() is None:
            return None
        found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if found is None else str(found[0])

    def _claim(self, config_sha256: str) -> None:
        known = self._meta("config")
        if known is None:
            with self._transaction():
                values = [("version", str(VERSION)), ("config", config_sha256)]
                self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values)
        elif known != config_sha256:
            raise CampaignError(
                f"{self.folder}: its state belongs to another configuration; undo the change "
                "(only rounds, budget and schedule may differ) or use another folder"
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # Stages

    def stage_output(self, round_number: int, name: str) -> dict[str, Any] | None:
        """What a finished stage left; None if it is not finished."""
        found = self._db.execute(
            "SELECT output FROM stages WHERE round = ? AND name = ? AND finished IS NOT NULL",
            (round_number, name),
        ).fetchone()
        return None if found is None else dict(json.loads(found[0]))

    def start_stage(self, round_number: int, name: str) -> None:
        """Record that a stage begins, or begins again."""
        with self._transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO stages (round, name, started) VALUES (?, ?, ?)",
                (round_number, name, _now()),
            )

    def spend_time(self, round_number: int, name: str, seconds: float) -> None:
        """Add to the running time of a stage, measured by a monotonic clock."""
        with self._transaction():
            self._db.execute(
                "UPDATE stages SET seconds = seconds + ? WHERE round = ? AND name = ?",
                (seconds, round_number, name),
            )

    def finish_stage(self, round_number: int, name: str, output: dict[str, Any]) -> None:
        """Record what a stage left, and copy the state."""
        with self._transaction():
            self._db.execute(
                "UPDATE stages SET finished = ?, output = ? WHERE round = ? AND name = ?",
                (_now(), json.dumps(output), round_number, name),
            )
        self.back_up()

    def stages(self) -> list[dict[str, Any]]:
        """Every stage that was started, in order."""
        rows = self._db.execute("SELECT * FROM stages ORDER BY rowid").fetchall()
        return [
            dict(row) | {"output": json.loads(row["output"]) if row["output"] else None}
            for row in rows
        ]

    def running_hours(self) -> float:
        """Hours that stages have run so far."""
        (seconds,) = self._db.execute("SELECT COALESCE(SUM(seconds), 0) FROM stages").fetchone()
        return float(seconds) / 3600.0

    def back_up(self) -> None:
        """Copy the state, whole or not at all."""
        partial = self.folder / f"{BACKUP_FILE}.partial"
        partial.unlink(missing_ok=True)
        copy = sqlite3.connect(partial)
        try:
            self._db.backup(copy)
        finally:
            copy.close()
        os.replace(partial, self.folder / BACKUP_FILE)

    # Jobs and results

    def add_jobs(
        self, round_number: int, jobs: Iterable[tuple[LabelJob, dict[str, Any], float]]
    ) -> None:
        """Take down jobs with their candidates' data and predicted core-hours, all or none."""
        with self._transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO jobs (id, round, content, info, predicted_core_hours) "
                "VALUES (?, ?, ?, ?, ?)",
                [
                    (job.id, round_number, json.dumps(job.to_dict()), json.dumps(info), cost)
                    for job, info, cost in jobs
                ],
            )

    def drop_open_jobs(self, round_number: int, kinds: Sequence[str]) -> None:
        """Forget jobs of a round that no labeller has seen, so that a choice can begin again."""
        ids = [
            (stored.job.id,)
            for stored in self.jobs(round_number)
            if not stored.submitted and stored.job.kind in kinds
        ]
        with self._transaction():
            self._db.executemany("DELETE FROM jobs WHERE id = ? AND submitted = 0", ids)

    def mark_submitted(self, job_ids: Sequence[str]) -> None:
        """Record that a labeller has taken jobs."""
        with self._transaction():
            self._db.executemany(
                "UPDATE jobs SET submitted = 1 WHERE id = ?", [(i,) for i in job_ids]
            )

    def update_jobs(self, statuses: Iterable[LabelStatus]) -> None:
        """Record where jobs stand; unknown ids are ignored."""
        with self._transaction():
            self._db.executemany(
                "UPDATE jobs SET state = ?, reason = ?, attempts = ? WHERE id = ?",
                [(s.state, s.reason, s.attempts, s.job_id) for s in statuses],
            )

    def add_results(self, results: Iterable[LabelResult]) -> None:
        """Keep results, each job's once."""
        with self._transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO results SELECT ?, ?, ?, ?, ?, ?, ? "
                "WHERE EXISTS (SELECT 1 FROM jobs WHERE id = ?)",
                [
                    (
                        r.job_id, r.table, json.dumps(_plain(r.row)),
                        json.dumps(r.provenance.__dict__), r.core_hours, r.basis_functions,
                        r.partial, r.job_id,
                    )
                    for r in results
                ],
            )  # fmt: skip

    def jobs(self, round_number: int | None = None) -> list[StoredJob]:
        """Jobs of one round, or of all, in the order they were taken down."""
        query, values = "SELECT * FROM jobs", ()
        if round_number is not None:
            query, values = f"{query} WHERE round = ?", (round_number,)  # type: ignore[assignment]
        rows = self._db.execute(f"{query} ORDER BY rowid", values).fetchall()
        return [
            StoredJob(
                LabelJob.from_dict(json.loads(row["content"])), row["round"],
                json.loads(row["info"]), row["predicted_core_hours"], bool(row["submitted"]),
                LabelStatus(row["id"], row["state"], row["reason"], row["attempts"]),
            )
            for row in rows
        ]  # fmt: skip

    def known_jobs(self) -> set[str]:
        """Ids of all jobs ever chosen."""
        return {row[0] for row in self._db.execute("SELECT id FROM jobs")}

    def results(self, round_number: int | None = None) -> list[dict[str, Any]]:
        """Results with their job's round and info, as dictionaries."""
        rows = self._db.execute(
            "SELECT results.*, jobs.round, jobs.info FROM results JOIN jobs ON id = job_id "
            "ORDER BY jobs.rowid"
        ).fetchall()
        return [
            dict(row) | {name: json.loads(row[name]) for name in ("row", "provenance", "info")}
            for row in rows
            if round_number in (None, row["round"])
        ]

    # Models and events

    def add_model(self, model: StoredModel) -> None:
        """Record a model, once."""
        with self._transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO models VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*model[:5], json.dumps(model.lineage), json.dumps(model.gates)),
            )

    def set_model(
        self, sha256: str, state: str, gates: dict[str, Any], directory: str | None = None
    ) -> None:
        """Change what became of a model."""
        with self._transaction():
            self._db.execute(
                "UPDATE models SET state = ?, gates = ?, directory = COALESCE(?, directory) "
                "WHERE sha256 = ?",
                (state, json.dumps(gates), directory, sha256),
            )

    def models(self) -> list[StoredModel]:
        """Models in the order they were made."""
        rows = self._db.execute("SELECT * FROM models ORDER BY rowid").fetchall()
        return [
            StoredModel(
                row["sha256"], row["round"], row["directory"], row["parent"], row["state"],
                json.loads(row["lineage"]), json.loads(row["gates"]),
            )
            for row in rows
        ]  # fmt: skip

    def log(self, round_number: int, text: str) -> None:
        """Write an event."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO events (time, round, text) VALUES (?, ?, ?)",
                (_now(), round_number, text),
            )

    def events(self) -> list[dict[str, Any]]:
        """Events in order of their numbers; clocks may have been changed in between."""
        return [dict(row) for row in self._db.execute("SELECT * FROM events ORDER BY number")]


def restore_backup(folder: Path) -> Path:
    """Put the copy of the last finished stage in place of a damaged state.

    Returns
    -------
    Path
        Where the damaged file was moved.

    Raises
    ------
    CampaignError
        If there is no copy.
    """
    backup, state = folder / BACKUP_FILE, folder / STATE_FILE
    if not backup.is_file():
        raise CampaignError(f"{folder}: no {BACKUP_FILE} to restore")
    aside = folder / f"{STATE_FILE}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    for suffix in ("-journal", "-wal", "-shm"):
        (folder / f"{STATE_FILE}{suffix}").unlink(missing_ok=True)
    if state.exists():
        os.replace(state, aside)
    partial = folder / f"{STATE_FILE}.partial"
    partial.write_bytes(backup.read_bytes())
    os.replace(partial, state)
    return aside


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Arrays as lists."""
    return {k: v.tolist() if hasattr(v, "tolist") else v for k, v in row.items()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _corrupted(path: Path, reason: str) -> CorruptedStateError:
    return CorruptedStateError(
        f"{path}: damaged ({reason}); `bytepol-al resume --restore` goes back to the copy made "
        "after the last finished stage, and repeats no calculation"
    )
