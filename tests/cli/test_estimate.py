"""``bytepol estimate`` and ``bytepol benchmark liquids``."""

from __future__ import annotations

import pytest

from tests.properties.liquids import ARGON

QUICK = ["--n-molecules", 40, "--time", "1.2ps", "--equilibration", "0.5ps", "--platform", "CPU"]


def test_estimate_and_go_on(bytepol, tmp_path):
    command = ["estimate", "[Ar]", "-T", 87.3, "-f", ARGON, "-o", tmp_path / "run", *QUICK]
    finished = bytepol(*command, "--property", "density", "--timestep", 5, "--json")
    assert finished.code == 0, finished.messages
    document = finished.document
    assert 1.0 < document["estimates"]["density"]["value"] < 1.7
    assert document["state"]["temperature_K"] == 87.3
    again = bytepol(*command, "--property", "density", "--timestep", 5)
    assert again.code == 0, again.messages
    assert "density" in again.output
    assert (tmp_path / "run" / "report.html").is_file()
    other = bytepol(*command[:3], 90, *command[4:], "--timestep", 5)
    assert other.code == 1
    assert "OutputExistsError:" in other.messages


def test_benchmark_of_liquids(bytepol, tmp_path):
    data = tmp_path / "argon.csv"
    data.write_text("smiles,temperature_K,property,value\n[Ar],87.3,density,1.396\n")
    folder = tmp_path / "out"
    command = ["benchmark", "liquids", data, "-f", ARGON, "-o", folder, *QUICK, "--json"]
    finished = bytepol(*command)
    assert finished.code == 0, finished.messages
    (row,) = finished.document["results"]
    assert row["status"] == "done", row["reason"]
    assert row["experiment"] == 1.396
    assert finished.document["summary"]["accuracy"][0]["n"] == 1
    assert (folder / "results.parquet").is_file()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["CCO", "--property", "colour"], "PropertyError"),
        (["CCO", "--target", "density"], "PropertyError"),
        (["CCO", "--force-field", "nothing.offxml"], "ForceFieldError"),
        (["O:0.5", "--time", "1ps"], "CompositionError"),
        (["missing.csv"], "DataError"),
    ],
)
def test_errors(bytepol, tmp_path, arguments, name):
    finished = bytepol("estimate", *arguments, "-o", tmp_path / "run")
    assert finished.code == 1
    assert f"{name}:" in finished.messages
    assert not list(tmp_path.glob("run/*"))
