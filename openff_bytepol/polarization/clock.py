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
    """Processor seconds of all threads together, by part; runs only if switched on."""

    def __init__(self) -> None:
        self.on = False
        self.seconds: dict[Part, float] = defaultdict(float)

    @contextmanager
    def __call__(self, part: Part) -> Iterator[None]:
        """Add the time of the block to a part."""
        if not self.on:
            yield
            return
        start = time.process_time()
        yield
        self.seconds[part] += time.process_time() - start
