"""What more data or a larger network would give: error on held-out dimers against both.

    python learning_curve.py train.yaml --share 0.06 --share 0.25 --share 1 --steps 2000

Networks start untrained and see interaction energies only. Shares are of the monomer pairs for
training, smaller ones within larger ones; the held-out pairs are the same for all. Everything
lies in --output; finished runs are kept, unfinished ones go on. Makes learning-curve.json and
learning-curve.png; compared are neutral dimers near equilibrium, as in training reports.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from openff_bytepol.models import load_model, save_model
from openff_bytepol.training.config import load_config
from openff_bytepol.training.data import make_targets
from openff_bytepol.training.evaluate import evaluate_dimers
from openff_bytepol.training.report import NEAR_EQUILIBRIUM, is_charged
from openff_bytepol.training.start import initial_model
from openff_bytepol.training.targets.dimers import DimerTarget
from openff_bytepol.training.trainer import Trainer


def point(config_path: Path, folder: Path, share: float, width: int, steps: int) -> dict[str, Any]:
    """Train one network and measure it."""
    given = load_config(config_path)
    sizes = {
        "features": {"atom": {"out": width}, "bond": {"out": width}},
        "transformer": {"hidden": width, "out": width, "channels": width // 4},
    }
    stage = {
        "name": "dimers",
        "weights": {"dimers": 1.0},
        "batch_sizes": {"dimers": 64},
        "epochs": max(1, steps // 100),
        "steps_per_epoch": min(100, steps),
        "learning_rate": 2e-3,
    }
    changes = {
        "start": None,
        "n_members": 1,
        "split": given.split.model_dump() | {"train_share": share},
        "stages": [stage],
        "model": given.model | sizes,
    }
    config = load_config(config_path, changes)
    model = initial_model(config)
    targets = make_targets(config, model)
    dimers = targets["dimers"]
    assert isinstance(dimers, DimerTarget)
    if not (folder / "model").exists():
        trained = Trainer(config, model, targets, folder).run()
        save_model(trained, folder / "model", name=folder.name)
    rows = dimers.rows("test")
    tested = [row for row in rows if row["exch"] < NEAR_EQUILIBRIUM and not is_charged(row)]
    errors = evaluate_dimers(load_model(folder / "model"), tested)
    weights = sum(p.numel() for p in model.parameters())
    return {
        "share": share,
        "width": width,
        "weights": weights,
        "steps": steps,
        "dimers": dimers.size("train"),
        "tested": len(tested),
        "mean_absolute_error (kcal/mol)": errors.mean_absolute(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--share", type=float, action="append")
    parser.add_argument("--width", type=int, action="append")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--output", type=Path, default=Path("learning-curve"))
    arguments = parser.parse_args()
    points = []
    for width in arguments.width or [64]:
        for share in arguments.share or [0.06, 0.25, 1.0]:
            folder = arguments.output / f"width{width}-share{share}-steps{arguments.steps}"
            found = point(arguments.config, folder, share, width, arguments.steps)
            points.append(found)
            error = found["mean_absolute_error (kcal/mol)"]["total"]
            print(f"width {width}, {found['dimers']} dimers: {error:.3f} kcal/mol", flush=True)
    (arguments.output / "learning-curve.json").write_text(json.dumps(points, indent=2))
    figure, axes = plt.subplots()
    for width in sorted({p["width"] for p in points}):
        curve = sorted((p for p in points if p["width"] == width), key=lambda p: p["dimers"])
        errors = [p["mean_absolute_error (kcal/mol)"]["total"] for p in curve]
        axes.loglog([p["dimers"] for p in curve], errors, "o-", label=f"width {width}")
    axes.set(xlabel="dimers for training", ylabel="held-out total, mean absolute error, kcal/mol")
    axes.legend()
    figure.savefig(arguments.output / "learning-curve.png", dpi=150, bbox_inches="tight")


if __name__ == "__main__":
    main()
