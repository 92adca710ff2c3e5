"""Readers of published and own files."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from openff_bytepol.exceptions import DataError, UnitError
from openff_bytepol.training.datasets.readers import READERS, read
from openff_bytepol.training.datasets.validation import validate
from openff_bytepol.units import BOHR_IN_ANGSTROM, HARTREE_IN_KCAL, KJ_PER_KCAL
from tests.training.conftest import WATER, WATER_XYZ
from tests.training.datasets.conftest import moved, own_frame, pointer_block


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
