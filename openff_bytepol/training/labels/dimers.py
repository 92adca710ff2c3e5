"""Published dimer files, converted to the dimer schema once."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from openff_bytepol.exceptions import DataError
from openff_bytepol.training.config import DimerSource, TrainingConfig
from openff_bytepol.training.datasets.files import import_file
from openff_bytepol.training.datasets.readers import READERS

logger = logging.getLogger(__name__)


def import_dimers(config: TrainingConfig) -> list[Path]:
    """Convert the dimer files of a configuration to Parquet, once.

    A report of what was dropped, by reason, is written beside each file, and the source's settings:
    with others the file is made again.

    Raises
    ------
    DataError
        If a file is missing, truncated or holds nothing usable, or the reader gives no dimers.
    LabelLevelError
        If a dimer is of a level that its source does not allow.
    UnitError
        If energies look like another unit's.
    """
    folder = config.output_folder / "dimers"
    names = _names(config.dimers)
    return [
        _import(source, config.data_path(source.path), folder / f"{name}.parquet")
        for source, name in zip(config.dimers, names, strict=True)
    ]


def _import(source: DimerSource, file: Path, path: Path) -> Path:
    """Make the Parquet file of a source, if there is none or it was asked for otherwise."""
    record = path.with_suffix(".source.json")
    asked = source.model_dump_json(indent=2)
    if path.exists() and (not record.exists() or record.read_text() == asked):
        return path
    if source.reader not in READERS or READERS[source.reader].kind != "dimers":
        raise DataError(f"{source.path}: '{source.reader}' is not a reader of dimers")
    report = import_file(
        file, source.reader, path, overwrite=True,
        levels=source.levels, exclude_subsets=source.exclude_subsets, weight=source.weight,
    )  # fmt: skip
    record.write_text(asked)
    logger.info("%s: %s", source.path, report.to_dict())
    return path


def _names(sources: Sequence[DimerSource]) -> list[str]:
    """The reader of each source, with file and number where others have the same."""
    readers = Counter(source.reader for source in sources)
    names = [
        source.reader
        if readers[source.reader] == 1
        else f"{source.reader}-{Path(source.path).name.split('.')[0]}"
        for source in sources
    ]
    return [
        name if names.count(name) == 1 else f"{name}-{names[:i].count(name)}"
        for i, name in enumerate(names)
    ]
