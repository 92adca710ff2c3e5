"""The loop: it learns, resumes exactly, and fails safely."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml

from openff_bytepol.exceptions import CorruptedModelError, DataError, NonFiniteLossError
from openff_bytepol.nn.model import Model
from openff_bytepol.training.batches import Passes
from openff_bytepol.training.checkpoint import MovingAverage
from openff_bytepol.training.config import StageConfig, load_config
from openff_bytepol.training.data import make_targets
from openff_bytepol.training.start import initial_model
from openff_bytepol.training.targets.base import shuffled
from openff_bytepol.training.trainer import Trainer


def make_trainer(path: Path, folder: Path) -> Trainer:
    config = load_config(path)
    model = initial_model(config)
    return Trainer(config, model, make_targets(config, model), folder)


def weights(model: Model) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def trained_weights(path: Path, folder: Path, *stops: int | None) -> torch.Tensor:
    """Weights at the end of runs in one folder, each of which stops there (None: at its end)."""
    for steps in stops:
        model = make_trainer(path, folder).run(stop_after=steps)
    return weights(model)


def test_resumed_run_equals_uninterrupted_run(toy_config: Path, tmp_path: Path) -> None:
    whole = trained_weights(toy_config, tmp_path / "whole", None)
    # stops within the first and within the second stage
    parts = trained_weights(toy_config, tmp_path / "parts", 3, 6, None)
    assert torch.equal(whole, parts)


def test_training_reduces_the_loss(toy_config: Path, tmp_path: Path) -> None:
    values = yaml.safe_load(toy_config.read_text())
    values["stages"] = [values["stages"][0] | {"epochs": 10}]
    toy_config.write_text(yaml.safe_dump(values))
    make_trainer(toy_config, tmp_path / "run").run()
    records = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").open()]
    assert len(records) == 10
    first, last = (
        sum(v for k, v in record.items() if k.startswith("train/")) for record in records[::9]
    )
    assert last < 0.6 * first


def test_nan_names_the_batch_and_keeps_the_checkpoint(toy_config: Path, tmp_path: Path) -> None:
    trainer = make_trainer(toy_config, tmp_path / "run")
    trainer.run(stop_after=2)
    before = trainer.checkpoint.read_bytes()
    trainer = make_trainer(toy_config, tmp_path / "run")
    for row in trainer.targets["dimers"].rows("train"):
        row["coordinates"] = row["coordinates"] * float("nan")
    with pytest.raises(NonFiniteLossError, match=r"dimers .* toy d\d+.*checkpoint"):
        trainer.run()
    assert trainer.checkpoint.read_bytes() == before


def test_checkpoint_of_another_configuration_is_refused(toy_config: Path, tmp_path: Path) -> None:
    make_trainer(toy_config, tmp_path / "run").run(stop_after=1)
    values = yaml.safe_load(toy_config.read_text()) | {"seed": 9}
    toy_config.write_text(yaml.safe_dump(values))
    with pytest.raises(DataError, match="another configuration"):
        make_trainer(toy_config, tmp_path / "run").run()


def test_damaged_checkpoint_is_refused(toy_config: Path, tmp_path: Path) -> None:
    trainer = make_trainer(toy_config, tmp_path / "run")
    trainer.checkpoint.write_bytes(b"not a checkpoint")
    with pytest.raises(CorruptedModelError, match="checkpoint"):
        trainer.run()


def test_early_stop(toy_config: Path, tmp_path: Path) -> None:
    values = yaml.safe_load(toy_config.read_text())
    stage = values["stages"][0] | {
        "epochs": 50,
        "patience": 2,
        "batch_sizes": {"priors": 3, "dimers": 4},
        "learning_rate": 1e-12,
    }
    values["stages"] = [stage]
    toy_config.write_text(yaml.safe_dump(values))
    trainer = make_trainer(toy_config, tmp_path / "run")
    for target in trainer.targets.values():
        target.size = lambda split: 3  # type: ignore[method-assign]
    trainer.evaluate = lambda stage, split: {"priors/x": 1.0, "dimers/x": 1.0}  # type: ignore[method-assign]
    trainer.run()
    assert len((tmp_path / "run/metrics.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(("keep", "epoch"), [("best", 1), ("last", 2)])
def test_a_stage_ends_with_the_average_it_keeps(
    toy_config: Path, tmp_path: Path, keep: str, epoch: int
) -> None:
    values = yaml.safe_load(toy_config.read_text())
    values["stages"] = [values["stages"][0] | {"epochs": 3, "keep": keep}]
    toy_config.write_text(yaml.safe_dump(values))
    trainer = make_trainer(toy_config, tmp_path / "run")
    averages: list[torch.Tensor] = []

    def second_is_best(stage: StageConfig, split: str) -> dict[str, float]:
        averages.append(weights(trainer.model))
        return {"priors/x": abs(len(averages) - 2.0), "dimers/x": 1.0}

    for target in trainer.targets.values():
        target.size = lambda split: 3  # type: ignore[method-assign]
    trainer.evaluate = second_is_best  # type: ignore[method-assign]
    kept = weights(trainer.run())
    assert [torch.equal(kept, average) for average in averages] == [i == epoch for i in range(3)]


def test_patience_needs_the_best_epoch(toy_config: Path) -> None:
    values = yaml.safe_load(toy_config.read_text())
    values["stages"][1] |= {"patience": 2, "keep": "last"}
    toy_config.write_text(yaml.safe_dump(values))
    with pytest.raises(DataError, match=r"stage second: patience .* keep: last"):
        load_config(toy_config)


def test_every_pass_holds_every_item_once() -> None:
    class Ten:
        def size(self, split: str) -> int:
            return 10

        def order(self, split: str, seed: int) -> list[int]:
            return shuffled(10, seed)

    items = Passes(Ten(), 4).items(0, 30)
    assert [sorted(items[i : i + 10]) for i in (0, 10, 20)] == [list(range(10))] * 3
    assert items[7:19] == Passes(Ten(), 4).items(7, 12)
    assert items[:10] != items[10:20]


def test_moving_average_follows_and_gives_back() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(layer.weight, 0.0)
    average = MovingAverage(layer, 0.9)
    torch.nn.init.constant_(layer.weight, 1.0)
    average.update(layer)
    assert average.values["weight"].item() == pytest.approx(1.0 - 2.0 / 11.0)
    with average.applied(layer):
        assert layer.weight.item() == pytest.approx(1.0 - 2.0 / 11.0)
    assert layer.weight.item() == 1.0


@pytest.mark.parametrize("change", [{"unknown": 1}, {"gradient_clip": -1.0}, {"stages": "x"}])
def test_wrong_configurations_are_refused(toy_config: Path, change: dict) -> None:
    toy_config.write_text(yaml.safe_dump(yaml.safe_load(toy_config.read_text()) | change))
    with pytest.raises(DataError, match=next(iter(change))):
        load_config(toy_config)
