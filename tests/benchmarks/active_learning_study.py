"""Error against number of labels for ways of choosing them, in retrospect.

    python tests/benchmarks/active_learning_study.py --labels recipes/05-train-a-model/output \
        --output study [--teacher] [--retrain 3]

Dimers whose monomer pairs the shipped model was not trained on (recipe 05's split) are divided
by pair into a pool and a test set. The network's body stays; the last maps of its nonbonded
heads start from the chemical priors and are refitted, linearised, to the labels bought so
far, with the ratio of prior to noise that has the largest evidence. The posterior variance of
the same fit is the uncertainty. Labels are the published totals, or GFN2-xTB with
``--teacher``. Seeds (split, first labels) give bands.

``--retrain N`` checks the first N seeds without the linearisation: the package's own trainer
fits the whole network, from the same start, to the same sets.

Everything finished is kept in ``OUTPUT/``; run it again to go on. At the end it writes
``study.json`` and ``study.png``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from active_learning.config import AcquisitionConfig, CampaignConfig
from active_learning.dataset import Labels
from active_learning.labelling import LabelJob
from active_learning.labelling.teacher import label
from active_learning.retrain import retrain
from active_learning.selection import Problem, rbf_kernel, select
from active_learning.selection.kernels import median_length, standardized
from openff_bytepol.exceptions import BytePolError
from openff_bytepol.models import load_model
from openff_bytepol.nn.model import Model
from openff_bytepol.smiles import canonical_smiles
from openff_bytepol.training.evaluate import evaluate_dimers
from openff_bytepol.training.labels.schema import read_table
from openff_bytepol.training.splits import assign, pair_key
from openff_bytepol.training.targets.dimers import DIMERS
from openff_bytepol.uncertainty.laplace import last_layer_gradients

SIZES = (20, 40, 80, 160, 320, 640)
RETRAINED = (80, 160, 320)
STRATEGIES = ("random", "uncertainty", "k_center", "determinantal", "vendi")
DIVERSE = ("k_center", "determinantal", "vendi")
BATCH = 20
KNOWN = 60
RATIOS = np.logspace(-4, 4, 25)
TESTED = 600
"""Held-out dimers that retrained models are tested on."""
Row = dict[str, Any]


def load(folder: Path) -> list[Row]:
    """Held-out dimers of recipe 05's converted sets, with ``pair``."""
    rows: list[Row] = []
    names: dict[str, str] = {}
    for path in sorted((folder / "dimers").glob("*.parquet")):
        for row in read_table(path, DIMERS):
            for side in "ab":
                names.setdefault(row[f"smiles_{side}"], canonical_smiles(row[f"smiles_{side}"]))
            pair = pair_key(names[row["smiles_a"]], names[row["smiles_b"]])
            if assign(pair, 0.1, 8) != "train" and row["total"] < 5.0:
                rows.append(row | {"pair": pair})
    return rows


def taught(rows: list[Row]) -> list[Row]:
    """The same dimers labelled by GFN2-xTB; those that it cannot do are left out."""
    found = []
    for row in rows:
        smiles = (row["smiles_a"], row["smiles_b"])
        xyz = np.asarray(row["coordinates"], dtype=np.float64).reshape(1, -1, 3)
        charges = tuple(sum(map(int, signs(s))) for s in smiles)
        try:
            _, new, _, _ = label(LabelJob("dimer", "gfn2-xtb", smiles, charges, xyz))
        except BytePolError:
            continue
        if new["total"] < 5.0:
            found.append(new | {"pair": row["pair"], "weight": 1.0})
    return found


def signs(smiles: str) -> list[int]:
    """Formal charges of a molecule's atoms."""
    from rdkit import Chem

    mol = Chem.MolFromSmiles(smiles)
    return [atom.GetFormalCharge() for atom in mol.GetAtoms()]


def untrained() -> Model:
    """The shipped model's first member with the last maps of its nonbonded heads at the priors."""
    model = load_model("bytepol-1.0").member(0)
    network = model.network
    heads = [network.charge_volume.increment, network.charge_volume.volume]
    heads += network.nonbonded.logarithm.values()
    with torch.no_grad():
        for head in heads:
            for parameter in head.layers[-1].parameters():
                parameter.zero_()
    return model


def prepared(arguments: argparse.Namespace) -> tuple[list[Row], np.ndarray, np.ndarray]:
    """Rows, last-layer gradients and residuals of the untrained model; kept in a file."""
    path = arguments.output / "features.npz"
    rows = load(arguments.labels)
    if arguments.limit:
        picks = np.random.default_rng(1).permutation(len(rows))[: arguments.limit]
        rows = [rows[i] for i in picks]
    if arguments.teacher:
        stored = arguments.output / "taught.json"
        if not stored.is_file():
            stored.write_text(json.dumps(taught(rows), default=lambda v: np.asarray(v).tolist()))
        rows = json.loads(stored.read_text())
    if not path.is_file():
        gradients, totals = last_layer_gradients(untrained(), rows)
        scaled = gradients.numpy() / np.sqrt((gradients.numpy() ** 2).sum(1).mean())
        np.savez(path, x=scaled.astype(np.float32), totals=totals.numpy())
    with np.load(path, allow_pickle=False) as arrays:
        x, totals = arrays["x"].astype(np.float64), arrays["totals"]
    return rows, x, np.array([row["total"] for row in rows]) - totals


def posterior(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean weights, and posterior covariance over noise variance."""
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
    return mean, covariance


def curve(
    strategy: str, x: np.ndarray, y: np.ndarray, pool: np.ndarray, test: np.ndarray, seed: int
) -> dict[str, Any]:
    """Mean absolute error on the test set at each size, and the order of choice."""
    generator = np.random.default_rng(seed)
    taken = generator.choice(len(pool), SIZES[0], replace=False).tolist()
    axes = np.linalg.svd(standardized(x[pool], x[pool]), full_matrices=False)
    vectors = axes[0][:, :20] * axes[1][:20]
    length = median_length(vectors)
    config = AcquisitionConfig(strategy=strategy, cost_power=0.0)
    errors = []
    for size in [size for size in SIZES if size <= len(pool)]:
        while len(taken) < size:
            free = np.setdiff1d(np.arange(len(pool)), taken)
            spread = np.ones(len(free))
            if strategy != "random":
                _, covariance = posterior(x[pool[taken]], y[pool[taken]])
                variance = ((x[pool[free]] @ covariance) * x[pool[free]]).sum(1)
                spread = np.sqrt(np.clip(variance, 0.0, None))
            if strategy in DIVERSE:
                best = np.argsort(-spread)[: 10 * BATCH]
                free, spread = free[best], spread[best]
            near = generator.permutation(taken)[:KNOWN]
            problem = Problem(
                spread, np.ones(len(free)), np.ones(len(free), dtype=np.int64),
                rbf_kernel(vectors[free], vectors[free], length),
                rbf_kernel(vectors[free], vectors[near], length),
                rbf_kernel(vectors[near], vectors[near], length),
            )  # fmt: skip
            batch = min(BATCH, size - len(taken))
            steps = select(problem, config, 1e9, batch, seed + len(taken))
            taken += [int(free[step.candidate]) for step in steps]
        mean, _ = posterior(x[pool[taken]], y[pool[taken]])
        errors.append(float(np.abs(y[test] - x[test] @ mean).mean()))
    return {"errors": errors, "order": [int(pool[i]) for i in taken]}


def retrained_error(rows: list[Row], chosen: list[int], test: np.ndarray, folder: Path) -> float:
    """Mean absolute error after training the whole network on chosen dimers."""
    stage = {
        "name": "joint", "weights": {"dimers": 1.0}, "batch_sizes": {"dimers": 32},
        "epochs": 2, "steps_per_epoch": 60, "learning_rate": 1e-3,
    }  # fmt: skip
    config = CampaignConfig.model_validate(
        {
            "name": "study", "candidates": {"pools": [{"path": "none.smi"}]},
            "budget": {"records": 1, "core_hours": 1.0},
            "training": {"stages": [stage], "ema_decay": 0.95, "replay": {"new_weight": 1}},
        }
    )  # fmt: skip
    names = [field for field in DIMERS.names if field in rows[0]]
    new = Labels([], [{name: rows[i][name] for name in names} for i in chosen])
    nothing = {split: Labels() for split in ("train", "validation", "test")}
    model = retrain(untrained(), new, nothing, config, folder, name="study")  # type: ignore[arg-type]
    picks = np.random.default_rng(1).permutation(test)[:TESTED]
    found = evaluate_dimers(model, [rows[i] for i in picks])
    return float(np.abs(found.predicted["total"] - found.reference["total"]).mean())


def kept(path: Path, make: Any) -> Any:
    """Content of a JSON file, made if it is not there."""
    if not path.is_file():
        value = make()
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(value))
        partial.replace(path)
    return json.loads(path.read_text())


def saving(mean: np.ndarray, random: np.ndarray, size: int) -> float:
    """Labels needed for random's error at a size, as part of that size."""
    labels = np.log(np.array(SIZES[: len(mean)]))
    target = np.interp(np.log(size), labels, random)
    if mean.min() > target:
        return float("nan")
    falling = np.minimum.accumulate(mean)
    return float(np.exp(np.interp(-target, -falling, labels)) / size)


def summarize(found: dict[str, np.ndarray]) -> dict[str, Any]:
    """Means, standard errors, paired differences to random, and labels saved at 160 and 320."""
    random = found["random"]
    generator = np.random.default_rng(0)
    picks = generator.integers(len(random), size=(1000, len(random)))
    summary: dict[str, Any] = {}
    for name, values in found.items():
        difference, root = values - random, np.sqrt(len(values))
        summary[name] = {
            "mean": values.mean(0).tolist(),
            "standard_error": (values.std(0, ddof=1) / root).tolist(),
            "against_random": difference.mean(0).tolist(),
            "against_random_error": (difference.std(0, ddof=1) / root).tolist(),
        }
        for size in (160, 320) if name != "random" else ():
            drawn = [saving(values[p].mean(0), random[p].mean(0), size) for p in picks]
            drawn = np.nan_to_num(drawn, nan=np.inf)
            summary[name][f"part_of_{size}"] = [
                saving(values.mean(0), random.mean(0), size),
                *(float(v) for v in np.quantile(drawn, [0.05, 0.95], method="nearest")),
            ]
    return summary


def draw(summary: dict[str, Any], path: Path) -> None:
    """Curves with bands of two standard errors."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(5.5, 3.8))
    for name, values in summary.items():
        mean, error = np.array(values["mean"]), 2.0 * np.array(values["standard_error"])
        axis.plot(SIZES[: len(mean)], mean, "o-", markersize=3, label=name)
        axis.fill_between(SIZES[: len(mean)], mean - error, mean + error, alpha=0.15)
    axis.set(xlabel="labels", ylabel="error on unseen pairs, kcal/mol", xscale="log")
    axis.set_xticks(SIZES, [str(size) for size in SIZES])
    axis.minorticks_off()
    axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=Path, default=Path("recipes/05-train-a-model/output"))
    parser.add_argument("--output", type=Path, default=Path("study"))
    parser.add_argument("--teacher", action="store_true")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--retrain", type=int, default=0)
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    rows, x, y = prepared(arguments)
    pairs = sorted({row["pair"] for row in rows})
    print(f"{len(rows)} dimers of {len(pairs)} pairs, {x.shape[1]} weights", flush=True)
    curves: dict[str, list[list[float]]] = {name: [] for name in STRATEGIES}
    checks: dict[str, list[list[float]]] = {name: [] for name in STRATEGIES}
    for seed in range(arguments.seeds):
        order = np.random.default_rng(100 + seed).permutation(len(pairs))
        tested = {pairs[i] for i in order[: len(pairs) // 2]}
        inside = np.array([row["pair"] in tested for row in rows])
        pool, test = np.flatnonzero(~inside), np.flatnonzero(inside)
        for name in STRATEGIES:
            path = arguments.output / f"{name}-{seed}.json"
            done = kept(path, lambda n=name, p=pool, t=test, s=seed: curve(n, x, y, p, t, s))
            curves[name].append(done["errors"])
            if seed < arguments.retrain:
                errors = []
                for size in RETRAINED:
                    place = arguments.output / f"retrained-{name}-{seed}-{size}"
                    chosen = done["order"][:size]
                    make = lambda c=chosen, t=test, f=place: retrained_error(rows, c, t, f)  # noqa: E731
                    errors.append(kept(place.with_suffix(".json"), make))
                checks[name].append(errors)
                print(f"seed {seed}, {name}, retrained:", np.round(errors, 3), flush=True)
        print(f"seed {seed} done", flush=True)
    width = min(len(errors) for several in curves.values() for errors in several)
    summary = summarize({n: np.array([e[:width] for e in v]) for n, v in curves.items()})
    content = {
        "labels": "GFN2-xTB" if arguments.teacher else "published",
        "dimers": len(rows), "pairs": len(pairs), "seeds": arguments.seeds,
        "sizes": SIZES[:width], "strategies": summary,
        "retrained": {"sizes": RETRAINED, "errors": checks} if arguments.retrain else {},
    }  # fmt: skip
    (arguments.output / "study.json").write_text(json.dumps(content, indent=1))
    draw(summary, arguments.output / "study.png")
    for name, values in summary.items():
        pairs_ = zip(values["mean"], values["standard_error"], strict=True)
        print(f"{name:14s}", *(f"{m:.3f}±{e:.3f}" for m, e in pairs_), values.get("part_of_320"))


if __name__ == "__main__":
    main()
