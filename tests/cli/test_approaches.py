"""``bytepol evaluate approaches``."""

from __future__ import annotations

from openff_bytepol.training import sanity


def test_approaches(bytepol, tmp_path, monkeypatch):
    pool = tmp_path / "pool.smi"
    pool.write_text("CO methanol\n[NH4+] ammonium\nC[Si](C)(C)C\n")
    arguments = ("evaluate", "approaches", pool, "--starts", 2)
    document = bytepol(*arguments, "--json").document
    assert list(document) == ["pairs", "collapsed", "left_out"]
    assert document["collapsed"] == 0
    assert [pair["smiles"] for pair in document["pairs"]].count(["CO", "O"]) == 1
    assert {pair["elements"] for pair in document["pairs"]} == {"O-O"}
    assert document["left_out"]["[NH4+]"] == "an ion"
    assert "C[Si](C)(C)C" in document["left_out"]
    assert "2 pairs, 0 collapse" in bytepol(*arguments).output
    monkeypatch.setattr(sanity, "TOUCHING", 0.95)
    finished = bytepol(*arguments)
    assert finished.code == 1
    assert "2 pairs, 2 collapse" in finished.output


def test_missing_file(bytepol, tmp_path):
    finished = bytepol("evaluate", "approaches", tmp_path / "none.smi")
    assert finished.code == 1
    assert finished.messages.startswith("DataError")
