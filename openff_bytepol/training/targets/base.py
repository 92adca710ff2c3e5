"""What the trainer asks of a target."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from openff_bytepol.nn.model import Model
from openff_bytepol.training.splits import Split


class Target(Protocol):
    """Data of one kind with their loss.

    A batch is whatever `collate` makes; the trainer only passes it on.
    """

    name: str

    def size(self, split: Split) -> int:
        """Number of items in a split."""

    def order(self, split: Split, seed: int) -> list[int]:
        """All items of a split, shuffled by ``seed`` as batches should take them."""

    def collate(self, split: Split, items: list[int], seed: int) -> Any:
        """Batch of some items; ``seed`` decides what is sampled within an item."""

    def losses(self, model: Model, batch: Any) -> dict[str, Tensor]:
        """Parts of the loss, dimensionless, each (n_members,)."""

    def describe(self, batch: Any) -> str:
        """What a batch holds, for error messages."""


def shuffled(size: int, seed: int) -> list[int]:
    """Numbers below ``size`` in random order."""
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed)).tolist()


def robust(residuals: Tensor) -> Tensor:
    """Pseudo-Huber loss sqrt(1 + x²) - 1: quadratic for small x, linear for large."""
    return torch.sqrt(1.0 + residuals.square()) - 1.0


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean over the last axis; 0 where it is empty."""
    return (values * weights).sum(-1) / weights.sum().clamp(min=1e-12)
