"""Everything needed to go on with a run exactly where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from openff_bytepol.exceptions import CorruptedModelError, DataError
from openff_bytepol.training.config import TrainingConfig


@dataclass
class Progress:
    """Where a run stands."""

    stage: int = 0
    step: int = 0
    """Steps done in the stage."""
    best_loss: float = float("inf")
    best_epoch: int = -1
    sums: dict[str, float] = field(default_factory=dict)
    """Training losses summed since the last epoch ended."""
    best: dict[str, Tensor] = field(default_factory=dict)
    """Averaged weights with the lowest validation loss of the stage."""


class MovingAverage:
    """Exponential moving average of a module's parameters.

    Parameters
    ----------
    module
        What is averaged.
    decay
        Largest decay; lower in the first steps, (1 + n)/(10 + n).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._decay = decay
        self.n_updates = 0
        self.values = {n: p.detach().clone() for n, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take in the present parameters."""
        self.n_updates += 1
        decay = min(self._decay, (1 + self.n_updates) / (10 + self.n_updates))
        for name, parameter in module.named_parameters():
            self.values[name].lerp_(parameter.detach(), 1.0 - decay)

    @contextmanager
    def applied(self, module: nn.Module) -> Iterator[None]:
        """The module with averaged parameters, within a ``with`` block."""
        present = {n: p.detach().clone() for n, p in module.named_parameters()}
        load_parameters(module, self.values)
        try:
            yield
        finally:
            load_parameters(module, present)


@torch.no_grad()
def load_parameters(module: nn.Module, values: dict[str, Tensor]) -> None:
    """Copy values into the parameters of a module."""
    for name, parameter in module.named_parameters():
        parameter.copy_(values[name])


def fingerprint(config: TrainingConfig) -> str:
    """SHA-256 of everything in a configuration that a checkpoint depends on."""
    neutral = {
        "checkpoint_seconds",
        "device",
        "tensorboard",
        "card",
        "evaluation",
        "reference_data",
        "start_share",
        "output",
    }
    text = json.dumps(config.model_dump(mode="json", exclude=neutral), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def save_checkpoint(
    path: Path,
    config: TrainingConfig,
    progress: Progress,
    *,
    model: nn.Module,
    average: MovingAverage,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write a checkpoint whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(
        {
            "fingerprint": fingerprint(config),
            "progress": asdict(progress),
            "model": model.state_dict(),
            "average": {"n_updates": average.n_updates, "values": average.values},
            "optimizer": optimizer.state_dict(),
        },
        partial,
    )
    os.replace(partial, path)


def load_checkpoint(path: Path, config: TrainingConfig) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote.

    Raises
    ------
    CorruptedModelError
        If the file cannot be read.
    DataError
        If it belongs to another configuration.
    """
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        found = state["fingerprint"]
    except Exception as error:
        raise CorruptedModelError(
            f"{path}: not a readable checkpoint ({error}); start again with --force"
        ) from error
    if found != fingerprint(config):
        raise DataError(
            f"{path}: belongs to another configuration; restore it or start again with --force"
        )
    return state
