"""Labels from QCArchive, through QCPortal.

A job becomes entries of data sets on the server: single points (gradients, energy
decompositions), optimizations, torsion drives or many-body records. Entries are named by the
job's content, and records that the server holds already, whoever asked for them, are used:
submitting twice buys nothing twice. What is local is small: the jobs, the numbers of their
records, and results.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from operator import methodcaller
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from active_learning.labelling.base import LabelJob, LabelResult, LabelStatus, Provenance
from active_learning.labelling.connection import EMBEDDED, Connection, check_address
from active_learning.labelling.levels import RecordLevel, find_record_level, record_levels
from active_learning.labelling.records import result_of
from active_learning.labelling.retry import decide, short_reason
from active_learning.labelling.store import JobStore, StoredRecord
from active_learning.labelling.tasks import (
    DatasetType,
    Task,
    dataset_type,
    new_entry,
    specification,
    tasks_of,
)
from active_learning.server.layout import ServerSettings
from openff_bytepol.exceptions import DataError, ServerError

logger = logging.getLogger(__name__)
_OPEN = {"waiting", "running"}


class QCArchiveSettings(BaseModel):
    """What ``labels.settings`` may hold; never credentials."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    server: str = EMBEDDED
    """``embedded``, or the address of a server."""
    verify: bool = True
    """Check TLS certificates."""
    tag: str = "*"
    """Compute tag: only managers that serve it take the records."""
    priority: Literal["low", "normal", "high"] = "normal"
    dataset: str = "openff-bytepol active learning"
    """Name of the data sets on the server."""
    submitter: str = ""
    """Recorded with the data sets."""
    max_attempts: Annotated[int, Field(ge=1)] = 3
    """Of a record with one kind of settings."""
    levels: dict[str, RecordLevel] = {}
    """Levels of one's own, by name."""
    managers: Annotated[int, Field(ge=0)] = 1
    """The embedded server's compute managers; 0 leaves computing to attached ones."""
    workers: Annotated[int, Field(ge=1)] = 1
    """Records that each embedded manager computes at once."""
    cores: Annotated[int, Field(ge=1)] = 1
    """Of each worker."""
    memory: Annotated[float, Field(gt=0)] = 2.0
    """Of each worker, GiB."""


class QCArchiveLabeller:
    """A `Labeller` for any QCArchive server.

    Parameters
    ----------
    settings
        Server, levels and retries.
    folder
        Local files; the embedded server lives in its subfolder ``server``.
    """

    def __init__(self, settings: QCArchiveSettings, folder: Path) -> None:
        self._settings = settings
        self._levels = record_levels(settings.levels)
        self._store = JobStore(folder)
        self._connection = Connection(
            settings.server,
            folder / "server",
            ServerSettings(settings.managers, settings.workers, settings.cores, settings.memory),
            verify=settings.verify,
        )

    @classmethod
    def check_settings(cls, settings: Mapping[str, Any]) -> None:
        """Raise `DataError` if a setting is unknown or out of range; starts nothing."""
        try:
            check_address(QCArchiveSettings.model_validate(dict(settings)).server)
        except ValidationError as error:
            problems = [
                f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
                for problem in error.errors(include_input=False)
            ]
            raise DataError(f"labels.settings of qcarchive: {'; '.join(problems)}") from None

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], folder: Path) -> QCArchiveLabeller:
        """A labeller that keeps its files in ``folder``."""
        cls.check_settings(settings)
        return cls(QCArchiveSettings.model_validate(dict(settings)), folder)

    def submit(self, jobs: Sequence[LabelJob]) -> None:
        """Take on jobs.

        Raises
        ------
        DataError
            If a job does not fit its level; nothing is submitted then.
        ServerError
            If the server cannot be reached; jobs are kept and submitted by the next `poll`.
        """
        for job in jobs:
            tasks_of(job, find_record_level(self._levels, job.level))
        for job in jobs:
            self._store.add(job)
        self._submit_stored()

    def poll(self) -> Sequence[LabelStatus]:
        """State of every job; failed records are reset, changed or given up."""
        try:
            self._submit_stored()
            self._update()
        except ServerError as error:
            logger.warning("%s", error)
            return [self._status(job_id, unreachable=str(error)) for job_id in self._store.ids()]
        return [self._status(job_id) for job_id in self._store.ids()]

    def collect(self) -> Iterable[LabelResult]:
        """Results of complete jobs."""
        for job_id in self._store.ids():
            values = self._store.result(job_id)
            if values is not None and "row" in values:
                stored = values["provenance"]
                provenance = Provenance(**stored | {"record_ids": tuple(stored["record_ids"])})
                yield LabelResult(**{**values, "provenance": provenance})

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Give up jobs that are not complete."""
        known = set(self._store.ids())
        for job_id in job_ids:
            if job_id in known and self._store.result(job_id) is None:
                ids = [record.id for record in self._store.records(job_id) or ()]
                if ids:
                    self._connection.call(methodcaller("cancel_records", ids))
                self._store.finish(job_id, {"reason": "cancelled", "attempts": 1})

    def _submit_stored(self) -> None:
        groups: dict[tuple[DatasetType, str, int], list[LabelJob]] = defaultdict(list)
        for job_id in self._store.ids():
            if self._store.records(job_id) is None and self._store.result(job_id) is None:
                job = self._store.job(job_id)
                level = find_record_level(self._levels, job.level)
                groups[dataset_type(job, level), job.level, len(job.smiles)].append(job)
        for (_, name, _), jobs in groups.items():
            level = find_record_level(self._levels, name)
            tasks = {job.id: tasks_of(job, level) for job in jobs}
            entries = [task for job_tasks in tasks.values() for task in job_tasks]
            found = self._submit(entries, level, name, 0, len(jobs[0].smiles))
            for job_id, job_tasks in tasks.items():
                self._store.set_records(
                    job_id, [StoredRecord(t.entry, found[t.entry], 0) for t in job_tasks]
                )

    def _submit(
        self, tasks: Sequence[Task], level: RecordLevel, name: str, variant: int, fragments: int
    ) -> dict[str, int]:
        """Submit entries with one specification; number of the record of each entry."""
        kind = tasks[0].dataset
        entries = [task.entry for task in tasks]
        label = name if variant == 0 else f"{name} (alternative {variant})"
        if kind == "manybody":
            label = f"{label}, {fragments} molecules"
        content = specification(kind, level.variant(variant), fragments)

        def act(client: Any) -> dict[str, int]:
            dataset = self._dataset(client, kind)
            dataset.add_entries([new_entry(task) for task in tasks])
            if label not in dataset.specification_names:
                dataset.add_specification(label, content)
            elif dataset.specifications[label].specification != content:
                raise DataError(
                    f"data set '{self._settings.dataset}' holds another level named '{label}'; "
                    "name the level or the data set differently"
                )
            dataset.submit(
                entries,
                [label],
                compute_tag=self._settings.tag,
                compute_priority=self._settings.priority,
            )
            records = dataset.iterate_records(entries, [label])
            return {entry: record.id for entry, _, record in records}

        return self._connection.call(act)

    def _dataset(self, client: Any, kind: DatasetType) -> Any:
        return client.add_dataset(
            kind,
            self._settings.dataset,
            description="Labels of an openff-bytepol active-learning campaign",
            tagline="Chosen by the uncertainty of a polarizable force field",
            tags=["openff", "bytepol", "active-learning"],
            provenance={"openff-bytepol": version("openff-bytepol")},
            default_compute_tag=self._settings.tag,
            extras={
                "submitter": self._settings.submitter,
                "creation_date": datetime.now(UTC).date().isoformat(),
                "collection_type": kind,
                "dataset_name": self._settings.dataset,
                "units": "records: atomic units",
            },
            existing_ok=True,
        )

    def _update(self) -> None:
        """Follow every open job's records."""
        open_jobs = [i for i in self._store.ids() if self._store.result(i) is None]
        ids = sorted({r.id for job_id in open_jobs for r in self._store.records(job_id) or ()})
        if not ids:
            return
        found = self._connection.call(methodcaller("get_records", ids))
        records = {record.id: record for record in found}
        for job_id in open_jobs:
            self._update_job(job_id, records)

    def _update_job(self, job_id: str, records: Mapping[int, Any]) -> None:
        job = self._store.job(job_id)
        level = find_record_level(self._levels, job.level)
        stored = self._store.records(job_id) or []
        changed = [self._follow(job, level, item, records[item.id]) for item in stored]
        if changed != stored:
            self._store.set_records(job_id, changed)
        done = [item for item in changed if item.id in records and _is_complete(records[item.id])]
        failures = [item.given_up for item in changed if item.given_up]
        if len(done) + len(failures) == len(changed):
            self._finish(job, level, [records[item.id] for item in done], failures)

    def _follow(
        self, job: LabelJob, level: RecordLevel, item: StoredRecord, record: Any
    ) -> StoredRecord:
        """The record after what its status asks for was done."""
        state = record.status.value
        if item.given_up or state in {*_OPEN, "complete"}:
            return item
        if state == "error":
            return self._handle_failure(job, level, item, record)
        return item.replace(given_up=f"record {item.id} was {state}")

    def _handle_failure(
        self, job: LabelJob, level: RecordLevel, item: StoredRecord, record: Any
    ) -> StoredRecord:
        error_type, message = failure_of(record)
        action = decide(error_type, message, item.attempts, self._settings.max_attempts)
        if action == "reset":
            self._connection.call(methodcaller("reset_records", [item.id]))
            return item.replace(attempts=item.attempts + 1)
        if action == "alternative" and item.variant < len(level.alternatives):
            variant = item.variant + 1
            task = next(t for t in tasks_of(job, level) if t.entry == item.entry)
            found = self._submit([task], level, job.level, variant, len(job.smiles))
            return StoredRecord(item.entry, found[item.entry], variant)
        return item.replace(given_up=f"record {item.id}: {short_reason(error_type, message)}")

    def _finish(
        self, job: LabelJob, level: RecordLevel, complete: list[Any], failures: list[str]
    ) -> None:
        reason = "; ".join(failures)
        if complete:
            try:
                result = result_of(
                    job, level, complete, server=self._connection.name, failures=reason
                )
            except DataError as error:
                reason = f"unusable: {error}"
            else:
                self._store.finish(job.id, asdict(result))
                return
        attempts = max((r.attempts for r in self._store.records(job.id) or ()), default=1)
        self._store.finish(job.id, {"reason": reason, "attempts": attempts})

    def _status(self, job_id: str, unreachable: str = "") -> LabelStatus:
        result = self._store.result(job_id)
        if result is not None and "row" in result:
            return LabelStatus(job_id, "complete", result["partial"])
        if result is not None:
            return LabelStatus(job_id, "failed", result["reason"], result["attempts"])
        records = self._store.records(job_id)
        attempts = max((record.attempts for record in records or ()), default=0)
        return LabelStatus(job_id, "running" if records else "waiting", unreachable, attempts)


def _is_complete(record: Any) -> bool:
    return bool(record.status.value == "complete")


def failure_of(record: Any) -> tuple[str, str]:
    """Type and message of a failed record's error, or of its first failed child's."""
    children = record.children_errors if record.is_service else []
    error = (children[0] if children else record).error
    if isinstance(error, str):
        return "error", error
    values = json.loads(json.dumps(error, default=str)) if error else {}
    return str(values.get("error_type", "error")), str(values.get("error_message", ""))
