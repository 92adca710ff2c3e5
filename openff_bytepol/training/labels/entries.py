"""Which molecules a configuration is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from openff_bytepol.smiles import canonical_smiles
from openff_bytepol.training.config import TrainingConfig
from openff_bytepol.training.labels.config import PoolConfig
from openff_bytepol.training.labels.dimers import import_dimers
from openff_bytepol.training.labels.pool import PoolEntry, choose_molecules, supported
from openff_bytepol.training.labels.schema import read_table
from openff_bytepol.training.references import torsion_scan_smiles
from openff_bytepol.training.targets.dimers import DIMERS


def named_entries(config: TrainingConfig) -> list[PoolEntry]:
    """Molecules named in the configuration, and those of the dimers."""
    monomers = {
        canonical_smiles(row[key])
        for path in import_dimers(config)
        for row in read_table(path, DIMERS)
        for key in ("smiles_a", "smiles_b")
    }
    entries = {c: "dimers" for s in sorted(monomers) if (c := supported(s, 10_000))}
    entries |= {c: "extra" for s in config.labels.extra if (c := supported(s, 10_000))}
    benchmark = _benchmark_smiles(config)
    return [PoolEntry(s, source) for s, source in entries.items() if s not in benchmark]


def _benchmark_smiles(config: TrainingConfig) -> frozenset[str]:
    found = torsion_scan_smiles(config.data_path(config.evaluation.torsions))
    return frozenset(c for s in found if (c := supported(canonical_smiles(s), 10_000)))


def pool_entries(config: TrainingConfig) -> list[PoolEntry]:
    """Molecules picked from pools; torsion benchmark molecules are left out."""
    labels = config.labels
    return _picked(config, labels.pools, labels.extra, labels.n_ions, _benchmark_smiles(config))


def start_entries(config: TrainingConfig) -> list[PoolEntry]:
    """Molecules for which the start's parameters are a target, labelled or not."""
    if config.start_pools:
        return _picked(config, config.start_pools, (), 0, frozenset())
    return pool_entries(config)[: config.labels.max_molecules]


def _picked(
    config: TrainingConfig,
    pools: Mapping[str, PoolConfig],
    extra: Sequence[str],
    n_ions: int,
    exclude: frozenset[str],
) -> list[PoolEntry]:
    return choose_molecules(
        config.pool_files(pools),
        extra,
        n_ions=n_ions,
        max_heavy_atoms=config.labels.max_heavy_atoms,
        exclude=exclude,
        seed=config.labels.seed,
    )
