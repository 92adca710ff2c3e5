"""Recipe 06 at toy size: the shipped model goes on from its weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from openff_bytepol.models import load_model
from openff_bytepol.training import train
from openff_bytepol.training.labels.schema import MOLECULES, write_table
from openff_bytepol.training.targets.dimers import DIMERS
from tests.training.conftest import METHANE, METHANE_XYZ, WATER, WATER_XYZ, dimer_row, molecule_row

RECIPE = Path(__file__).parents[2] / "recipes" / "06-fine-tune"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The recipe's own configuration, shortened, with labels in place."""
    folder = Path(shutil.copytree(RECIPE, tmp_path / "recipe"))
    path = folder / "fine-tune.yaml"
    values = yaml.safe_load(path.read_text())
    values["stages"][0] |= {"epochs": 1, "steps_per_epoch": 2}
    values["start_pools"]["others"]["path"] = "molecules.csv"
    values["split"] |= {"pair_fraction": 0.0, "scaffold_fraction": 0.0}
    path.write_text(yaml.safe_dump(values))
    rows = [molecule_row("O", WATER, WATER_XYZ), molecule_row("C", METHANE, METHANE_XYZ, 1)]
    write_table(rows, MOLECULES, folder / "output" / "labels" / "pool-0000.parquet")
    dimers = [dimer_row(3.0 + 0.1 * i, f"d{i}") for i in range(6)]
    write_table(dimers, DIMERS, folder / "output" / "dimers" / "ncia.parquet")
    return path


def test_fine_tune(config: Path) -> None:
    folder = train(config)
    before, after = load_model("bytepol"), load_model(folder)
    assert after.n_members == before.n_members
    assert after.sha256 != before.sha256
    old = dict(before.network.named_parameters())
    moved = {
        name.split(".")[0]
        for name, value in after.network.named_parameters()
        if not np.array_equal(value.detach().numpy(), old[name].detach().numpy())
    }
    assert "embedding" not in moved
    assert {"transformer", "charge_volume", "bonded"} <= moved
    assert (folder.parent / "run" / "report.html").is_file()


def test_molecules_of_the_recipe_are_read(config: Path) -> None:
    from openff_bytepol.training.config import load_config
    from openff_bytepol.training.labels.pool import read_smiles, supported

    found = load_config(config)
    smiles = read_smiles(found.data_path(found.labels.pools["mine"].path))
    assert len(smiles) == 8
    assert all(supported(one, 14) for one in smiles)
