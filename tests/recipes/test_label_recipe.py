"""Recipe 04 at toy size: one molecule, one dimer, small bases."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from openff_bytepol.cli.app import app
from openff_bytepol.training.config import load_config
from openff_bytepol.training.datasets.files import open_table

needs_aimnet2 = pytest.mark.skipif(
    find_spec("Auto3D") is None, reason="AIMNet2 weights are not installed"
)
RECIPE = Path(__file__).parents[2] / "recipes/04-make-labels/label.yaml"
runner = CliRunner()


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recipe's file with less of everything, and no benchmark whose molecules are left out."""
    monkeypatch.delenv("BYTEPOL_REFERENCE_DATA", raising=False)
    values = yaml.safe_load(RECIPE.read_text())
    responses = {"functional": "hf", "basis": "sto-3g", "extra": ["O"], "chunk_size": 1}
    pair = {"molecules": ["O", "[Li+]"], "closeness": [0.6, 0.7], "count": 1}
    values |= {
        "reference_data": "nowhere",
        "output": "output",
        "labels": {
            "responses": responses,
            "decompositions": {"level": "almo-eda hf/def2-svp", "pairs": [pair]},
        },
    }
    path = tmp_path / "label.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def make(path: Path, kind: str) -> None:
    result = runner.invoke(app, ["labels", str(path), "--kind", kind, "--json"])
    assert result.exit_code == 0, result.output


def test_the_recipe_itself_is_valid() -> None:
    labels = load_config(RECIPE).labels
    assert labels.responses is not None
    assert labels.decompositions is not None
    assert len(labels.decompositions.ligands) == 5


@needs_aimnet2
def test_responses(toy: Path) -> None:
    pytest.importorskip("pyscf")
    make(toy, "responses")
    path = toy.parent / "output/labels/responses/chunk-0000.parquet"
    assert open_table(path).rows[0]["name"] == "O"
    written = path.stat().st_mtime_ns
    make(toy, "responses")
    assert path.stat().st_mtime_ns == written, "what is there is kept"
    shown = json.loads(runner.invoke(app, ["data", "show", str(path), "--json"]).stdout)
    assert shown["provenance"]["program"] == "PySCF"


@needs_aimnet2
def test_decompositions_by_almo_eda(toy: Path) -> None:
    pytest.importorskip("pyscf")
    make(toy, "decompositions")
    (row,) = open_table(toy.parent / "output/decompositions/pair-0000.parquet").rows
    assert row["level"] == "almo-eda hf/def2-svp"
    parts = sum(row[name] for name in ("elst", "exch", "ind", "disp"))
    assert parts == pytest.approx(row["total"], abs=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("psi4") is None, reason="psi4 is not installed")
@needs_aimnet2
def test_decompositions_by_sapt0(toy: Path) -> None:
    values = yaml.safe_load(toy.read_text())
    values["labels"]["decompositions"]["level"] = "sapt0/def2-svp"
    toy.write_text(yaml.safe_dump(values))
    make(toy, "decompositions")
    (row,) = open_table(toy.parent / "output/decompositions/pair-0000.parquet").rows
    assert row["exch"] > 0.0 > row["ind"]
