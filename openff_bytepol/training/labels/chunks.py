"""Label files that survive interruption and that several workers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from rich.progress import track

T = TypeVar("T")


def split_into_chunks(
    items: Sequence[T], size: int, folder: Path, name: str = "chunk"
) -> dict[Path, Sequence[T]]:
    """Files ``folder/name-0000.parquet``, … and the items that each shall hold."""
    starts = range(0, len(items), size)
    return {
        folder / f"{name}-{number:04d}.parquet": items[start : start + size]
        for number, start in enumerate(starts)
    }


def make_files(
    tasks: Mapping[Path, T],
    make: Callable[[Path, T], None],
    *,
    description: str,
    overwrite: bool,
    worker: int,
    n_workers: int,
) -> list[Path]:
    """Make every ``n_workers``-th file, with a progress bar; those on disk are kept.

    Parameters
    ----------
    tasks
        Each file, and what ``make`` needs for it.
    make
        Writes one file.
    description
        Of the progress bar.
    overwrite
        Make files on disk again.
    worker, n_workers
        The first file of this process, and how many processes share them.

    Returns
    -------
    list of Path
        This worker's files.
    """
    mine = list(tasks.items())[worker::n_workers]
    for path, task in track(mine, description=description):
        if overwrite or not path.exists():
            make(path, task)
    return [path for path, _ in mine]
