"""Files shared by workers and kept from run to run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from openff_bytepol.training.labels.chunks import make_files, split_into_chunks


def write(path: Path, items: Sequence[int]) -> None:
    path.write_text(" ".join(map(str, items)))


def test_items_are_split_in_order(tmp_path: Path) -> None:
    chunks = split_into_chunks(range(7), 3, tmp_path, "part")
    assert [path.name for path in chunks] == [f"part-{i:04d}.parquet" for i in range(3)]
    assert [list(items) for items in chunks.values()] == [[0, 1, 2], [3, 4, 5], [6]]


def test_workers_share_files_and_keep_those_on_disk(tmp_path: Path) -> None:
    chunks = split_into_chunks(range(5), 1, tmp_path)
    paths = list(chunks)
    paths[2].write_text("old")
    for worker, share in enumerate((paths[::2], paths[1::2])):
        made = make_files(
            chunks, write, description="x", overwrite=False, worker=worker, n_workers=2
        )
        assert made == share
    assert [path.read_text() for path in paths] == ["0", "1", "old", "3", "4"]
    make_files(chunks, write, description="x", overwrite=True, worker=0, n_workers=1)
    assert paths[2].read_text() == "2"
