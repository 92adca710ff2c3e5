"""What a run starts from, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from openff_bytepol.exceptions import DataError, ModelNotFoundError
from openff_bytepol.models import load_model, save_model
from openff_bytepol.nn.model import Model
from openff_bytepol.training import train
from openff_bytepol.training.config import TrainingConfig, load_config
from openff_bytepol.training.start import freeze, initial_model


def started(path: Path, **fields: object) -> TrainingConfig:
    values = yaml.safe_load(path.read_text())
    model = values.pop("model")
    path.write_text(yaml.safe_dump({**values, "model": fields.pop("model", model), **fields}))
    return load_config(path)


@pytest.fixture
def base(toy_config: Path) -> Path:
    """A small model of two members beside the configuration."""
    small = initial_model(started(toy_config, n_members=2))
    return save_model(small, toy_config.parent / "base", name="base")


def test_members_are_taken_over_and_repeated_with_noise(toy_config: Path, base: Path) -> None:
    model = initial_model(started(toy_config, start="base", n_members=3, model={}))
    old = load_model(base)
    for name, value in model.named_parameters():
        before = dict(old.named_parameters())[name]
        assert torch.equal(value[:2], before)
        if before[0].abs().max() > 0.0:
            assert not torch.equal(value[2], before[0]), name
            assert torch.allclose(value[2], before[0], rtol=0.2), name
    assert model.config == old.config


def test_frozen_parts_stay_and_the_others_move(toy_config: Path, base: Path) -> None:
    fields = {"start": "base", "freeze": ["transformer", "bonded"], "n_members": 2, "model": {}}
    started(toy_config, **fields)
    trained = dict(load_model(train(toy_config)).network.named_parameters())
    for name, before in load_model(base).network.named_parameters():
        frozen = name.startswith(("transformer.", "bonded."))
        if frozen:
            assert torch.equal(trained[name], before), name
    moved = "charge_volume.volume.layers.0.weight"
    assert not torch.equal(trained[moved], dict(load_model(base).network.named_parameters())[moved])


def test_a_share_of_the_start_stays(toy_config: Path, base: Path) -> None:
    started(toy_config, start="base", n_members=3, model={})
    start = initial_model(load_config(toy_config)).network.state_dict()
    alone = load_model(train(toy_config)).network.state_dict()
    started(toy_config, start_share=0.25, model={})
    averaged = dict(load_model(train(toy_config, overwrite=True)).network.named_parameters())
    moved = 0
    for name, value in averaged.items():
        torch.testing.assert_close(value, 0.25 * start[name] + 0.75 * alone[name])
        moved += not torch.equal(start[name], alone[name])
    assert moved > 0
    with pytest.raises(DataError, match="name it in `start`"):
        load_config(toy_config, {"start": None})


def test_wrong_starts_are_refused(toy_config: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        initial_model(started(toy_config, start="nowhere", model={}))
    with pytest.raises(DataError, match="cannot be changed"):
        initial_model(started(toy_config, start="nowhere", model={"priors": "constant"}))
    with pytest.raises(DataError, match="no part 'tail'; it has embedding"):
        freeze(Model(), ("tail",))
    with pytest.raises(DataError, match="nothing is left"):
        freeze(Model(), tuple(dict(Model().network.named_children())))
