"""Which items every batch holds: endless shuffled passes that follow from a seed."""

from __future__ import annotations

from functools import lru_cache

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
