"""Labelling on a full disk and under a clock that jumps."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from active_learning import obtain
from active_learning.campaign import open_campaign, run_campaign
from active_learning.config import CampaignConfig, load_campaign
from active_learning.context import Context
from active_learning.labelling import LabelJob, LabelResult, LabelStatus, Provenance
from active_learning.labelling.store import JobStore, StoredRecord
from active_learning.labelling.teacher import TeacherLabeller
from active_learning.state import CampaignState
from active_learning.storage import full_disk_reported
from openff_bytepol.exceptions import StorageError
from tests.active_learning.test_campaign import write

WATER = "[O:1]([H:2])[H:3]"
XYZ = np.array([[0.0, 0.0, 0.1174], [-0.757, 0.0, -0.4696], [0.757, 0.0, -0.4696]])
JOB = LabelJob("monomer", "gfn2-xtb", (WATER,), (0,), np.stack([XYZ, 1.02 * XYZ]))
needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")


def fill(folder: Path) -> Path:
    """Let the next file of a job in this folder meet a full device."""
    path = folder / f"{JOB.id}.partial"
    path.symlink_to("/dev/full")
    return path


@needs_full
def test_a_full_disk_leaves_jobs_records_and_results_as_they_were(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    full = fill(tmp_path / "jobs")
    with pytest.raises(StorageError, match="free some space"):
        store.add(JOB)
    assert JobStore(tmp_path).ids() == []
    full.unlink()
    store.add(JOB)
    store.set_records(JOB.id, [StoredRecord("a-0000", 7, 0)])
    for kind, change in (
        ("records", lambda: store.set_records(JOB.id, [StoredRecord("a-0000", 8, 1)])),
        ("results", lambda: store.finish(JOB.id, {"row": {}, "partial": ""})),
    ):
        full = fill(tmp_path / kind)
        with pytest.raises(StorageError, match="free some space"):
            change()
        full.unlink()
    again = JobStore(tmp_path)
    assert again.ids() == [JOB.id]
    assert again.records(JOB.id) == [StoredRecord("a-0000", 7, 0)]
    assert again.result(JOB.id) is None


@needs_full
def test_a_teacher_on_a_full_disk_labels_again_later(tmp_path: Path) -> None:
    pytest.importorskip("tblite")
    labeller = TeacherLabeller.from_settings({}, tmp_path)
    labeller.submit([JOB])
    full = fill(tmp_path / "results")
    with pytest.raises(StorageError, match="bytepol-al resume"), full_disk_reported(tmp_path):
        labeller.poll()
    full.unlink()
    again = TeacherLabeller.from_settings({}, tmp_path)
    assert list(again.collect()) == []
    assert [status.state for status in again.poll()] == ["complete"]
    assert len(list(again.collect())) == 1


def test_only_a_full_disk_is_called_one(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "x.sqlite")
    database.execute("PRAGMA max_page_count = 2")
    database.execute("CREATE TABLE t (x)")
    with pytest.raises(StorageError), full_disk_reported(tmp_path):
        database.execute("INSERT INTO t VALUES (?)", ("x" * 100_000,))
    with pytest.raises(FileNotFoundError), full_disk_reported(tmp_path):
        (tmp_path / "absent").read_text()
    with pytest.raises(sqlite3.OperationalError), full_disk_reported(tmp_path):
        sqlite3.connect(":memory:").execute("nonsense")


class _Slow:
    """Completes its jobs at the fourth question."""

    def __init__(self) -> None:
        self.jobs: list[LabelJob] = []
        self.polls = 0

    def submit(self, jobs: Sequence[LabelJob]) -> None:
        self.jobs += jobs

    def poll(self) -> list[LabelStatus]:
        self.polls += 1
        state = "complete" if self.polls > 3 else "running"
        return [LabelStatus(job.id, state) for job in self.jobs]  # type: ignore[arg-type]

    def collect(self) -> list[LabelResult]:
        if self.polls <= 3:
            return []
        return [
            LabelResult(job.id, "molecules", {"smiles": "O"}, Provenance("here"), core_hours=0.1)
            for job in self.jobs
        ]

    def cancel(self, job_ids: Sequence[str]) -> None:
        raise AssertionError(f"gave up {job_ids}")


@pytest.mark.parametrize("jump", [10.0, -10.0])
def test_patience_is_not_measured_by_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    """A clock that jumps by years neither ends the waiting nor makes it endless."""
    year, clock = 365.25 * 86400.0, [time.time()]

    def now() -> float:
        clock[0] += jump * year / 5.0
        return clock[0]

    monkeypatch.setattr(time, "time", now)
    slow = _Slow()
    monkeypatch.setattr(obtain, "make_labeller", lambda _: slow)
    config = CampaignConfig.model_validate(
        {
            "name": "x", "candidates": {"pools": [{"path": "pool.smi"}]},
            "labels": {"poll_seconds": 0.01, "patience_hours": 0.1},
            "budget": {"records": 9, "core_hours": 1, "wall_hours": 0.1},
        }
    )  # fmt: skip
    with CampaignState(tmp_path, config.sha256) as state:
        state.add_jobs(1, [(JOB, {"molecules": ["O"]}, 0.1)])
        state.start_stage(1, "label")
        context = Context(config, tmp_path, state, lambda _: None, config.labels.levels)
        assert obtain.obtain_labels(context, 1) == {"jobs": 1, "complete": 1, "failed": {}}
        assert len(state.results()) == 1
        assert 0.0 <= state.running_hours() < 0.1
    assert slow.polls == 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 600 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(place)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
def test_a_campaign_outlives_a_full_disk(small_disk: Path) -> None:
    pytest.importorskip("tblite")
    config = load_campaign(write(small_disk))
    with pytest.raises(StorageError, match="free some space"):
        run_campaign(config, say=lambda _: None)
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    assert run_campaign(config, say=lambda _: None).state == "finished"
    with open_campaign(config) as state:
        ids = [stored.job.id for stored in state.jobs()]
        assert len(ids) == len(set(ids)) == len(state.results())
        assert len(state.models()) == 2
