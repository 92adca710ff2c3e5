"""Data sets: reading, comparing with experiment, going on, and reports."""

from __future__ import annotations

import csv
import json
import math

import pytest

from openff_bytepol.exceptions import DataError
from openff_bytepol.properties.comparison import DONE, FAILED, accuracies, compare
from openff_bytepol.properties.comparison_report import write_comparison
from openff_bytepol.properties.dataset import (
    by_liquid,
    common_liquids,
    liquid_range_warning,
    read_measurements,
)
from openff_bytepol.properties.functional_groups import functional_groups
from openff_bytepol.properties.state import State
from openff_bytepol.properties.substance import Substance
from tests.properties.liquids import ARGON, SMALL

OPTIONS = {name: value for name, value in SMALL.items() if name != "report"}


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_common_liquids():
    found = common_liquids()
    liquids = by_liquid(found)
    assert len(liquids) == 25
    assert all(m.source and m.range_warning() is None for m in found)
    assert all(any(m.property == "density" for m in rows) for rows in liquids.values())
    kinds = {group for m in found for group in functional_groups(str(m.substance))}
    assert {"alcohol", "amide", "ester", "alkane", "nitrile", "water"} <= kinds
    water = next(m for m in found if m.name == "water" and m.property == "density")
    assert water.in_unit("kg/m**3")[0] == pytest.approx(997.05)


def test_common_liquids_agree_with_another_compilation(reference_data):
    with (reference_data / "data" / "liquids" / "pure_liquids.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    table = {row["smiles"]: row for row in rows} | {row["name"].lower(): row for row in rows}
    checked = 0
    for measurement in common_liquids():
        smiles = measurement.substance.components[0].smiles
        row = table.get(smiles, table.get(measurement.name.lower()))
        if row is None:
            continue
        column, scale, tolerance = {
            "density": ("rho298_corr_g_cc", 1.0, 3e-3),
            "enthalpy_of_vaporization": ("Hvap298_CRC_J_mol", 1e-3, 1e-3),
            "dielectric_constant": ("eps", 1.0, 0.1),  # most of them at 293 K
        }[measurement.property]
        if row[column]:
            checked += 1
            expected = float(row[column]) * scale
            assert measurement.value == pytest.approx(expected, rel=tolerance), measurement
    assert checked > 40


def test_columns_and_units(tmp_path):
    path = write(
        tmp_path / "data.csv",
        "smiles,temperature_K,property,value,unit,melting_K,boiling_K",
        "O:0.5 CCO:0.5,310,rho,900,kg/m**3,,",
        "CCO,400,hvap,,,159,351",
    )
    mixture, hot = read_measurements(path)
    assert mixture.property == "density"
    assert mixture.state.temperature == 310.0
    assert mixture.in_unit("g/cm**3")[0] == pytest.approx(0.9)
    assert len(mixture.substance.components) == 2
    assert math.isnan(hot.value)
    assert hot.unit == "kJ/mol"
    assert "outside the liquid range" in hot.range_warning()
    with pytest.raises(DataError, match="no unit like"):
        mixture.in_unit("kelvin")


def test_liquid_ranges_of_common_liquids():
    hot = liquid_range_warning(Substance.parse("OCC"), State(400.0))
    assert "outside the liquid range of ethanol" in hot
    assert liquid_range_warning(Substance.parse("OCC"), State(400.0, 50.0)) is None
    assert liquid_range_warning(Substance.parse("OCC"), State(300.0)) is None
    assert liquid_range_warning(Substance.parse("CCCCO"), State(600.0)) is None


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        (["smiles,value", "O,1"], "no column property"),
        (["smiles,property,value", "O,colour,1"], "line 2.*colour"),
        (["smiles,property,value", "O,density,one"], "line 2"),
        (["smiles,property,value", "O:0.5,density,1"], "line 2.*add up"),
        (["smiles,property,value"], "no lines"),
    ],
)
def test_unusable_files(tmp_path, lines, word):
    with pytest.raises(DataError, match=word):
        read_measurements(write(tmp_path / "data.csv", *lines))


def test_comparison_with_experiment(tmp_path):
    path = write(
        tmp_path / "data.csv",
        "name,smiles,temperature_K,property,value",
        "argon,[Ar],87.3,density,1.396",
        "argon,[Ar],87.3,hvap,6.43",
        "krypton,[Kr],120,density,2.4",
    )
    output = tmp_path / "out"
    said = []
    measurements = read_measurements(path)
    found = compare(measurements, [ARGON], output, on_liquid=lambda *a: said.append(a), **OPTIONS)
    assert [(c.measurement.name, c.status) for c in found] == [
        ("argon", DONE),
        ("argon", DONE),
        ("krypton", FAILED),
    ]
    assert "does not describe this liquid" in found[2].reason
    assert len(said) == 2
    (_, accuracy), *_ = accuracies(found)
    assert accuracy.n == 1
    assert accuracy.mean_absolute == pytest.approx(abs(found[0].estimate.value - 1.396))
    files = write_comparison(output, found, "noble gases")
    with (output / "results.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["status"] for row in rows] == ["done", "done", "failed"]
    assert float(rows[0]["estimate"]) == pytest.approx(found[0].estimate.value)
    assert json.loads((output / "summary.json").read_text())["without_a_number"] == 1
    assert "krypton" in (output / "report.html").read_text()
    parquet = pytest.importorskip("pyarrow.parquet")
    assert parquet.read_table(files[1]).num_rows == 3
    again = compare(measurements, [ARGON], output, **OPTIONS)
    assert [c.estimate for c in again[:2]] == [c.estimate for c in found[:2]]
