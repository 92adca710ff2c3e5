"""From a configuration to a model, and the assessment of models."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from openff_bytepol.exceptions import OutputExistsError
from openff_bytepol.models import load_model
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import interaction_components
from openff_bytepol.training import train
from openff_bytepol.training.config import load_config
from openff_bytepol.training.evaluate import (
    evaluate_dimers,
    evaluate_response,
    evaluate_torsions,
)
from openff_bytepol.training.labels.pool import PoolEntry
from openff_bytepol.training.moments import MolecularResponse
from openff_bytepol.training.references import TorsionScan
from openff_bytepol.training.report import is_charged, torsion_summary
from openff_bytepol.training.sanity import pair_curves
from tests.training.conftest import METHANE, WATER, WATER_XYZ, dimer_row


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(n_members=2, seed=3)


def test_train_makes_a_model_that_loads(toy_config: Path) -> None:
    folder = train(toy_config)
    model = load_model(folder)
    assert model.n_members == 1
    assert model.predict(["O"])[0].charges.sum().item() == pytest.approx(0.0, abs=1e-9)
    report = json.loads((folder.parent / "run" / "report.json").read_text())
    assert report["sha256"] == model.sha256
    assert report["data"]["dimers"]["train"] == 12
    with pytest.raises(OutputExistsError, match="--force"):
        train(toy_config)
    again = train(toy_config, overwrite=True)
    assert load_model(again).sha256 == report["sha256"], "seeds decide everything"


def test_dimer_errors(model: Model) -> None:
    rows = [dimer_row(3.2), dimer_row(3.5) | {"subset": "other"}]
    rows.append(dimer_row(3.0) | {"smiles_a": "[Si:1]([H:2])([H:3])([H:4])[H:5]"})
    errors = evaluate_dimers(model, rows)
    assert len(errors.rows) == 2
    assert len(errors.refused) == 1
    exact = interaction_components(
        ParameterSet.concatenate(model.predict([WATER, METHANE])),
        torch.tensor(rows[0]["coordinates"]).reshape(-1, 3),
    )
    assert errors.predicted["total"][0] == pytest.approx(exact.total.item())
    means = errors.by(lambda row: row["subset"])
    assert means["toy"]["total"] == pytest.approx(abs(exact.total.item() - rows[0]["total"]))
    assert means["other"]["n"] == 1


def test_torsion_errors_ignore_the_zero(model: Model) -> None:
    xyz = np.stack([WATER_XYZ, 1.02 * WATER_XYZ, 1.05 * WATER_XYZ])
    first = TorsionScan(WATER, 0, np.arange(3.0), xyz, {"reference": np.zeros(3)})
    predicted = evaluate_torsions(model, [first])[0]["bytepol"]
    shifted = first._replace(energies={"reference": np.full(3, 7.0), "other": np.arange(3.0)})
    (row,) = evaluate_torsions(model, [shifted])
    assert row["bytepol"] == pytest.approx(predicted)
    assert row["other"] == pytest.approx(np.std([0.0, 1.0, 2.0]))
    assert torsion_summary([row])["neutral"]["n"] == 1


def test_dipole_and_polarizability_of_a_lone_ion(model: Model) -> None:
    ion = MolecularResponse("Na+", "[Na+:1]", np.zeros((1, 3)), {2: 0.0}, {0: 1.0, 1: 1.0, 2: 1.0})
    (row,) = evaluate_response(model, [ion])
    assert row["dipole"] == pytest.approx(0.0, abs=1e-9)
    alpha = model.predict(["[Na+]"])[0].polarizabilities.item()
    assert row["polarizability"] == pytest.approx(alpha)


def test_pair_curves_cover_every_pair(model: Model) -> None:
    curves = pair_curves(model, ["O", "[Na+]"])
    assert len(curves) == 6
    assert all(np.isfinite(c.minimum_energy) and c.smallest_eigenvalue > 0 for c in curves)
    like = next(c for c in curves if c.elements == "Na([Na+])-Na([Na+])")
    assert like.minimum_distance == pytest.approx(6.0), "like charges repel"
    assert not like.collapses


def test_is_charged() -> None:
    assert not is_charged(dimer_row(3.0))
    assert is_charged(dimer_row(3.0) | {"smiles_a": "[Na+:1]"})


@pytest.mark.slow
@pytest.mark.skipif(find_spec("Auto3D") is None, reason="no AIMNet2 weights")
@pytest.mark.skipif(find_spec("dftd4") is None, reason="no dftd4")
def test_labels_of_one_molecule(toy_config: Path) -> None:
    from openff_bytepol.training.labels.make import label_molecule

    config = load_config(toy_config).labels
    row = label_molecule(PoolEntry("CO", "test"), config)
    n = 6
    shape = (len(row["energies"]), n, 3)
    assert row["coordinates"].reshape(shape).shape == row["forces"].reshape(shape).shape
    assert min(row["energies"]) == 0.0
    assert set(row["kinds"]) == {"conformer", "torsion", "distorted"}
    assert sum(row["charges"]) == pytest.approx(0.0, abs=1e-6)
    dipole = np.linalg.norm(row["dipoles"].reshape(-1, 3)[0]) / 0.2081943
    assert dipole == pytest.approx(1.7, abs=0.2), "methanol has 1.70 D"
    assert sum(row["polarizabilities"]) == pytest.approx(3.2, abs=0.3), "methanol has 3.2 Å³"
    assert len(row["bond_k"]) == 5
    assert len(row["proper_k"]) == 4 * 3
