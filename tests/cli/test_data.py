"""``bytepol data`` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from openff_bytepol.cli.app import app
from openff_bytepol.training.labels.schema import write_table
from openff_bytepol.training.targets.dimers import DIMERS
from tests.training.conftest import dimer_row
from tests.training.test_datasets import own_frame

runner = CliRunner()


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    source, output = tmp_path / "mine.xyz", tmp_path / "mine.parquet"
    fields = "elst=-4 exch=6 ind=-1 disp=-1.5 total=-0.5 energy_unit=kcal/mol"
    source.write_text("".join(own_frame(3.5 + 0.1 * i, fields) for i in range(3)) * 2)
    arguments = ["data", "import", str(source), "-r", "dimers-xyz", "-o", str(output), "--json"]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["read"], report["kept"]) == (6, 3)
    assert report["dropped"] == {"duplicate": 3}
    return output


def test_show_and_check(imported: Path) -> None:
    shown = json.loads(runner.invoke(app, ["data", "show", str(imported), "--json"]).stdout)
    assert shown["entries"] == 3
    assert shown["levels"] == {"SAPT0/x": 3}
    assert shown["provenance"]["input"] == "mine.xyz"
    assert "3 entries" in runner.invoke(app, ["data", "show", str(imported)]).output
    checked = runner.invoke(app, ["data", "check", str(imported)])
    assert checked.exit_code == 0
    other = runner.invoke(app, ["data", "check", str(imported), "--level", "CCSD(T)"])
    assert other.exit_code == 1
    assert "LabelLevelError" in other.output


def test_check_finds_duplicates(tmp_path: Path) -> None:
    path = tmp_path / "twice.parquet"
    write_table([dimer_row(3.0), dimer_row(3.0)], DIMERS, path)
    result = runner.invoke(app, ["data", "check", str(path), "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["dropped"] == {"duplicate": 1}


def test_split(imported: Path, tmp_path: Path) -> None:
    arguments = ["data", "split", str(imported), "-o", str(tmp_path / "s"), "--json"]
    result = json.loads(runner.invoke(app, arguments).stdout)
    assert result["by"] == "pair of molecules"
    assert sorted(part["entries"] for part in result["files"].values()) == [0, 0, 3]
    assert runner.invoke(app, arguments).exit_code == 1, "nothing is overwritten unasked"
    assert runner.invoke(app, [*arguments, "--force"]).exit_code == 0


def test_readers_are_listed_and_asked_for(tmp_path: Path) -> None:
    readers = json.loads(runner.invoke(app, ["data", "import", "--json"]).stdout)
    assert readers["ncia"]["kind"] == "dimers"
    result = runner.invoke(app, ["data", "import", str(tmp_path / "x.xyz")])
    assert result.exit_code == 1
    assert "--reader" in result.output
