"""Error against number of labels for four ways of choosing them, in retrospect.

    python tests/benchmarks/active_learning_study.py --labels recipes/05-train-a-model/output

Dimers whose monomer pairs the shipped model was not trained on (recipe 05's split) are divided
by pair into a pool and a test set. The network's body stays; the last maps of its nonbonded
heads start from the chemical priors and are refitted, linearised, to the labels bought so
far (the published totals of the pool), with the ratio of prior to noise that has the largest
evidence. The posterior variance of the same fit is the uncertainty. Seeds (split, first labels) give bands.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from active_learning.config import AcquisitionConfig
from active_learning.selection import Problem, rbf_kernel, select
from active_learning.selection.kernels import median_length, standardized
from openff_bytepol.models import load_model
from openff_bytepol.training.labels.schema import read_table
from openff_bytepol.training.perception import canonical_smiles
from openff_bytepol.training.splits import assign, pair_key
from openff_bytepol.training.targets.dimers import DIMERS
from openff_bytepol.uncertainty.laplace import last_layer_gradients

SIZES = (20, 40, 80, 160, 320)
STRATEGIES = ("random", "uncertainty", "k_center", "vendi")
RATIOS = np.logspace(-4, 4, 25)


def load(folder: Path, count: int, seed: int) -> list[dict[str, Any]]:
    """Held-out dimers of recipe 05's converted sets, with ``pair``."""
    rows, names = [], {}
    for path in sorted((folder / "dimers").glob("*.parquet")):
        for row in read_table(path, DIMERS):
            for side in "ab":
                names.setdefault(row[f"smiles_{side}"], canonical_smiles(row[f"smiles_{side}"]))
            pair = pair_key(names[row["smiles_a"]], names[row["smiles_b"]])
            if assign(pair, 0.1, 8) != "train" and row["total"] < 5.0:
                rows.append(row | {"pair": pair})
    picks = np.random.default_rng(seed).permutation(len(rows))[:count]
    return [rows[i] for i in picks]


def features(rows: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Last-layer gradients and residuals of the model with heads at their priors."""
    model = load_model("bytepol-1.0").member(0)
    network = model.network
    heads = [network.charge_volume.increment, network.charge_volume.volume]
    heads += network.nonbonded.logarithm.values()
    with torch.no_grad():
        for head in heads:
            for parameter in head.layers[-1].parameters():
                parameter.zero_()
    gradients, totals = last_layer_gradients(model, rows)
    residuals = np.array([row["total"] for row in rows]) - totals.numpy()
    return gradients.numpy(), residuals


def posterior(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean weights, posterior covariance over noise variance, and the chosen ratio."""
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    projected = u.T @ y
    best = (-np.inf, 1.0)
    for ratio in RATIOS:
        gain = ratio * s**2
        left = y @ y - (projected**2 * gain / (1.0 + gain)).sum()
        evidence = -0.5 * len(y) * np.log(left / len(y)) - 0.5 * np.log1p(gain).sum()
        best = max(best, (evidence, ratio))
    ratio = best[1]
    shrink = ratio * s / (1.0 + ratio * s**2)
    mean = vt.T @ (shrink * projected)
    covariance = ratio * (np.eye(x.shape[1]) - (vt.T * (shrink * s)) @ vt)
    return mean, covariance, ratio


def curve(
    strategy: str, x: np.ndarray, y: np.ndarray, pool: np.ndarray, test: np.ndarray, seed: int
) -> list[float]:
    """Mean absolute error on the test set at each size."""
    generator = np.random.default_rng(seed)
    taken = generator.choice(len(pool), SIZES[0], replace=False).tolist()
    axes = np.linalg.svd(standardized(x[pool], x[pool]), full_matrices=False)
    vectors = axes[0][:, :20] * axes[1][:20]
    length = median_length(vectors)
    config = AcquisitionConfig(strategy=strategy, cost_power=0.0)
    errors = []
    for size in [size for size in SIZES if size <= len(pool)]:
        while len(taken) < size:
            batch = min(20, size - len(taken))
            mean, covariance, _ = posterior(x[pool[taken]], y[pool[taken]])
            free = np.setdiff1d(np.arange(len(pool)), taken)
            spread = np.sqrt(np.einsum("ij,jk,ik->i", x[pool[free]], covariance, x[pool[free]]))
            if strategy in ("k_center", "vendi"):
                free = free[np.argsort(-spread)[: 10 * batch]]
                spread = np.sort(spread)[::-1][: 10 * batch]
            near = generator.permutation(taken)[:60]
            problem = Problem(
                spread, np.ones(len(free)), np.ones(len(free), dtype=np.int64),
                rbf_kernel(vectors[free], vectors[free], length),
                rbf_kernel(vectors[free], vectors[near], length),
                rbf_kernel(vectors[near], vectors[near], length),
            )  # fmt: skip
            steps = select(problem, config, 1e9, batch, seed)
            taken += [int(free[step.candidate]) for step in steps]
        mean, _, _ = posterior(x[pool[taken]], y[pool[taken]])
        errors.append(float(np.abs(y[test] - x[test] @ mean).mean()))
    return errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=Path, default=Path("recipes/05-train-a-model/output"))
    parser.add_argument("--count", type=int, default=1600)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--output", type=Path, default=Path("study.json"))
    arguments = parser.parse_args()
    started = time.process_time()
    rows = load(arguments.labels, arguments.count, 1)
    x, y = features(rows)
    x = x / np.sqrt((x**2).sum(1).mean())
    pairs = sorted({row["pair"] for row in rows})
    print(f"{len(rows)} dimers of {len(pairs)} pairs; {time.process_time() - started:.0f} s")
    found: dict[str, list[list[float]]] = {name: [] for name in STRATEGIES}
    for seed in range(arguments.seeds):
        order = np.random.default_rng(100 + seed).permutation(len(pairs))
        tested = {pairs[i] for i in order[: len(pairs) // 2]}
        inside = np.array([row["pair"] in tested for row in rows])
        for name in STRATEGIES:
            errors = curve(name, x, y, np.flatnonzero(~inside), np.flatnonzero(inside), seed)
            found[name].append(errors)
        print(f"seed {seed}: {time.process_time() - started:.0f} s", flush=True)
    summary = {
        name: {
            "mean": np.mean(values, 0).tolist(),
            "standard_error": (np.std(values, 0, ddof=1) / np.sqrt(len(values))).tolist(),
            "against_random": (np.array(values) - np.array(found["random"])).mean(0).tolist(),
            "against_random_error": (
                np.std(np.array(values) - np.array(found["random"]), 0, ddof=1)
                / np.sqrt(len(values))
            ).tolist(),
        }
        for name, values in found.items()
    }
    arguments.output.write_text(
        json.dumps(
            {"sizes": SIZES, "seeds": arguments.seeds, "dimers": len(rows), "pairs": len(pairs)}
            | summary,
            indent=1,
        )
    )
    for name, values in summary.items():
        cells = [
            f"{m:.3f}±{e:.3f}"
            for m, e in zip(values["mean"], values["standard_error"], strict=True)
        ]
        print(f"{name:12s}", *cells)


if __name__ == "__main__":
    main()
