"""The QCArchive labeller without a server: settings, tasks, retries, secrets, refusals."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("qcportal")
from active_learning.labelling import LabelJob, LabelResult, Provenance, find_labeller
from active_learning.labelling.connection import (
    Connection,
    _without_secrets,
    check_address,
    credentials,
)
from active_learning.labelling.levels import Alternative, RecordLevel, record_levels
from active_learning.labelling.qcarchive import QCArchiveLabeller
from active_learning.labelling.retry import decide, short_reason
from active_learning.labelling.store import JobStore, StoredRecord
from active_learning.labelling.tasks import specification, tasks_of
from active_learning.server.layout import ServerSettings
from openff_bytepol.exceptions import CorruptedStateError, DataError, ServerError

WATER = "[O:1]([H:2])[H:3]"
XYZ = np.array([[0.0, 0.0, 0.1174], [-0.757, 0.0, -0.4696], [0.757, 0.0, -0.4696]])
LITHIUM = np.array([[0.3, 0.2, 2.1]])
LEVELS = record_levels({})
NOWHERE = "http://127.0.0.1:9"


def monomer(level: str = "gfn2-xtb") -> LabelJob:
    return LabelJob("monomer", level, (WATER,), (0,), np.stack([XYZ, 1.02 * XYZ]))


def dimer(level: str) -> LabelJob:
    xyz = np.vstack([XYZ, LITHIUM])[None]
    return LabelJob("dimer", level, (WATER, "[Li+:1]"), (0, 1), xyz)


def test_factory_is_found_and_checks_settings() -> None:
    factory = find_labeller("qcarchive")
    factory.check_settings({"server": "https://qcarchive.example.org", "tag": "bytepol"})
    with pytest.raises(DataError, match="password"):
        factory.check_settings({"password": "hunter2"})
    with pytest.raises(DataError, match="max_attempts"):
        factory.check_settings({"max_attempts": 0})


def test_values_of_wrong_settings_are_not_repeated() -> None:
    with pytest.raises(DataError) as caught:
        QCArchiveLabeller.check_settings({"api_token": "very-secret"})
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["https://me:secret@host.org", "ftp://host", "host:7777"])
def test_addresses_with_credentials_or_without_scheme_are_refused(address: str) -> None:
    with pytest.raises(DataError) as caught:
        check_address(address)
    assert "secret" not in str(caught.value) or address not in str(caught.value)


def test_credentials_come_from_the_environment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYTEPOL_QCARCHIVE_USERNAME", "me")
    with pytest.raises(DataError, match="both"):
        credentials(NOWHERE)
    monkeypatch.setenv("BYTEPOL_QCARCHIVE_PASSWORD", "hunter2")
    assert credentials(NOWHERE) == {"username": "me", "password": "hunter2"}
    monkeypatch.setenv("BYTEPOL_QCARCHIVE_TOKEN", "qcf_abcdef")
    assert credentials(NOWHERE) == {"api_token": "qcf_abcdef"}
    monkeypatch.setenv("BYTEPOL_QCARCHIVE_TOKEN", "no-token")
    with pytest.raises(DataError, match="qcf_"):
        credentials(NOWHERE)
    monkeypatch.setenv("BYTEPOL_QCARCHIVE_TOKEN", "qcf_abcdef")
    assert _without_secrets("bad login hunter2 qcf_abcdef") == "bad login *** ***"


def test_refused_connections_are_told_and_lose_nothing(tmp_path: Path) -> None:
    labeller = QCArchiveLabeller.from_settings({"server": NOWHERE}, tmp_path)
    with pytest.raises(ServerError, match="no connection"):
        labeller.submit([monomer()])
    again = QCArchiveLabeller.from_settings({"server": NOWHERE}, tmp_path)
    (status,) = again.poll()
    assert status.job_id == monomer().id
    assert status.state == "waiting"
    assert "no connection" in status.reason
    assert list(again.collect()) == []


def test_secrets_are_not_in_errors_or_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BYTEPOL_QCARCHIVE_USERNAME", "me")
    monkeypatch.setenv("BYTEPOL_QCARCHIVE_PASSWORD", "s3cr3t-token")
    labeller = QCArchiveLabeller.from_settings({"server": NOWHERE}, tmp_path)
    with pytest.raises(ServerError) as caught:
        labeller.submit([monomer()])
    assert "s3cr3t-token" not in str(caught.value)
    texts = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert texts
    assert not any("s3cr3t-token" in text for text in texts)


def test_jobs_that_do_not_fit_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    labeller = QCArchiveLabeller.from_settings({"server": NOWHERE}, tmp_path)
    for job, message in (
        (monomer("no such level"), "no level"),
        (monomer("sapt0/jun-cc-pvdz"), "interaction energies"),
        (LabelJob("monomer", "gfn2-xtb", (WATER,), (1,), XYZ[None]), "charge 1"),
    ):
        with pytest.raises(DataError, match=message):
            labeller.submit([monomer(), job])
    assert list((tmp_path / "jobs").iterdir()) == []


def test_dimers_become_molecules_with_fragments_in_place() -> None:
    (task,) = tasks_of(dimer("sapt0/jun-cc-pvdz"), LEVELS["sapt0/jun-cc-pvdz"])
    molecule = task.molecule
    assert task.dataset == "singlepoint"
    assert [list(atoms) for atoms in molecule.fragments] == [[0, 1, 2], [3]]
    assert list(molecule.fragment_charges) == [0.0, 1.0]
    positions = np.array(molecule.geometry).reshape(-1, 3) * 0.529177210903
    assert np.allclose(positions, np.vstack([XYZ, LITHIUM]), atol=1e-7)
    assert molecule.fix_com
    assert molecule.fix_orientation


def test_kinds_of_records() -> None:
    assert [t.dataset for t in tasks_of(monomer(), LEVELS["gfn2-xtb"])] == ["singlepoint"] * 2
    assert tasks_of(dimer("x"), LEVELS["gfn2-xtb"])[0].dataset == "manybody"
    relaxing = LEVELS["gfn2-xtb"].model_copy(update={"relax": 3})
    assert tasks_of(monomer(), relaxing)[0].dataset == "optimization"
    torsion = LabelJob(
        "torsion", "gfn2-xtb", ("[H:3][O:1][O:2][H:4]",), (0,), np.eye(4, 3)[None], (2, 0, 1, 3)
    )
    (task,) = tasks_of(torsion, LEVELS["gfn2-xtb"])
    assert task.dataset == "torsiondrive"
    assert task.keywords == {"dihedrals": [(2, 0, 1, 3)], "grid_spacing": [30]}


def test_counterpoise_only_where_there_is_a_basis() -> None:
    small = RecordLevel(kind="gradient", program="pyscf", method="hf", basis="6-31g")
    corrected = specification("manybody", small, 2)
    assert [c.value for c in corrected.bsse_correction] == ["cp"]
    plain = specification("manybody", LEVELS["gfn2-xtb"], 2)
    assert [c.value for c in plain.bsse_correction] == ["nocp"]
    assert specification("singlepoint", small, 1).driver == "gradient"


def test_alternatives_add_to_the_level() -> None:
    level = LEVELS["sapt0/jun-cc-pvdz"]
    assert level.variant(0) == level
    assert level.variant(1).keywords == {**level.keywords, "soscf": True, "maxiter": 300}
    other = level.model_copy(update={"alternatives": (Alternative(basis="6-31g*"),)})
    assert other.variant(1).basis == "6-31g*"
    assert other.variant(1).method == "sapt0"


@pytest.mark.parametrize(
    ("error_type", "message", "attempts", "action"),
    [
        ("input_error", "QCEngine Input Error: pyscf: unknown keywords", 1, "give up"),
        ("random_error", "psi4 was killed by signal 9", 1, "reset"),
        ("resource_error", "out of memory", 1, "reset"),
        ("random_error", "psi4 was killed by signal 9", 3, "alternative"),
        ("unknown_error", "no convergence: SCF", 1, "alternative"),
    ],
)
def test_decisions_about_failures(
    error_type: str, message: str, attempts: int, action: str
) -> None:
    assert decide(error_type, message, attempts, max_attempts=3) == action


def test_reasons_are_one_line() -> None:
    reason = short_reason("unknown_error", "Traceback\n  File x\nValueError: too bad\n")
    assert reason == "unknown_error: ValueError: too bad"


def test_store_survives_half_written_files(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    store.add(monomer())
    store.set_records(monomer().id, [StoredRecord("a-0000", 7, 0)])
    (tmp_path / "records" / f"{monomer().id}.partial").write_text('{"records": [')
    again = JobStore(tmp_path)
    assert again.ids() == [monomer().id]
    assert again.job(monomer().id).id == monomer().id
    assert again.records(monomer().id) == [StoredRecord("a-0000", 7, 0)]
    (tmp_path / "records" / f"{monomer().id}.json").write_text("{")
    with pytest.raises(CorruptedStateError, match="looked up on the server"):
        again.records(monomer().id)


def test_connection_names_no_user(tmp_path: Path) -> None:
    assert Connection("https://host.org", tmp_path, ServerSettings()).name == "https://host.org"


def test_results_may_be_collected_again_and_again(tmp_path: Path) -> None:
    labeller = QCArchiveLabeller.from_settings({"server": NOWHERE}, tmp_path)
    store = JobStore(tmp_path)
    store.add(monomer())
    made = LabelResult(
        monomer().id, "molecules", {"smiles": "O"}, Provenance(NOWHERE, ("1", "2")), core_hours=0.1
    )
    store.finish(monomer().id, asdict(made))
    assert [list(labeller.collect()) for _ in range(3)] == [[made]] * 3
