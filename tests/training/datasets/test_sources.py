"""Published dimers that a training run names."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from openff_bytepol.exceptions import DataError, LabelLevelError
from openff_bytepol.training.config import load_config
from openff_bytepol.training.datasets.files import open_table
from openff_bytepol.training.labels.dimers import import_dimers
from tests.training.datasets.conftest import pointer_block


def training_config(tmp_path: Path, dimers: list[dict]) -> Path:
    path = tmp_path / "train.yaml"
    values = {"name": "x", "reference_data": ".", "output": "out", "stages": [], "dimers": dimers}
    path.write_text(yaml.safe_dump(values))
    return path


def test_sources_of_a_training_run_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BYTEPOL_REFERENCE_DATA", raising=False)
    for name, start in (("one", 3.0), ("two", 4.0)):
        blocks = [pointer_block(start + 0.1 * i) for i in (0, 0, 1)]
        (tmp_path / f"{name}.sapt").write_text("".join(blocks))
    sources = [{"path": f"{name}.sapt", "reader": "pointer"} for name in ("one", "two")]
    paths = import_dimers(load_config(training_config(tmp_path, sources)))
    assert [path.name for path in paths] == ["pointer-one.parquet", "pointer-two.parquet"]
    assert [len(open_table(path).rows) for path in paths] == [2, 2], "duplicates are left out"
    other = training_config(tmp_path, [sources[0] | {"levels": ["SAPT0"]}])
    with pytest.raises(LabelLevelError, match=r"one\.sapt: DFT-SAPT\(PBE0\) \(3\)"):
        import_dimers(load_config(other))
    wrong = training_config(tmp_path, [sources[0] | {"reader": "byteff"}])
    with pytest.raises(DataError, match="not a reader of dimers"):
        import_dimers(load_config(wrong))
    excluded = training_config(tmp_path, [sources[0] | {"exclude_subsets": ["one"]}])
    with pytest.raises(DataError, match="excluded subset"):
        import_dimers(load_config(excluded))


def test_dimers_are_imported_again_where_their_source_is_asked_for_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BYTEPOL_REFERENCE_DATA", raising=False)
    (tmp_path / "one.sapt").write_text(pointer_block(3.0) + pointer_block(3.1))
    source = {"path": "one.sapt", "reader": "pointer"}

    def weights(*sources: dict) -> list[set[float]]:
        paths = import_dimers(load_config(training_config(tmp_path, list(sources))))
        assert len({*paths}) == len(sources)
        return [{row["weight"] for row in open_table(path).rows} for path in paths]

    assert weights(source) == [{1.0}]
    (path,) = (tmp_path / "out" / "dimers").glob("*.parquet")
    before = path.stat().st_mtime_ns
    assert weights(source) == [{1.0}]
    assert path.stat().st_mtime_ns == before
    assert weights(source | {"weight": 2.0}) == [{2.0}]
    assert weights(source, source | {"weight": 3.0}) == [{1.0}, {3.0}], "one file, taken twice"
