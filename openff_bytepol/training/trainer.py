"""The training loop: stages of weighted targets, averaged weights, exact resume."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from openff_bytepol.exceptions import NonFiniteLossError, PolarizationCatastropheError
from openff_bytepol.nn.model import Model
from openff_bytepol.training.batches import Passes, to_device
from openff_bytepol.training.checkpoint import (
    MovingAverage,
    load_checkpoint,
    load_parameters,
    save_checkpoint,
)
from openff_bytepol.training.checkpoint import Progress as Position
from openff_bytepol.training.config import StageConfig, TrainingConfig
from openff_bytepol.training.metrics import MetricsLog
from openff_bytepol.training.splits import Split
from openff_bytepol.training.targets.base import Target

LinAlgError: type[RuntimeError] = torch.linalg.LinAlgError  # type: ignore[attr-defined]
DEFAULT_BATCH = {
    "priors": 32, "dimers": 64, "contacts": 256, "monomers": 12, "responses": 16, "potentials": 12,
    "anchors": 32, "clusters": 32, "start": 32,
}  # fmt: skip
SEED_ORDER = (
    "dimers", "monomers", "priors", "responses", "potentials", "contacts", "anchors", "clusters",
    "start",
)  # fmt: skip
"""A new target goes to the end: a place decides which batches a seed gives."""
WARM_UP = 100
FINAL_RATE = 0.02
MAX_VALIDATION_BATCHES = 20


class Trainer:
    """Train a model through the stages of a configuration.

    The items of every batch follow from seed, stage and step alone, so a resumed run
    sees the same batches as an uninterrupted one.

    Parameters
    ----------
    config
        Stages, weights and optimiser settings.
    model
        Changed in place.
    targets
        By name; every one that a stage weights.
    folder
        Where ``checkpoint.pt`` and ``metrics.jsonl`` go.
    """

    def __init__(
        self, config: TrainingConfig, model: Model, targets: Mapping[str, Target], folder: Path
    ) -> None:
        self.config = config
        self.model = model.to(config.device)
        self.targets = targets
        self.checkpoint = folder / "checkpoint.pt"
        self._position = Position()
        self._average = MovingAverage(model, config.ema_decay)
        self._optimizer = self._make_optimizer()
        self._saved = time.monotonic()
        self._streams: dict[tuple[str, int], Passes] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._metrics = MetricsLog(folder, tensorboard=config.tensorboard)

    def run(self, *, resume: bool = True, stop_after: int | None = None) -> Model:
        """Train to the end, or for ``stop_after`` further steps.

        Returns
        -------
        Model
            With the averaged weights that the last stage keeps.

        Raises
        ------
        NonFiniteLossError
            If a loss is NaN or infinite; the checkpoint on disk precedes it.
        """
        if resume and self.checkpoint.exists():
            self._restore()
        with _progress_bar() as bar, closing(self._metrics):
            while self._position.stage < len(self.config.stages):
                stop_after = self._run_stage(bar, stop_after)
                if stop_after == 0:
                    self._save()
                    return self.model
                self._finish_stage()
        return self.model

    def _run_stage(self, bar: Progress, stop_after: int | None) -> int | None:
        stage = self.config.stages[self._position.stage]
        per_epoch = self._steps_per_epoch(stage)
        total = stage.epochs * per_epoch
        task = bar.add_task(stage.name, total=total, completed=self._position.step, note="")
        sums = self._position.sums
        while self._position.step < total:
            if stop_after == 0:
                return 0
            for name, value in self._train_step(stage, total).items():
                sums[name] = sums.get(name, 0.0) + value
            self._position.step += 1
            stop_after = stop_after - 1 if stop_after is not None else None
            bar.update(task, advance=1)
            if self._position.step % per_epoch == 0:
                means = {name: value / per_epoch for name, value in sums.items()}
                sums.clear()
                if self._end_epoch(stage, self._position.step // per_epoch, means):
                    break
                bar.update(task, note=f"validation {self._position.best_loss:.4f}")
            if time.monotonic() - self._saved > self.config.checkpoint_seconds:
                self._save()
        bar.remove_task(task)
        return stop_after

    def _train_step(self, stage: StageConfig, total: int) -> dict[str, float]:
        step = self._position.step
        rate = stage.learning_rate * _schedule(step, total)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self.model.train()
        self._optimizer.zero_grad()
        metrics: dict[str, float] = {}
        for name, weight in stage.weights.items():
            every = stage.every.get(name, 1)
            if step % every:
                continue
            target = self.targets[name]
            size = self._batch_size(stage, name)
            seed = self._seed(name)
            items = self._passes(name, seed).items(step // every * size, size)
            batch = to_device(target.collate("train", items, seed + step), self.config.device)
            try:
                losses = target.losses(self.model, batch)
            except (PolarizationCatastropheError, LinAlgError) as error:
                raise self._not_finite(stage, name, target.describe(batch)) from error
            loss = torch.stack(list(losses.values())).sum(0)
            if not torch.isfinite(loss).all():
                raise self._not_finite(stage, name, target.describe(batch))
            (every * weight * loss.sum()).backward()  # type: ignore[no-untyped-call]
            metrics |= {
                f"{name}/{part}": every * float(v.detach().mean()) for part, v in losses.items()
            }
        norm = torch.nn.utils.clip_grad_norm_(
            self.model.parameters(), self.config.gradient_clip * math.sqrt(self.model.n_members)
        )
        if not torch.isfinite(norm):
            raise self._not_finite(stage, "the gradient", "of all targets together")
        self._optimizer.step()
        self._average.update(self.model)
        return metrics

    def _not_finite(self, stage: StageConfig, what: str, batch: str) -> NonFiniteLossError:
        return NonFiniteLossError(
            f"stage {stage.name}, step {self._position.step}: {what} is not finite in the batch "
            f"{batch}; the checkpoint {self.checkpoint} is kept. Lower the learning rate or "
            "remove the offending data"
        )

    def _end_epoch(self, stage: StageConfig, epoch: int, means: dict[str, float]) -> bool:
        """Validate, record; whether to stop the stage early.

        A target without validation data is judged by its training loss.
        """
        with self._average.applied(self.model):
            validation = self.evaluate(stage, "validation")
        judged = {
            name: [v for part, v in source.items() if part.startswith(f"{name}/")]
            for name in stage.weights
            for source in [validation if self.targets[name].size("validation") else means]
        }
        loss = sum(weight * sum(judged[name]) for name, weight in stage.weights.items())
        position = self._position
        if loss < position.best_loss:
            position.best_loss, position.best_epoch = loss, epoch
            position.best = {n: v.clone() for n, v in self._average.values.items()}
        self._metrics.write(
            {"stage": stage.name, "epoch": epoch, "step": position.step, "loss": loss}
            | {f"train/{k}": v for k, v in means.items()}
            | {f"validation/{k}": v for k, v in validation.items()}
        )
        return stage.patience is not None and epoch - position.best_epoch >= stage.patience

    @torch.no_grad()
    def evaluate(self, stage: StageConfig, split: Split) -> dict[str, float]:
        """Mean losses of a stage's targets on at most `MAX_VALIDATION_BATCHES` batches each."""
        self.model.eval()
        result: dict[str, float] = {}
        for name in stage.weights:
            target = self.targets[name]
            if target.size(split) == 0:
                continue
            order = target.order(split, self.config.seed)
            size = self._batch_size(stage, name)
            starts = range(0, min(len(order), MAX_VALIDATION_BATCHES * size), size)
            chunks = [order[start : start + size] for start in starts]
            sums: dict[str, Tensor] = {}
            for chunk in chunks:
                batch = to_device(
                    target.collate(split, chunk, self.config.seed), self.config.device
                )
                for part, value in target.losses(self.model, batch).items():
                    sums[part] = sums.get(part, torch.zeros(())) + value.mean().cpu()
            result |= {f"{name}/{part}": float(v) / len(chunks) for part, v in sums.items()}
        return result

    def _finish_stage(self) -> None:
        keep = self.config.stages[self._position.stage].keep
        best = self._position.best if keep == "best" else {}
        load_parameters(self.model, best or self._average.values)
        self._average = MovingAverage(self.model, self.config.ema_decay)
        self._optimizer = self._make_optimizer()
        self._position = Position(stage=self._position.stage + 1)
        self._save()

    def _make_optimizer(self) -> torch.optim.Optimizer:
        trained = [p for p in self.model.parameters() if p.requires_grad]
        return torch.optim.AdamW(
            trained, fused=True, weight_decay=self.config.weight_decay, betas=(0.9, 0.99)
        )

    def _steps_per_epoch(self, stage: StageConfig) -> int:
        if stage.steps_per_epoch is not None:
            return stage.steps_per_epoch
        first = next(iter(stage.weights))
        return max(1, math.ceil(self.targets[first].size("train") / self._batch_size(stage, first)))

    def _batch_size(self, stage: StageConfig, name: str) -> int:
        return dict(stage.batch_sizes).get(name, DEFAULT_BATCH[name])  # type: ignore[call-overload,no-any-return]

    def _passes(self, name: str, seed: int) -> Passes:
        if (name, seed) not in self._streams:
            self._streams[name, seed] = Passes(self.targets[name], seed)
        return self._streams[name, seed]

    def _seed(self, name: str) -> int:
        order = SEED_ORDER.index(name)
        return (self.config.seed * 100 + self._position.stage) * 10 + order

    def _save(self) -> None:
        save_checkpoint(
            self.checkpoint,
            self.config,
            self._position,
            model=self.model,
            average=self._average,
            optimizer=self._optimizer,
        )
        self._saved = time.monotonic()

    def _restore(self) -> None:
        state = load_checkpoint(self.checkpoint, self.config)
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._average.values = state["average"]["values"]
        self._average.n_updates = state["average"]["n_updates"]
        self._position = Position(**state["progress"])

    def state(self) -> dict[str, Any]:
        """Where the run stands, without weights."""
        return {k: v for k, v in asdict(self._position).items() if k != "best"}


def _progress_bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )


def _schedule(step: int, total: int) -> float:
    """Linear warm-up, then a cosine down to `FINAL_RATE`."""
    warm = min(1.0, (step + 1) / min(WARM_UP, max(1, total // 10)))
    cosine = 0.5 * (1.0 + math.cos(math.pi * step / total))
    return warm * (FINAL_RATE + (1.0 - FINAL_RATE) * cosine)
