"""The learning curve of recipe 05 at toy size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

from openff_bytepol.training.labels.schema import write_table
from openff_bytepol.training.targets.dimers import DIMERS
from tests.training.conftest import WATER, WATER_XYZ, dimer_row

SCRIPT = Path(__file__).parents[2] / "recipes" / "05-train-a-model" / "learning_curve.py"


def test_learning_curve(tmp_path: Path) -> None:
    rows = [dimer_row(3.0 + 0.1 * i, f"d{i}") for i in range(6)]
    two = np.concatenate([WATER_XYZ, WATER_XYZ + np.array([0.0, 0.0, 3.0])]).ravel()
    rows += [row | {"smiles_b": WATER, "coordinates": two} for row in rows[2:5]]
    # a seed by which two waters are held out and water over methane is not
    split = {"pair_fraction": 0.5, "scaffold_fraction": 0.0, "seed": 11}
    values = {
        "name": "toy", "reference_data": ".", "output": "output", "split": split, "stages": [],
    }  # fmt: skip
    config = tmp_path / "train.yaml"
    config.write_text(yaml.safe_dump(values))
    write_table(rows, DIMERS, tmp_path / "output" / "contacts" / "all.parquet")
    arguments = ["--share", "1.0", "--width", "16", "--width", "32", "--steps", "2"]
    for _ in range(2):
        finished = subprocess.run(
            [sys.executable, SCRIPT, config, *arguments],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert finished.returncode == 0, finished.stderr
    points = json.loads((tmp_path / "learning-curve" / "learning-curve.json").read_text())
    assert [p["width"] for p in points] == [16, 32]
    assert points[0]["weights"] < points[1]["weights"]
    assert [(p["dimers"], p["tested"]) for p in points] == [(6, 3)] * 2
    assert (tmp_path / "learning-curve" / "learning-curve.png").is_file()
