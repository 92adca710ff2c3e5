"""``bytepol data`` from the command line."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from openff_bytepol.cli.app import app
from openff_bytepol.training.labels.provenance import read_provenance
from openff_bytepol.training.labels.schema import MOLECULES, read_table, write_table
from openff_bytepol.training.targets.dimers import DIMERS
from tests.training.conftest import WATER, WATER_XYZ, dimer_row, molecule_row
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


def test_merge(tmp_path: Path) -> None:
    rows = [dimer_row(3.0 + 0.1 * i, f"d{i}") for i in range(3)]
    one, two, output = (tmp_path / f"{name}.parquet" for name in ("one", "two", "all"))
    without = rows[1] | {"total": math.nan}
    write_table([rows[0], without], DIMERS, one, {"level": "made up", "date": "2026-01-02"})
    write_table(rows[1:], DIMERS, two, {"level": "another", "date": "2026-01-01"})
    arguments = ["data", "merge", str(one), str(two), "-o", str(output)]
    result = runner.invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["read"], report["duplicates"], report["kept"]) == (4, 1, 3)
    merged = {row["name"]: row for row in read_table(output, DIMERS)}
    for row in rows:
        found = merged[row["name"]]
        np.testing.assert_allclose(found["coordinates"], row["coordinates"], atol=5e-5)
        assert found["total"] == pytest.approx(row["total"], abs=5e-5)
    made = read_provenance(output)
    assert made["input level"] == "made up | another"
    assert made["input date"] == "2026-01-01 – 2026-01-02"
    assert "two.parquet" in made["inputs"]
    assert runner.invoke(app, arguments).exit_code == 1, "nothing is overwritten unasked"
    assert "3 of 4 entries" in runner.invoke(app, [*arguments, "--force"]).output


def test_merge_takes_one_kind(tmp_path: Path) -> None:
    dimers, molecules = tmp_path / "d.parquet", tmp_path / "m.parquet"
    write_table([dimer_row(3.0)], DIMERS, dimers)
    write_table([molecule_row("O", WATER, WATER_XYZ)], MOLECULES, molecules)
    arguments = ["data", "merge", str(dimers), str(molecules), "-o", str(tmp_path / "x.parquet")]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 1
    assert "merge files of one kind" in result.output
