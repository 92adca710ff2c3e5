"""Published dimer files, converted to the dimer schema once."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

from openff_bytepol.exceptions import DataError
from openff_bytepol.training.config import DimerSource, TrainingConfig
from openff_bytepol.training.datasets.files import import_file
from openff_bytepol.training.datasets.readers import READERS

logger = logging.getLogger(__name__)


def import_dimers(config: TrainingConfig) -> list[Path]:
    """Convert the dimer files of a configuration to Parquet, once.

    A report of what was dropped, by reason, is written beside each file.

    Raises
    ------
    DataError
        If a file is missing, truncated or holds nothing usable, or the reader gives no dimers.
    LabelLevelError
        If a dimer is of a level that its source does not allow.
    UnitError
        If energies look like another unit's.
    """
    used = Counter(source.reader for source in config.dimers)
    paths = []
    for source in config.dimers:
        name = source.reader if used[source.reader] == 1 else _name(source)
        path = config.output_folder / "dimers" / f"{name}.parquet"
        if not path.exists():
            if source.reader not in READERS or READERS[source.reader].kind != "dimers":
                raise DataError(f"{source.path}: '{source.reader}' is not a reader of dimers")
            report = import_file(
                config.data_path(source.path),
                source.reader,
                path,
                levels=source.levels,
                exclude_subsets=source.exclude_subsets,
                weight=source.weight,
            )
            logger.info("%s: %s", source.path, report.to_dict())
        paths.append(path)
    return paths


def _name(source: DimerSource) -> str:
    """Name that tells several files of one reader apart."""
    return f"{source.reader}-{Path(source.path).name.split('.')[0]}"
