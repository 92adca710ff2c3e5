"""Parquet files of reference data: made, described, split."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from openff_bytepol.exceptions import DataError, LabelLevelError, OutputExistsError, UnitError
from openff_bytepol.training.datasets.files import describe, import_file, open_table, split_file
from openff_bytepol.training.datasets.kinds import KINDS
from openff_bytepol.training.labels.provenance import read_provenance
from openff_bytepol.training.labels.schema import read_table, write_table
from openff_bytepol.training.targets.dimers import DIMERS
from openff_bytepol.units import HARTREE_IN_KCAL
from tests.training.conftest import METHANE, METHANE_XYZ, WATER, WATER_XYZ, dimer_row
from tests.training.datasets.conftest import pointer_block


def test_import_writes_rows_report_and_provenance(tmp_path: Path) -> None:
    source, output = tmp_path / "water.sapt", tmp_path / "out" / "water.parquet"
    source.write_text("".join(pointer_block(3.0 + 0.1 * i) for i in range(4)))
    report = import_file(source, "pointer", output, weight=2.0)
    assert (report.read, report.kept) == (4, 4)
    kind, rows = open_table(output)
    assert kind == "dimers"
    assert rows[0]["weight"] == 2.0
    assert read_provenance(output)["input"] == "water.sapt"
    assert json.loads(output.with_suffix(".json").read_text())["kept"] == 4
    with pytest.raises(OutputExistsError):
        import_file(source, "pointer", output)
    with pytest.raises(LabelLevelError):
        import_file(source, "pointer", output, levels=["SAPT0"], overwrite=True)
    assert len(open_table(output).rows) == 4, "an error leaves the file as it was"


def test_wrong_units_are_not_imported_unasked(tmp_path: Path, real_dimers: list[dict]) -> None:
    names = ("elst", "exch", "ind", "disp", "total")
    rows = [row | {name: row[name] / HARTREE_IN_KCAL for name in names} for row in real_dimers]
    source = tmp_path / "hartree.parquet"
    write_table(rows, DIMERS, source)
    with pytest.raises(UnitError, match="look like hartree"):
        import_file(source, "dimers-parquet", tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()
    import_file(source, "dimers-parquet", tmp_path / "out.parquet", trust_units=True)


def test_split_never_parts_a_pair(tmp_path: Path) -> None:
    pairs = [(WATER, METHANE, 1.0), (METHANE, METHANE, 0.0), (WATER, WATER, 0.0)]
    xyz = {WATER: WATER_XYZ, METHANE: METHANE_XYZ}
    rows = [
        dimer_row(3.0)
        | {"smiles_a": a, "smiles_b": b, "name": f"{i} {d}"}
        | {"coordinates": np.concatenate([xyz[a], xyz[b] + [0, 0, 4.0 + 0.1 * d]]).ravel()}
        for i, (a, b, _) in enumerate(pairs)
        for d in range(5)
    ]
    source = tmp_path / "dimers.parquet"
    write_table(rows, DIMERS, source)
    result = split_file(source, tmp_path / "split", fraction=0.4, seed=3)
    groups = []
    for name, part in result["files"].items():
        found = read_table(tmp_path / "split" / part["file"], DIMERS)
        assert len(found) == part["entries"] == 5 * part["groups"], name
        groups += [{row["name"].split()[0] for row in found}]
    assert sum(len(one) for one in groups) == 3, "each pair is in one file"
    again = split_file(source, tmp_path / "again", fraction=0.4, seed=3)
    assert [p["sha256"] for p in again["files"].values()] == [
        p["sha256"] for p in result["files"].values()
    ]
    with pytest.raises(OutputExistsError):
        split_file(source, tmp_path / "split", fraction=0.4, seed=3)


def test_description_and_foreign_files(tmp_path: Path) -> None:
    source = tmp_path / "dimers.parquet"
    write_table([dimer_row(3.0), dimer_row(3.1)], DIMERS, source)
    found = describe(source)
    assert found["entries"] == 2
    assert found["groups"] == 1
    assert found["fields"]["coordinates"]["unit"] == "Å"
    pq.write_table(pa.table({"x": [1]}), tmp_path / "foreign.parquet")
    with pytest.raises(DataError, match="bytepol data import"):
        open_table(tmp_path / "foreign.parquet")
    (tmp_path / "text.parquet").write_text("no")
    with pytest.raises(DataError, match="not a Parquet file"):
        open_table(tmp_path / "text.parquet")


def test_every_field_with_numbers_has_a_unit() -> None:
    indices = {"bonds", "angles", "propers", "dihedral"}
    without = indices | {"weight", "lambdas", "ct_lambdas", "loss_before", "loss_after"}
    for schema in KINDS.values():
        assert schema.metadata[b"version"] == b"1"
        for field in schema:
            numeric = pa.types.is_floating(getattr(field.type, "value_type", field.type))
            assert not numeric or field.metadata[b"unit"] or field.name in without, field.name
