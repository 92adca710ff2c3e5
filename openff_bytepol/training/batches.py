"""Which items every batch holds, and how a batch gets to its device."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from typing import Any

import torch

from openff_bytepol.training.targets.base import Target

_PASS = 100_003


class Passes:
    """Endless passes over the training items of a target, each in its own order.

    Parameters
    ----------
    target
        What is trained on.
    seed
        Seed of all orders; the same seed gives the same batches in a resumed run.
    """

    def __init__(self, target: Target, seed: int) -> None:
        self._size = target.size("train")
        self._order = lru_cache(maxsize=2)(
            lambda number: target.order("train", seed * _PASS + number)
        )

    def items(self, start: int, count: int) -> list[int]:
        """Items ``start`` … ``start + count`` of the passes laid end to end."""
        items: list[int] = []
        while len(items) < count:
            number, place = divmod(start + len(items), self._size)
            items += self._order(number)[place : place + count - len(items)]
        return items


def to_device(value: Any, device: str | torch.device) -> Any:
    """The same on a device: tensors, what has a ``to``, and dataclasses and dicts of them."""
    if isinstance(value, torch.Tensor) or hasattr(value, "to"):
        return value.to(device)
    if isinstance(value, dict):
        return {key: to_device(item, device) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        moved = {f.name: to_device(getattr(value, f.name), device) for f in fields(value)}
        return replace(value, **moved)
    return value
