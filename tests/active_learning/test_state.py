"""State and lock under real kills, damage, two processes, a full disk and changed clocks."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from active_learning.labelling import LabelJob, LabelResult, LabelStatus, Provenance
from active_learning.lock import CampaignLock, lock_holder
from active_learning.state import BACKUP_FILE, STATE_FILE, CampaignState, restore_backup
from openff_bytepol.exceptions import CampaignError, CampaignLockedError, CorruptedStateError

SHA = "c" * 64


def job(number: int) -> LabelJob:
    return LabelJob("monomer", "gfn2-xtb", ("[He:1]",), (0,), np.full((1, 1, 3), float(number)))


def result(number: int) -> LabelResult:
    return LabelResult(
        job(number).id, "molecules", {"smiles": "[He]", "energies": np.zeros(2)},
        Provenance("here", (str(number),)), core_hours=0.5,
    )  # fmt: skip


def add(state: CampaignState, *numbers: int, round_number: int = 1) -> None:
    state.add_jobs(round_number, [(job(n), {"molecules": ["[He]"]}, 1.0) for n in numbers])


def test_jobs_and_results_are_kept_once(tmp_path):
    with CampaignState(tmp_path, SHA) as state:
        for _ in range(2):
            add(state, 1, 2)
            state.add_results([result(1), result(1), result(7)])
        state.mark_submitted([job(1).id])
        state.update_jobs([LabelStatus(job(1).id, "complete"), LabelStatus("unknown", "failed")])
        state.drop_open_jobs(1, ("monomer",))
    with CampaignState(tmp_path) as state:
        (stored,) = state.jobs()
        assert stored.job.id == job(1).id
        assert stored.submitted
        assert stored.status.state == "complete"
        (kept,) = state.results()
        assert kept["row"]["energies"] == [0.0, 0.0]
        assert kept["provenance"]["record_ids"] == ["1"]


def test_stages_finish_once_and_time_adds_up(tmp_path):
    with CampaignState(tmp_path, SHA) as state:
        state.start_stage(1, "train")
        state.spend_time(1, "train", 1800.0)
        assert state.stage_output(1, "train") is None
        state.start_stage(1, "train")
        state.spend_time(1, "train", 1800.0)
        state.finish_stage(1, "train", {"a": 1})
        assert state.stage_output(1, "train") == {"a": 1}
        assert state.running_hours() == pytest.approx(1.0)


def test_another_configuration_is_refused(tmp_path):
    CampaignState(tmp_path, SHA).close()
    with pytest.raises(CampaignError, match="another configuration"):
        CampaignState(tmp_path, "d" * 64)
    with pytest.raises(CampaignError, match="no campaign"):
        CampaignState(tmp_path / "elsewhere")


@pytest.mark.parametrize("damage", ["garbage", "truncated", "page"])
def test_damage_is_noticed_and_repaired(tmp_path, damage):
    with CampaignState(tmp_path, SHA) as state:
        add(state, *range(200))
        state.start_stage(1, "label")
        state.finish_stage(1, "label", {})
    path = tmp_path / STATE_FILE
    content = bytearray(path.read_bytes())
    if damage == "garbage":
        content[:] = os.urandom(len(content))
    elif damage == "truncated":
        del content[len(content) // 2 :]
    else:
        content[8192:16384] = b"\xff" * 8192
    path.write_bytes(content)
    with pytest.raises(CorruptedStateError, match="--restore"):
        CampaignState(tmp_path, SHA)
    aside = restore_backup(tmp_path)
    assert aside.read_bytes() == bytes(content)
    with CampaignState(tmp_path, SHA) as state:
        assert len(state.jobs()) == 200
        assert state.stage_output(1, "label") == {}


def test_nothing_to_restore(tmp_path):
    with pytest.raises(CampaignError, match=BACKUP_FILE):
        restore_backup(tmp_path)


WRITER = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from active_learning.state import CampaignState
from tests.active_learning.test_state import SHA, job, result
state = CampaignState(Path({folder!r}), SHA)
number = len(state.jobs())
print("ready", flush=True)
while True:
    pair = [(job(n), {{"molecules": ["x"]}}, 1.0) for n in (number, number + 1)]
    state.add_jobs(1, pair)
    state.add_results([result(number), result(number + 1)])
    number += 2
"""


def test_killed_writers_leave_whole_transactions(tmp_path):
    root = str(Path(__file__).parents[2])
    code = WRITER.format(root=root, folder=str(tmp_path))
    before = 0
    for kills, delay in enumerate((0.05, 0.21), start=1):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with CampaignState(tmp_path, SHA) as state:
            jobs, results = len(state.jobs()), len(state.results())
        assert jobs % 2 == results % 2 == 0
        assert jobs - 2 * kills <= results <= jobs  # each kill may come between the two
        assert jobs >= before
        before = jobs
    assert before > 0


def test_full_disk_loses_nothing(tmp_path):
    with CampaignState(tmp_path, SHA) as state:
        add(state, 1)
        state.back_up()
        size = (tmp_path / STATE_FILE).stat().st_size
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            with pytest.raises(Exception, match=r"full|I/O|disk"):
                add(state, *range(2, 2000))
            with pytest.raises(Exception, match=r"full|I/O|disk|large"):
                (tmp_path / "other").write_bytes(b"x" * (size + 1))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, previous)
        assert len(state.jobs()) == 1
        add(state, 2)
    with CampaignState(tmp_path, SHA) as state:
        assert len(state.jobs()) == 2


def test_events_keep_their_order_when_the_clock_goes_back(tmp_path, monkeypatch):
    from active_learning import state as module

    with CampaignState(tmp_path, SHA) as state:
        for number, year in enumerate((2030, 2020, 2025)):
            monkeypatch.setattr(module, "_now", lambda year=year: f"{year}-01-01T00:00:00+00:00")
            state.log(1, f"event {number}")
            state.start_stage(number, "train")
            state.spend_time(number, "train", 3600.0)
        assert [e["text"] for e in state.events()] == ["event 0", "event 1", "event 2"]
        assert state.running_hours() == pytest.approx(3.0)


HOLDER = """
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from active_learning.lock import CampaignLock
with CampaignLock(Path({path!r}), heartbeat=0.05):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(path: Path) -> subprocess.Popen[bytes]:
    code = HOLDER.format(root=str(Path(__file__).parents[2]), path=str(path))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_two_processes_exclude_each_other_and_a_killed_one_does_not(tmp_path):
    path = tmp_path / "lock"
    process = hold(path)
    try:
        with pytest.raises(CampaignLockedError, match=f"process {process.pid}"), CampaignLock(path):
            pass
        holder = lock_holder(path)
        assert holder is not None
        assert holder["pid"] == process.pid
    finally:
        process.kill()
        process.wait()
    assert lock_holder(path) is None
    with CampaignLock(path):
        pass


def test_holder_on_another_machine(tmp_path):
    """A file lock that does not reach there: only the heartbeat tells."""
    path = tmp_path / "lock"
    path.write_text('{"host": "elsewhere/12345678", "pid": 4, "beats": 1}')
    os.utime(path, (0, 0))
    with CampaignLock(path, heartbeat=0.05, stale_after=0.3):
        assert "elsewhere" not in path.read_text()
    path.write_text('{"host": "elsewhere/12345678", "pid": 4, "beats": 1}')
    lock = CampaignLock(path, stale_after=5.0)

    import threading

    def beat() -> None:
        time.sleep(0.7)
        path.write_text('{"host": "elsewhere/12345678", "pid": 4, "beats": 2}')

    thread = threading.Thread(target=beat)
    thread.start()
    with pytest.raises(CampaignLockedError, match="elsewhere"), lock:
        pass
    thread.join()
