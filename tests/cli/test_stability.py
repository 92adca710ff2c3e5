"""``bytepol benchmark stability``."""

from __future__ import annotations

import json

import pytest

from openff_bytepol.properties import stability


@pytest.fixture
def command(tmp_path):
    pool = tmp_path / "pool.csv"
    pool.write_text("name,smiles\nethanol,OCC\nwater,O\n")
    folder = tmp_path / "out"
    return ["benchmark", "stability", pool, "--time", "0.2ps", "-o", folder]


def test_vacuum_and_going_on(bytepol, command, tmp_path, monkeypatch):
    finished = bytepol(*command, "--phase", "gas", "--n-workers", 2, "--json")
    assert finished.code == 0, finished.messages
    counts = finished.document["phases"]["gas"]
    assert (counts["stable"], counts["unfinished"]) == (1, 1)
    bytepol(*command, "--phase", "gas", "--n-workers", 2, "--worker", 1)
    monkeypatch.setattr(stability, "simulate", None)
    again = bytepol(*command, "--phase", "gas", "--json")
    assert again.code == 0, again.messages
    assert [row["smiles"] for row in again.document["results"]] == ["CCO", "O"]
    for row in again.document["results"]:
        assert row["stable"]
        assert row["reason"] == ""
        assert row["length"] == pytest.approx(0.2)
        assert row["density"] is None
        assert row["largest_strain"] < 0.2
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == again.document


def test_unstable_molecules_are_exit_code_1(bytepol, command, tmp_path):
    bytepol(*command, "--phase", "gas", "--count", 1)
    (path,) = (tmp_path / "out" / "stability").iterdir()
    result = json.loads(path.read_text()) | {"stable": False, "reason": "came apart"}
    path.write_text(json.dumps(result))
    finished = bytepol(*command, "--phase", "gas", "--count", 1)
    assert finished.code == 1
    assert "came apart" in finished.output
    assert bytepol(*command, "--phase", "gas", "--count", 1, "--force").code == 0


def test_other_settings_are_refused(bytepol, command, tmp_path):
    command += ["--phase", "gas", "--count", "1"]
    bytepol(*command)
    other = bytepol(*command, "-T", 400)
    assert other.code == 1
    assert "OutputExistsError" in other.messages
    assert bytepol(*command, "-T", 400, "--force").code == 0
    assert len(list((tmp_path / "out" / "stability").iterdir())) == 1
    assert bytepol(*command, "--phase", "solid").code == 2


@pytest.mark.slow
def test_liquids(bytepol, command):
    finished = bytepol(*command, "--phase", "liquid", "--count", 1, "--json")
    assert finished.code == 0, finished.messages
    (row,) = finished.document["results"]
    assert row["n_atoms"] >= 32 * 3
    assert 0.4 < row["density"] < 1.0
