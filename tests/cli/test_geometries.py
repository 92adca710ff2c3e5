"""``bytepol evaluate geometries``."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

needs_aimnet2 = pytest.mark.skipif(
    find_spec("Auto3D") is None, reason="AIMNet2 weights are not installed"
)


@needs_aimnet2
def test_geometries(bytepol, tmp_path):
    pool = tmp_path / "pool.smi"
    pool.write_text("CO methanol\nCC#N\nC[Si](C)(C)C\n")
    document = bytepol("evaluate", "geometries", pool, "--json").document
    assert list(document) == ["reference", "n", "left_out", "bonds", "angles", "rmsd"]
    assert document["n"] == 2
    assert "contains Si" in document["left_out"]["C[Si](C)(C)C"]
    assert (document["bonds"]["unit"], document["angles"]["unit"]) == ("Å", "degrees")
    assert document["bonds"]["groups"]["all"]["n"] == 5 + 5
    assert document["bonds"]["groups"]["C-H"]["n"] == 6
    worst = document["bonds"]["worst"]
    assert len(worst) == 5
    assert worst[0]["error"] == pytest.approx(worst[0]["predicted"] - worst[0]["reference"])
    assert min(worst[0]["atoms"]) >= 1
    assert document["rmsd"]["molecules"].keys() == {"CO", "CC#N"}
    finished = bytepol("evaluate", "geometries", pool)
    assert "2 molecules, median RMSD of heavy atoms" in finished.output
    assert f"{worst[0]['smiles']}, {worst[0]['group']}, atoms" in finished.output
    finished = bytepol("evaluate", "geometries", pool, "--deviation-limit", 0.1)
    assert "0 molecules" in finished.output
    assert "left out: 3 molecules" in finished.output
    assert "networks disagree" in finished.output


def test_missing_file(bytepol, tmp_path):
    finished = bytepol("evaluate", "geometries", tmp_path / "none.smi")
    assert finished.code == 1
    assert finished.messages.startswith("DataError")
