"""Where the time of a kernel goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

Part: TypeAlias = Literal[
    "neighbour list",
    "radial functions",
    "real-space fields",
    "spreading",
    "transforms",
    "mesh fields",
    "forces",
]


class Clock:
    """Processor seconds of all threads together, by part, once started."""

    def __init__(self) -> None:
        self._on = False
        self.seconds: dict[Part, float] = defaultdict(float)

    def start(self) -> None:
        """Begin to add up."""
        self._on = True

    @contextmanager
    def __call__(self, part: Part) -> Iterator[None]:
        """Add the time of the block to a part."""
        if not self._on:
            yield
            return
        start = time.process_time()
        yield
        self.seconds[part] += time.process_time() - start
