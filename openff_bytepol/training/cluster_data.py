"""Clusters of a run, found and split as their pairs of molecules are."""

from __future__ import annotations

from itertools import combinations

from openff_bytepol.exceptions import DataError
from openff_bytepol.smiles import canonical_smiles
from openff_bytepol.training.config import TrainingConfig
from openff_bytepol.training.datasets.schemas import CLUSTERS
from openff_bytepol.training.labels.schema import read_table
from openff_bytepol.training.level_factors import corrected
from openff_bytepol.training.splits import Rows, pair_key, split_rows


def load_clusters(config: TrainingConfig) -> Rows:
    """Clusters, split by their pairs of molecules: those with a pair that is held out are, too.

    Raises
    ------
    DataError
        If there are none, or a file is missing or holds no clusters.
    """
    folder = config.output_folder / "clusters"
    paths = sorted(folder.glob("*.parquet"))
    if config.labels.clusters is not None:
        paths += [config.beside(path) for path in config.labels.clusters.files]
    if not paths:
        raise DataError(
            f"{folder}: no clusters; name liquids in `labels.clusters` and run "
            "`bytepol labels --kind clusters` first"
        )
    rows = [corrected(row, config) for path in paths for row in read_table(path, CLUSTERS)]
    names = {smiles: canonical_smiles(smiles) for row in rows for smiles in row["smiles"]}
    return split_rows(
        rows,
        lambda row: {pair_key(names[a], names[b]) for a, b in combinations(row["smiles"], 2)},
        config.split.pair_fraction,
        config.split,
        trained={pair_key(name, name) for name in map(canonical_smiles, config.split.trained)},
    )
