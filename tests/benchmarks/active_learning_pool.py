"""Time and memory of choosing from a large pool with an ensemble.

    python tests/benchmarks/active_learning_pool.py POOL.csv [--members 4] [--workers 2] [--limit N]

Members are drawn at random: speed does not depend on what they learned.
"""

from __future__ import annotations

import argparse
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from active_learning.config import AcquisitionConfig
from active_learning.selection.diversity import Space
from openff_bytepol.models import load_model
from openff_bytepol.nn.model import Model
from openff_bytepol.training.labels.pool import read_smiles, supported
from openff_bytepol.uncertainty.scores import molecule_scores


def score(smiles: list[str], members: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Uncertainty, latent vectors and peak memory (GiB) of one worker."""
    torch.set_num_threads(1)
    model = Model(load_model("bytepol").config, n_members=members, seed=1)
    found = molecule_scores(model, smiles, [])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return found.uncertainty, found.latent, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pool", type=Path)
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--choose", type=int, default=300)
    arguments = parser.parse_args()
    smiles = [c for s in read_smiles(arguments.pool) if (c := supported(s, 20))]
    smiles = sorted(set(smiles))[: arguments.limit]
    wall = time.monotonic()
    shares = [smiles[i :: arguments.workers] for i in range(arguments.workers)]
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as workers:
        parts = list(workers.map(score, shares, [arguments.members] * arguments.workers))
        scored = time.monotonic() - wall
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    uncertainty = np.concatenate([u for u, _, _ in parts])
    latent = np.concatenate([v for _, v, _ in parts])
    started = time.process_time()
    config = AcquisitionConfig(strategy="vendi")
    space = Space.of_molecules(
        config, [s for share in shares for s in share], latent, [], latent[:0]
    )
    ones = np.ones(len(uncertainty))
    chosen = space.select(uncertainty, ones, ones.astype(int), 1e9, arguments.choose, seed=1)
    selection = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{len(smiles)} molecules, {arguments.members} members, {arguments.workers} workers: "
        f"scoring {children.ru_utime + children.ru_stime:.0f} core-s ({scored:.0f} s wall), "
        f"choice of {len(chosen)} by Vendi gain {selection:.1f} core-s; peak memory "
        f"{sum(p for _, _, p in parts):.2f} GiB in workers, {peak:.2f} GiB in the main process"
    )


if __name__ == "__main__":
    main()
