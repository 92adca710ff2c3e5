"""What the trainer asks of a target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

import numpy as np
import torch
from torch import Tensor

from openff_bytepol.nn.model import Model
from openff_bytepol.training.splits import Split

BLOCK: Final = 4
"""Items of one group that `shuffled_in_blocks` keeps together."""


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


def shuffled_in_blocks(groups: Iterable[Sequence[Sequence[int]]], seed: int) -> list[int]:
    """Items in random order, those of one group in blocks of up to `BLOCK`.

    Where groups have the same molecules, a batch holds fewer distinct ones, so the network has
    less to do.

    Parameters
    ----------
    groups
        Each in lists of items that stay together.
    seed
        Of the order.
    """
    generator = np.random.default_rng(seed)
    blocks: list[list[int]] = []
    for lists in groups:
        mixed = [item for i in generator.permutation(len(lists)) for item in lists[i]]
        blocks += [mixed[i : i + BLOCK] for i in range(0, len(mixed), BLOCK)]
    return [item for i in generator.permutation(len(blocks)) for item in blocks[i]]


def robust(residuals: Tensor) -> Tensor:
    """Pseudo-Huber loss sqrt(1 + x²) - 1: quadratic for small x, linear for large."""
    return torch.sqrt(1.0 + residuals.square()) - 1.0


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean over the last axis; 0 where it is empty."""
    return (values * weights).sum(-1) / weights.sum().clamp(min=1e-12)
