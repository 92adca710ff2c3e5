"""Published dimer files, converted to the dimer schema once."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from openff_bytepol.training.config import TrainingConfig
from openff_bytepol.training.dimer_files import read_dimers
from openff_bytepol.training.labels.schema import write_table
from openff_bytepol.training.targets.dimers import DIMERS

logger = logging.getLogger(__name__)


def import_dimers(config: TrainingConfig) -> list[Path]:
    """Convert the dimer files of a configuration to Parquet, once.

    A report of what was dropped, by reason, is written beside each file.

    Raises
    ------
    DataError
        If a file is missing, truncated or holds nothing usable.
    """
    paths = []
    for source in config.dimers:
        path = config.output_folder / "dimers" / f"{source.reader}.parquet"
        if not path.exists():
            found = read_dimers(
                config.data_path(source.path), source.reader, source.exclude_subsets
            )
            rows = [row | {"weight": source.weight} for row in found.rows]
            write_table(rows, DIMERS, path)
            report = {"kept": len(rows), "dropped": dict(found.dropped)}
            path.with_suffix(".json").write_text(json.dumps(report, indent=2))
            logger.info("%s: %s", source.path, report)
        paths.append(path)
    return paths
