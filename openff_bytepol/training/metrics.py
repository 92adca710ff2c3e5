"""Losses of every epoch: a line of JSON each, and TensorBoard where it is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from openff_bytepol.exceptions import MissingDependencyError

FILE = "metrics.jsonl"


class MetricsLog:
    """Writes what an epoch reached.

    Parameters
    ----------
    folder
        Where ``metrics.jsonl``, and ``tensorboard`` if asked for, go.
    tensorboard
        Also write event files for TensorBoard.

    Raises
    ------
    MissingDependencyError
        If TensorBoard files are asked for without ``tensorboardX``.
    """

    def __init__(self, folder: Path, *, tensorboard: bool = False) -> None:
        self._file = folder / FILE
        self._events = _event_writer(folder / "tensorboard") if tensorboard else None
        self._epochs = len(read_metrics(folder))

    def write(self, record: dict[str, Any]) -> None:
        """Add one epoch: ``stage``, ``epoch``, ``step``, and numbers by name."""
        self._epochs += 1
        with self._file.open("a") as handle:
            handle.write(json.dumps(record) + "\n")
        if self._events is None:
            return
        for name, value in record.items():
            if isinstance(value, float):
                self._events.add_scalar(name, value, self._epochs)
        self._events.flush()

    def close(self) -> None:
        """Finish event files."""
        if self._events is not None:
            self._events.close()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Records of a run in order; empty before the first epoch has ended."""
    path = folder / FILE
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def validation_losses(folder: Path, target: str) -> list[float]:
    """Sum of the parts of a target's validation loss, of every epoch that has one."""
    found = [
        [value for name, value in record.items() if name.startswith(f"validation/{target}/")]
        for record in read_metrics(folder)
    ]
    return [sum(parts) for parts in found if parts]


def _event_writer(folder: Path) -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise MissingDependencyError("event files: pip install tensorboardX") from error
    return SummaryWriter(str(folder))
