"""A label program of one's own: GFN1-xTB, one molecule at a time, in this process."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from active_learning.labelling import LabelJob, LabelResult, LabelStatus, Provenance
from active_learning.labelling.rows import molecule_row
from active_learning.labelling.store import JobStore
from openff_bytepol.exceptions import BytePolError, DataError
from openff_bytepol.qm import Fragment, Level
from openff_bytepol.qm.single_point import single_point

LEVEL = Level("gfn1-xtb", "gradient", "tblite", "gfn1-xtb", auxiliary_basis=None)


class MyLabeller:
    """Labels of molecules, kept as files in a folder."""

    def __init__(self, folder: Path, jobs_per_poll: int) -> None:
        self._store = JobStore(folder)
        self._jobs_per_poll = jobs_per_poll

    @classmethod
    def check_settings(cls, settings: Mapping[str, Any]) -> None:
        if set(settings) - {"jobs_per_poll"}:
            raise DataError(f"unknown settings {sorted(set(settings) - {'jobs_per_poll'})}")

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], folder: Path) -> MyLabeller:
        cls.check_settings(settings)
        return cls(folder, int(settings.get("jobs_per_poll", 20)))

    def submit(self, jobs: Sequence[LabelJob]) -> None:
        for job in jobs:
            self._store.add(job)

    def poll(self) -> Sequence[LabelStatus]:
        ids = self._store.ids()
        for job_id in [i for i in ids if self._store.result(i) is None][: self._jobs_per_poll]:
            job = self._store.job(job_id)
            try:
                self._store.finish(job_id, asdict(compute(job)))
            except BytePolError as error:
                self._store.finish(job_id, {"reason": f"{type(error).__name__}: {error}"})
        return [self._status(job_id) for job_id in ids]

    def collect(self) -> Iterable[LabelResult]:
        for job_id in self._store.ids():
            values = self._store.result(job_id)
            if values is not None and "row" in values:
                provenance = values.pop("provenance")
                provenance["record_ids"] = tuple(provenance["record_ids"])
                yield LabelResult(provenance=Provenance(**provenance), **values)

    def cancel(self, job_ids: Sequence[str]) -> None:
        for job_id in job_ids:
            if job_id in self._store.ids() and self._store.result(job_id) is None:
                self._store.finish(job_id, {"reason": "cancelled"})

    def _status(self, job_id: str) -> LabelStatus:
        result = self._store.result(job_id)
        if result is None:
            return LabelStatus(job_id, "waiting", attempts=0)
        state = "complete" if "row" in result else "failed"
        return LabelStatus(job_id, state, result.get("reason", ""))


def compute(job: LabelJob) -> LabelResult:
    """Energies, forces and dipoles at the job's geometries."""
    if job.kind != "monomer":
        raise DataError(f"this program labels monomers, not {job.kind}s")
    started = time.process_time()
    points = [
        single_point(Fragment.from_mapped_smiles(job.smiles[0], xyz), LEVEL)
        for xyz in job.coordinates
    ]
    row = molecule_row(
        job.smiles[0],
        job.coordinates,
        np.array([point.energy for point in points]),
        -np.stack([point.gradient for point in points]),
        kinds=["conformer"] * len(points),
        source=job.level,
        dipoles=np.stack([point.dipole for point in points]),
    )
    return LabelResult(
        job_id=job.id,
        table="molecules",
        row=row,
        provenance=Provenance("in process", (), points[0].program, points[0].version),
        core_hours=(time.process_time() - started) / 3600.0,
    )
