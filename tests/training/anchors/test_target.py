"""The target that teaches anchors to a network, and the way there from labels."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
import yaml

from openff_bytepol.exceptions import DataError, ModelNotFoundError
from openff_bytepol.models import load_model
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ATOM_PARAMETERS, ParameterSet
from openff_bytepol.training.batches import to_device
from openff_bytepol.training.config import load_config
from openff_bytepol.training.data import load_anchors, make_targets
from openff_bytepol.training.labels.make import make_labels
from openff_bytepol.training.labels.provenance import read_provenance
from openff_bytepol.training.labels.schema import read_table
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.start import initial_model
from openff_bytepol.training.targets.anchors import ANCHORS, AnchorTarget, anchor_losses
from openff_bytepol.training.trainer import DEFAULT_BATCH, SEED_ORDER, Trainer
from tests.training.anchors.conftest import SCALES
from tests.training.conftest import WATER
from tests.training.test_trainer import trained_weights


@pytest.fixture
def anchors(start: ParameterSet, known: dict[str, torch.Tensor]) -> list[dict]:
    values = {name: value.numpy() for name, value in known.items()}
    return [{"mapped_smiles": WATER, **values, "n_dimers": 1, "loss_before": 1, "loss_after": 0}]


def test_loss_against_hand_values(library: MoleculeLibrary, anchors: list[dict]) -> None:
    target = AnchorTarget([*anchors, anchors[0] | {"mapped_smiles": "[He:1]"}], library, SCALES)
    assert [target.size(split) for split in ("train", "validation", "test")] == [1, 0, 0]
    assert target.order("train", 3) == [0]
    batch = to_device(target.collate("train", [0, 0, 0], 0), "cpu")
    assert target.describe(batch) == WATER
    assert batch.graph.n_atoms == 3
    reference = {name: value.clone().requires_grad_() for name, value in batch.reference.items()}
    parameters = replace(
        Model(seed=1).network.without_terms(batch.graph),
        **{name: value[None] for name, value in reference.items()},
    )
    losses = anchor_losses(parameters, batch.reference, SCALES)
    assert list(losses) == list(ATOM_PARAMETERS)
    assert all(value.shape == (1,) and value.item() == 0.0 for value in losses.values())

    steps = {"charges": 0.006, "c6": 1.1, "lambdas": 1.01}
    moved = {
        name: getattr(parameters, name) + step
        if name == "charges"
        else getattr(parameters, name) * step
        for name, step in steps.items()
    }
    losses = anchor_losses(replace(parameters, **moved), batch.reference, SCALES)
    for name, size in (
        ("charges", 2.0),
        ("c6", math.log(1.1) / 0.1),
        ("lambdas", math.log(1.01) / 0.01),
    ):
        assert losses[name].item() == pytest.approx(math.sqrt(1 + size**2) - 1, rel=1e-3)
    sum(losses.values()).backward()
    for name, value in reference.items():
        assert bool((value.grad > 0.0).all()) == (name in steps), name


def with_anchors(path: Path, epochs: int = 1, **settings: object) -> None:
    """The toy configuration with water as an anchor, taught in one stage to the heads alone."""
    values = yaml.safe_load(path.read_text())
    stage = {
        "name": "anchors", "weights": {"anchors": 1.0}, "epochs": epochs, "steps_per_epoch": 10,
        "learning_rate": 1e-2,
    }  # fmt: skip
    anchors = {"molecules": ["O"], "steps": 3, "c6_weight": 0.0, **settings}
    values |= {"stages": [stage], "labels": {"anchors": anchors}}
    values["freeze"] = ["embedding", "transformer"]
    path.write_text(yaml.safe_dump(values))


def test_heads_learn_an_anchor(toy_config: Path, tmp_path: Path, anchors: list[dict]) -> None:
    with_anchors(toy_config, epochs=30)
    config = load_config(toy_config)
    model = initial_model(config)
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    library.add([WATER])
    target = AnchorTarget(anchors, library, config.targets)
    batch = target.collate("train", [0], 0)

    def loss() -> float:
        return sum(float(value.detach()) for value in target.losses(model, batch).values())

    before = loss()
    Trainer(config, model, {"anchors": target}, tmp_path / "run").run()
    assert loss() < 0.1 * before
    (found,) = model.predict([WATER])
    np.testing.assert_allclose(found.charges, anchors[0]["charges"], atol=0.02)


def test_from_labels_to_training(toy_config: Path, tmp_path: Path) -> None:
    with_anchors(toy_config)
    assert "anchors" in DEFAULT_BATCH
    assert SEED_ORDER.index("anchors") == 6
    with pytest.raises(DataError, match=r"no anchors.*--kind anchors"):
        make_targets(load_config(toy_config), Model(seed=1))
    make_labels(toy_config, kinds=["anchors"])
    (path,) = (tmp_path / "output" / "anchors").glob("*.parquet")
    assert path.name == "XLYOFNOQVPJJNP-UHFFFAOYSA-N.parquet"
    (row,) = read_table(path, ANCHORS)
    assert row["mapped_smiles"] == WATER
    assert row["n_dimers"] == 12
    assert row["loss_after"] <= row["loss_before"]
    made = read_provenance(path)
    assert made["model sha256"] == load_model("bytepol").sha256
    for name, unit in ATOM_PARAMETERS.items():
        field = ANCHORS.field(name)
        assert field.metadata[b"unit"].decode() == unit
        assert field.type == pa.list_(pa.float64())
    written = path.stat().st_mtime_ns
    make_labels(toy_config, kinds=["anchors"])
    assert path.stat().st_mtime_ns == written, "kept"
    make_labels(toy_config, kinds=["anchors"], overwrite=True)
    assert path.stat().st_mtime_ns > written

    moved = path.rename(tmp_path / "before.parquet")
    with_anchors(toy_config, molecules=[], files=[moved.name])
    assert [one["mapped_smiles"] for one in load_anchors(load_config(toy_config))] == [WATER]

    whole = trained_weights(toy_config, tmp_path / "whole", None)
    assert torch.equal(whole, trained_weights(toy_config, tmp_path / "parts", 4, None))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"model": "nowhere"}, ModelNotFoundError, "no model 'nowhere'"),
        ({"molecules": ["CCO"]}, DataError, r"no dimer .* holds CCO; add it to .*contacts"),
        ({"molecules": ["[SiH4]"]}, DataError, "labels.anchors: .*leave it out"),
        ({"molecules": ["nonsense"]}, DataError, "nonsense: not a valid SMILES"),
        ({"held": {"epsilons": {"Hx": 0.1}}}, DataError, "held: Hx: write element symbols"),
        ({"held": {"charges": {"H": 0.1}}}, DataError, "held"),
        ({"c6_weight": -1.0}, DataError, "c6_weight"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    toy_config: Path, settings: dict, error: type[Exception], message: str
) -> None:
    with_anchors(toy_config, **settings)
    with pytest.raises(error, match=message):
        make_labels(toy_config, kinds=["anchors"])
