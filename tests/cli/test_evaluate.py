"""``bytepol evaluate`` on the public benchmark files."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path

import pytest


@pytest.fixture
def few_dimers(reference_data: Path, tmp_path: Path) -> Path:
    """The first three dimers of the NCIA file."""
    with gzip.open(reference_data / "data/dimers/ncia.xyz.gz", "rt") as handle:
        text = ""
        for _ in range(3):
            count = handle.readline()
            text += count + "".join(itertools.islice(handle, int(count) + 1))
    path = tmp_path / "few.xyz"
    path.write_text(text)
    return path


def test_dimers(bytepol, few_dimers, tmp_path):
    plot = tmp_path / "parity.png"
    command = ["evaluate", "dimers", few_dimers, "--plot", plot, "--json"]
    finished = bytepol(*command)
    errors = finished.document["mean_absolute_error"]
    dropped = sum(finished.document["left_out"]["unusable"].values())
    assert errors["all"]["n"] + dropped == 3
    assert errors["all"] == errors["NCIA_D1200"]
    assert plot.read_bytes().startswith(b"\x89PNG")
    again = bytepol(*command)
    assert again.code == 1
    assert again.messages.startswith("OutputExistsError")


def test_dimers_in_another_layout(bytepol, few_dimers):
    finished = bytepol("evaluate", "dimers", few_dimers, "--layout", "sapt10k")
    assert finished.code == 1
    assert "lacks file_name, folder_name" in finished.messages.replace("\n", " ")


def test_torsions(bytepol, reference_data, tmp_path):
    scans = json.loads((reference_data / "data/monomers/torsion_scans.json").read_text())
    small = tmp_path / "scans.json"
    small.write_text(json.dumps({key: scans[key] for key in list(scans)[:2]}))
    molecules = bytepol("evaluate", "torsions", small, "--json").document["molecules"]
    assert len(molecules) == 2
    assert all(row["bytepol"] > 0.0 and row["gfn2_xtb"] > 0.0 for row in molecules)


def test_three_body(bytepol, reference_data, tmp_path):
    archive = reference_data / "data/monomers/gscdb138_subset.tar.gz"
    document = bytepol("evaluate", "three-body", archive, "--json").document
    assert document["groups"]["3B-69"] == document["groups"]["all"]
    assert document["groups"]["all"]["n"] == len(document["trimers"]) == 69
    assert document["groups"]["all"]["mean_absolute_error"] < 0.2
    table = tmp_path / "trimers.parquet"
    bytepol("data", "import", archive, "--reader", "gscdb-trimers", "-o", table)
    finished = bytepol("evaluate", "three-body", table)
    assert "slope" in finished.output
    assert "left out: 0 entries" in finished.output
    missing = bytepol("evaluate", "three-body", tmp_path / "none.parquet")
    assert missing.code == 1
    assert missing.messages.startswith("DataError")


def test_eda(bytepol, reference_data):
    folder = reference_data / "reference/byteff_pol_qm/dimers/EMC_LI"
    (comparison,) = bytepol("evaluate", "eda", folder, "--json").document
    assert len(comparison["predicted"]["TOTAL"]) == 10


def test_projection(bytepol, tmp_path):
    plot = tmp_path / "curves.png"
    (report,) = bytepol("evaluate", "projection", "CO", "--plot", plot, "--json").document
    assert report["torsion_rmsd_refit"] >= 0.0
    assert report["dimers"]["probe"]["polarizable_minimum"]["energy"] < -2.0
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "water" in bytepol("evaluate", "projection", "CO").output


def test_missing_file(bytepol, tmp_path):
    finished = bytepol("evaluate", "torsions", tmp_path / "none.json")
    assert finished.code == 1
    assert finished.messages.startswith("DataError")
