"""Reference data: readers of published and own files, checks, units, splits."""

from __future__ import annotations

import gzip
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from openff_bytepol.exceptions import DataError, LabelLevelError, OutputExistsError, UnitError
from openff_bytepol.training.config import load_config
from openff_bytepol.training.datasets.files import describe, import_file, open_table, split_file
from openff_bytepol.training.datasets.kinds import KINDS
from openff_bytepol.training.datasets.readers import READERS, read
from openff_bytepol.training.datasets.validation import require_level, validate
from openff_bytepol.training.labels.dimers import import_dimers
from openff_bytepol.training.labels.provenance import read_provenance
from openff_bytepol.training.labels.schema import read_table, write_table
from openff_bytepol.training.targets.dimers import DIMERS
from openff_bytepol.units import BOHR_IN_ANGSTROM, HARTREE_IN_KCAL, KJ_PER_KCAL
from tests.training.conftest import METHANE, METHANE_XYZ, WATER, WATER_XYZ, dimer_row

FIELDS = 'name="d" charge_a=0 charge_b=0 selection_a=1-3 selection_b=4-8 level="SAPT0/x"'


def own_frame(distance: float, fields: str) -> str:
    """Water over methane in extended XYZ."""
    xyz = np.concatenate([WATER_XYZ, METHANE_XYZ + np.array([0.0, 0.0, distance])])
    atoms = "\n".join(
        f"{s} {x:.6f} {y:.6f} {z:.6f}" for s, (x, y, z) in zip("OHHCHHHH", xyz, strict=True)
    )
    return f"8\n{FIELDS} {fields}\n{atoms}\n"


def moved(shift: float) -> np.ndarray:
    """Water moved along z by so many Å, in bohr."""
    return (WATER_XYZ + np.array([0.0, 0.0, shift])) / BOHR_IN_ANGSTROM


def pointer_block(distance: float, exchange: float = 20.0) -> str:
    """Two waters in the layout of POInter: bohr and millihartree."""
    lines = []
    for shift in (0.0, distance):
        lines.append("3")
        for symbol, (x, y, z) in zip("OHH", moved(shift), strict=True):
            lines.append(f"{symbol} {x:.6f} {y:.6f} {z:.6f}")
    values = {"E1pol": -10.0, "E1exch": exchange, "E2ind": -9.0, "E2ind-exch": 7.0, "dhf": -1.0,
              "E2disp": -8.0, "E2disp-exch": 2.0, "E1tot+E2tot": 2.0}  # fmt: skip
    return "\n".join([*lines, *(f"{key} {value}" for key, value in values.items())]) + "\n\n"


# readers


def test_pointer_blocks_are_converted_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "water.sapt"
    path.write_text(pointer_block(3.0) + pointer_block(3.2, exchange=21.0))
    kind, found = read(path, "pointer")
    assert kind == "dimers"
    assert found.dropped == {"components do not add up": 1}
    (row,) = found.rows
    assert row["ind"] == pytest.approx(-3.0 * HARTREE_IN_KCAL / 1000)
    assert row["total"] == pytest.approx(1.0 * HARTREE_IN_KCAL / 1000)
    np.testing.assert_allclose(row["coordinates"].reshape(-1, 3)[3, 2], 3.0, atol=1e-5)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("kcal/mol", 1.0), ("kJ/mol", 1 / KJ_PER_KCAL), ("hartree", HARTREE_IN_KCAL)],
)
def test_own_dimers_state_their_unit(tmp_path: Path, unit: str, factor: float) -> None:
    path = tmp_path / "mine.xyz"
    path.write_text(own_frame(3.5, f"total={-1.0 / factor} energy_unit={unit}"))
    _, found = read(path, "dimers-xyz")
    assert found.rows[0]["total"] == pytest.approx(-1.0)
    assert np.isnan(found.rows[0]["elst"])
    assert found.rows[0]["level"] == "SAPT0/x"


def test_own_dimers_without_unit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.xyz"
    path.write_text(own_frame(3.5, "total=-1.0"))
    with pytest.raises(DataError, match="energy_unit"):
        read(path, "dimers-xyz")


def monomer_frames(path: Path, extra: str) -> None:
    lines = []
    for stretch in (1.0, 1.05):
        lines += [
            "3",
            f'energy={-76.0 + stretch} energy_unit=hartree level="HF/x" charge=0 {extra}',
        ]
        lines += [
            f"{s} {x} {y} {z} 0.01 0.0 0.0"
            for s, (x, y, z) in zip("OHH", WATER_XYZ * stretch, strict=True)
        ]
    path.write_text("\n".join(lines) + "\n")


def test_own_monomers_with_forces(tmp_path: Path) -> None:
    path = tmp_path / "water.xyz"
    monomer_frames(path, "force_unit=hartree/bohr")
    _, found = read(path, "monomers-xyz")
    (row,) = found.rows
    np.testing.assert_allclose(row["energies"], [0.0, 0.05 * HARTREE_IN_KCAL], atol=1e-6)
    assert row["forces"][0] == pytest.approx(0.01 * HARTREE_IN_KCAL / BOHR_IN_ANGSTROM)


def test_forces_without_unit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "water.xyz"
    monomer_frames(path, "")
    with pytest.raises(UnitError, match="force_unit"):
        read(path, "monomers-xyz")


def response_table(unit: str | None) -> pa.Table:
    values = {
        "name": "w", "level": "HF/x", "mapped_smiles": WATER,
        "coordinates": (WATER_XYZ / 10.0).ravel().tolist(),
        "dipole": [0.0, 0.0, 0.4], "polarizability": (10.0 * np.eye(3)).ravel().tolist(),
    }  # fmt: skip
    table = pa.Table.from_pylist([values])
    units = {"coordinates": "nm", "dipole": "e·Å", "polarizability": unit}
    fields = [
        field.with_metadata({"unit": units[field.name]}) if units.get(field.name) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def test_own_parquet_is_converted_by_its_units(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    pq.write_table(response_table("bohr³"), path)
    _, found = read(path, "responses-parquet")
    np.testing.assert_allclose(found.rows[0]["coordinates"], WATER_XYZ.ravel(), atol=1e-12)
    assert found.rows[0]["polarizability"][0] == pytest.approx(10.0 * BOHR_IN_ANGSTROM**3)
    pq.write_table(response_table(None), path)
    with pytest.raises(UnitError, match="polarizability declares no unit"):
        read(path, "responses-parquet")
    pq.write_table(response_table("furlong3"), path)
    with pytest.raises(UnitError, match="furlong"):
        read(path, "responses-parquet")


def water_molecule(shift: float = 0.0) -> dict:
    return {
        "symbols": ["O", "H", "H"],
        "geometry": moved(shift).ravel().tolist(),
        "molecular_charge": 0.0,
        "molecular_multiplicity": 1,
    }


SPECIFICATION = {"program": "psi4", "driver": "gradient", "method": "b3lyp", "basis": "dzvp"}


def test_qcarchive_single_points_and_optimizations() -> None:
    from openff_bytepol.training.datasets.readers.qcarchive import monomer_rows

    point = {
        "record_type": "singlepoint", "id": 1, "specification": SPECIFICATION,
        "molecule": water_molecule(),
        "properties": {"return_energy": -76.0, "return_result": [0.01] * 9},
    }  # fmt: skip
    bare = {"record_type": "singlepoint", "id": 2, "specification": SPECIFICATION, "properties": {}}
    other = point | {"properties": {"return_energy": -75.9, "return_gradient": [0.0] * 9}}
    optimization = {"record_type": "optimization", "id": 3, "trajectory_records": [other]}
    found = monomer_rows([point, optimization, bare])
    assert found.dropped == {"record fetched without its molecule": 1}
    (row,) = found.rows
    assert row["level"] == "b3lyp/dzvp"
    np.testing.assert_allclose(row["energies"], [0.0, 0.1 * HARTREE_IN_KCAL])
    assert row["forces"][0] == pytest.approx(-0.01 * HARTREE_IN_KCAL / BOHR_IN_ANGSTROM)


def test_qcarchive_torsion_drive() -> None:
    from openff_bytepol.training.datasets.readers.qcarchive import torsion_rows

    records = {
        f"[{angle}]": [{"id": angle, "energies": [0.0, energy], "final_molecule": water_molecule()}]
        for angle, energy in ((0, -76.0), (-90, -76.1))
    }
    record = {
        "record_type": "torsiondrive", "id": 7,
        "specification": {
            "keywords": {"dihedrals": [[1, 0, 2, 1]]},
            "optimization_specification": {"qc_specification": SPECIFICATION},
        },
        "optimization_records": records,
        "minimum_optimizations": {key: several[0]["id"] for key, several in records.items()},
    }  # fmt: skip
    found = torsion_rows([record, {"record_type": "singlepoint"}])
    assert found.dropped == {"not a torsion drive": 1}
    assert found.rows[0]["angles"] == [-90.0, 0.0]
    np.testing.assert_allclose(found.rows[0]["energies"], [0.0, 0.1 * HARTREE_IN_KCAL])


def test_qcarchive_sapt_and_manybody_dimers(tmp_path: Path) -> None:
    first, second = water_molecule(), water_molecule(3.0)
    dimer = {
        "symbols": first["symbols"] * 2,
        "geometry": [*first["geometry"], *second["geometry"]],
        "fragments": [[0, 1, 2], [3, 4, 5]],
        "fragment_charges": [0.0, 0.0],
    }
    terms = {"elst": -0.01, "exch": 0.008, "ind": -0.002, "disp": -0.003, "total": -0.007}
    sapt = {
        "record_type": "singlepoint", "id": 1, "molecule": dimer,
        "specification": SPECIFICATION | {"method": "sapt0"},
        "properties": {f"sapt0 {name} energy": value for name, value in terms.items()},
    }  # fmt: skip
    manybody = {
        "record_type": "manybody", "id": 2, "initial_molecule": dimer,
        "specification": {"levels": {"1": SPECIFICATION, "2": SPECIFICATION}},
        "properties": {"cp_corrected_interaction_energy": -0.006},
    }  # fmt: skip
    path = tmp_path / "records.json"
    path.write_text(json.dumps([sapt, manybody]))
    _, found = read(path, "qcarchive-dimers")
    assert found.rows[0]["elst"] == pytest.approx(-0.01 * HARTREE_IN_KCAL)
    assert found.rows[0]["level"] == "sapt0/dzvp"
    assert found.rows[1]["total"] == pytest.approx(-0.006 * HARTREE_IN_KCAL)
    assert np.isnan(found.rows[1]["disp"])
    path.write_text("{}")
    with pytest.raises(DataError, match="a list of records"):
        read(path, "qcarchive-dimers")


def test_every_reader_says_what_is_wrong_with_a_missing_file(tmp_path: Path) -> None:
    for name in READERS:
        with pytest.raises(DataError, match="nowhere"):
            read(tmp_path / "nowhere.h5", name)
    with pytest.raises(DataError, match="no reader 'x'; there are ncia"):
        read(tmp_path / "nowhere", "x")


def test_archive_of_another_layout(tmp_path: Path) -> None:
    path = tmp_path / "other.tar.gz"
    with tarfile.open(path, "w:gz"):
        pass
    for name in ("gscdb-trimers", "gscdb-conformers", "gscdb-moments"):
        with pytest.raises(DataError, match="inside"):
            read(path, name)


PUBLIC = {
    "gscdb-trimers": ("monomers/gscdb138_subset.tar.gz", 69),
    "torsion-scans": ("monomers/torsion_scans.json", 30),
    "byteff": ("monomers/byteff2_monomer_100.h5", 100),
}


@pytest.mark.parametrize("reader", PUBLIC)
def test_public_files(reader: str, reference_data: Path) -> None:
    name, count = PUBLIC[reader]
    if reader == "byteff":
        pytest.importorskip("h5py")
    kind, found = read(reference_data / "data" / name, reader)
    assert len(found.rows) == count
    rows, report = validate(kind, found.rows[:20])
    assert report.units == []
    assert len(rows) >= 0.9 * len(found.rows[:20]), report.dropped


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reader", "name", "kept"),
    [
        ("pointer", "dimers/pointer_h2o_h2o.sapt.gz", 1250),
        ("apnet", "dimers/apnet_nma_validation_sapt0.xyz.gz", 490),
        ("qcmlforge", "dimers/qcmlforge_t_test2k.xyz.gz", 1900),
        ("gscdb-conformers", "monomers/gscdb138_subset.tar.gz", 30),
        ("gscdb-moments", "monomers/gscdb138_subset.tar.gz", 110),
    ],
)
def test_more_public_files(reader: str, name: str, kept: int, reference_data: Path) -> None:
    kind, found = read(reference_data / "data" / name, reader)
    rows, report = validate(kind, found.rows)
    assert len(rows) >= kept, report.dropped
    assert report.units == []


# validation


def test_duplicates_are_found_however_they_are_turned() -> None:
    row = dimer_row(3.0, "first")
    xyz = np.array(row["coordinates"]).reshape(-1, 3)
    turned = row | {"name": "turned", "coordinates": (xyz[:, [1, 2, 0]] + 5.0).ravel()}
    other_level = row | {"name": "other", "level": "another"}
    kept, report = validate("dimers", [row, turned, other_level, dimer_row(3.1, "new")])
    assert [one["name"] for one in kept] == ["first", "other", "new"]
    assert report.dropped == {"duplicate": 1}
    assert report.examples == {"duplicate": ["toy turned"]}


def test_impossible_and_unsupported_entries_are_dropped_with_the_reason() -> None:
    good = dimer_row(3.0)
    stretched = np.array(good["coordinates"]).reshape(-1, 3).copy()
    stretched[1] *= 1.9
    bad = {
        "molecules overlap": dimer_row(0.8),
        "broken connectivity": good | {"coordinates": stretched.ravel()},
        "coordinates look like bohr": good
        | {"coordinates": np.array(good["coordinates"]) / BOHR_IN_ANGSTROM},
        "unsupported chemistry: element": good | {"smiles_a": "[Se:1]([H:2])[H:3]"},
        "unsupported chemistry: radical": good
        | {"smiles_a": "[O:1][H:2]", "coordinates": good["coordinates"][3:]},
        "coordinates and molecules differ in length": good | {"coordinates": [0.0, 1.0, 2.0]},
        "values that are not finite": good | {"coordinates": [np.nan] * 24},
        "components do not add up": dimer_row(3.4) | {"total": 30.0},
        "no energies": good | dict.fromkeys(("elst", "exch", "ind", "disp", "total"), np.nan),
    }
    for reason, row in bad.items():
        kept, report = validate("dimers", [dimer_row(3.2), row])
        assert report.dropped == {reason: 1}, reason
        assert len(kept) == 1


def test_missing_components_are_those_that_the_set_has() -> None:
    rows = [dimer_row(2.9 + 0.1 * i, str(i)) for i in range(5)]
    rows[3]["ind"] = np.nan
    _, report = validate("dimers", rows)
    assert report.dropped == {"missing components": 1}
    totals_only = [row | dict.fromkeys(("elst", "exch", "ind", "disp"), np.nan) for row in rows]
    assert validate("dimers", totals_only)[1].clean


@pytest.fixture(scope="module")
def real_dimers(reference_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """A few water dimers of POInter."""
    with gzip.open(reference_data / "data/dimers/pointer_h2o_h2o.sapt.gz", "rt") as handle:
        blocks = handle.read().split("\n\n")[:30]
    path = tmp_path_factory.mktemp("pointer") / "water.sapt"
    path.write_text("\n\n".join(blocks))
    return [row | {"weight": 1.0} for row in read(path, "pointer")[1].rows]


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("hartree", 1 / HARTREE_IN_KCAL), ("kJ/mol", KJ_PER_KCAL), ("eV", 1 / 23.06)],
)
def test_energies_of_another_unit_are_noticed(
    unit: str, factor: float, real_dimers: list[dict]
) -> None:
    names = ("elst", "exch", "ind", "disp", "total")
    rows = real_dimers
    assert validate("dimers", rows)[1].units == []
    wrong = [row | {name: factor * row[name] for name in names} for row in rows]
    assert validate("dimers", wrong)[1].units == [
        f"water, DFT-SAPT(PBE0): energies look like {unit}"
    ]
    if unit == "hartree":
        mixed = [*rows[:25], *wrong[25:]]
        (found,) = validate("dimers", mixed)[1].units
        assert "look like hartree" in found


def test_level_of_another_kind_is_a_typed_error() -> None:
    with pytest.raises(LabelLevelError, match=r"made up \(1\) where SAPT0 is asked for"):
        require_level([dimer_row(3.0)], ["SAPT0"], "file")
    require_level([dimer_row(3.0)], ["SAPT0", "made up"], "file")


# files


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


def training_config(tmp_path: Path, dimers: list[dict]) -> Path:
    path = tmp_path / "train.yaml"
    values = {"name": "x", "reference_data": ".", "output": "out", "stages": [], "dimers": dimers}
    path.write_text(yaml.safe_dump(values))
    return path


def test_sources_of_a_training_run_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BYTEPOL_REFERENCE_DATA", raising=False)
    for name, start in (("one", 3.0), ("two", 4.0)):
        blocks = [pointer_block(start + 0.1 * i) for i in (0, 0, 1)]
        (tmp_path / f"{name}.sapt").write_text("".join(blocks))
    sources = [{"path": f"{name}.sapt", "reader": "pointer"} for name in ("one", "two")]
    paths = import_dimers(load_config(training_config(tmp_path, sources)))
    assert [path.name for path in paths] == ["pointer-one.parquet", "pointer-two.parquet"]
    assert [len(open_table(path).rows) for path in paths] == [2, 2], "duplicates are left out"
    other = training_config(tmp_path, [sources[0] | {"levels": ["SAPT0"]}])
    with pytest.raises(LabelLevelError, match=r"one\.sapt: DFT-SAPT\(PBE0\) \(3\)"):
        import_dimers(load_config(other))
    wrong = training_config(tmp_path, [sources[0] | {"reader": "byteff"}])
    with pytest.raises(DataError, match="not a reader of dimers"):
        import_dimers(load_config(wrong))
    excluded = training_config(tmp_path, [sources[0] | {"exclude_subsets": ["one"]}])
    with pytest.raises(DataError, match="excluded subset"):
        import_dimers(load_config(excluded))


def test_dimers_are_imported_again_where_their_source_is_asked_for_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BYTEPOL_REFERENCE_DATA", raising=False)
    (tmp_path / "one.sapt").write_text(pointer_block(3.0) + pointer_block(3.1))
    source = {"path": "one.sapt", "reader": "pointer"}

    def weights(*sources: dict) -> list[set[float]]:
        paths = import_dimers(load_config(training_config(tmp_path, list(sources))))
        assert len({*paths}) == len(sources)
        return [{row["weight"] for row in open_table(path).rows} for path in paths]

    assert weights(source) == [{1.0}]
    (path,) = (tmp_path / "out" / "dimers").glob("*.parquet")
    before = path.stat().st_mtime_ns
    assert weights(source) == [{1.0}]
    assert path.stat().st_mtime_ns == before
    assert weights(source | {"weight": 2.0}) == [{2.0}]
    assert weights(source, source | {"weight": 3.0}) == [{1.0}, {3.0}], "one file, taken twice"


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
