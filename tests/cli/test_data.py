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
from openff_bytepol.training.targets.anchors import ANCHORS
from openff_bytepol.training.targets.dimers import DIMERS
from tests.training.conftest import WATER, WATER_XYZ, anchor_row, dimer_row, molecule_row
from tests.training.datasets.conftest import own_frame

runner = CliRunner()

RECIPE = Path(__file__).parents[2] / "recipes" / "05-train-a-model"


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


def test_show_and_check_anchors(tmp_path: Path) -> None:
    path = tmp_path / "anchors.parquet"
    rows = [
        anchor_row(WATER, [-0.8, 0.4, 0.4]),
        anchor_row("[Cl-:1]", [-1.0], n_dimers=0, loss_before=math.nan, loss_after=math.nan),
        anchor_row("[Na+:1]", [1.0], epsilons=[0.0]),
    ]
    write_table(rows, ANCHORS, path, {"level": "fitted, from x"})
    shown = json.loads(runner.invoke(app, ["data", "show", str(path), "--json"]).stdout)
    assert (shown["kind"], shown["entries"], shown["molecules"]) == ("anchors", 3, 3)
    assert shown["levels"] == {"fitted": 2, "not fitted": 1}
    assert shown["subsets"] == {}
    assert shown["fields"]["ct_epsilons"]["unit"] == "kcal/mol·Å⁴"
    text = runner.invoke(app, ["data", "show", str(path)]).output
    assert "anchors (version 1): 3 entries, 3 molecules" in text
    assert "fitted, from x" in text
    assert "None" not in text

    checked = runner.invoke(app, ["data", "check", str(path)])
    assert checked.exit_code == 1
    assert "2 of 3 entries pass" in checked.output
    assert "dropped 1: epsilons that are not positive ([Na+:1])" in checked.output
    fitted = runner.invoke(app, ["data", "check", str(path), "--level", "fitted"])
    assert "not fitted (1) where fitted is asked for" in fitted.output


def test_anchors_of_the_recipe_are_right_and_can_be_merged(tmp_path: Path) -> None:
    recipe, other = RECIPE / "anchors.parquet", tmp_path / "other.parquet"
    values = {"n_dimers": 0, "loss_before": math.nan, "loss_after": math.nan}
    write_table([anchor_row("[Cl-:1]", [-1.0], **values)], ANCHORS, other, {"level": "predicted"})
    for path in (recipe, other):
        checked = runner.invoke(app, ["data", "check", str(path)])
        assert checked.exit_code == 0, checked.output
    output = tmp_path / "all.parquet"
    arguments = ["data", "merge", str(recipe), str(other), "-o", str(output), "--json"]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["read"], report["duplicates"], report["kept"]) == (2, 0, 2)
    assert report["levels"] == {"fitted": 1, "not fitted": 1}
    before = [*read_table(recipe, ANCHORS), *read_table(other, ANCHORS)]
    for row, old in zip(read_table(output, ANCHORS), before, strict=True):
        assert row["mapped_smiles"] == old["mapped_smiles"]
        for name, value in old.items():
            np.testing.assert_array_equal(row[name], value)
    made = read_provenance(output)
    for key, value in read_provenance(recipe).items():
        if key != "date":
            assert value in made[f"input {key}"].split(" | ")
    assert "predicted" in made["input level"]


def test_merge_drops_anchors_made_twice_and_refuses_other_ones(tmp_path: Path) -> None:
    one, two, other = (tmp_path / f"{name}.parquet" for name in ("one", "two", "other"))
    water = anchor_row(WATER, [-0.8, 0.4, 0.4], epsilons=[30.0, 1e-6, 1e-6])
    turned = anchor_row("[H:1][O:2][H:3]", [0.4, -0.8, 0.4], epsilons=[1e-6, 30.0, 1e-6])
    write_table([water], ANCHORS, one)
    write_table([turned, anchor_row("[Cl-:1]", [-1.0])], ANCHORS, two)
    write_table([anchor_row(WATER, [-0.7, 0.35, 0.35])], ANCHORS, other)
    output = tmp_path / "all.parquet"
    result = runner.invoke(app, ["data", "merge", str(one), str(two), "-o", str(output), "--json"])
    assert json.loads(result.stdout)["duplicates"] == 1
    rows = read_table(output, ANCHORS)
    assert [row["mapped_smiles"] for row in rows] == [WATER, "[Cl-:1]"]
    assert rows[0]["epsilons"].tolist() == [30.0, 1e-6, 1e-6], "not rounded"
    arguments = ["data", "merge", str(one), str(other), "-o", str(tmp_path / "x.parquet")]
    refused = runner.invoke(app, arguments)
    assert refused.exit_code == 1
    assert "anchors of O with different parameters; merge only one" in " ".join(
        refused.output.split()
    )
    assert not (tmp_path / "x.parquet").exists()
