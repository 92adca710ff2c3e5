"""Everything a report says, as JSON values."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from active_learning.config import CampaignConfig
from active_learning.selection.costs import CostModel
from active_learning.selection.kernels import fingerprints, tanimoto_kernel, vendi_score
from active_learning.state import CampaignState, StoredJob, StoredModel
from openff_bytepol.exceptions import BytePolError
from openff_bytepol.uncertainty.calibration import LEVELS, read_calibration

_SAMPLE: Final = 600
"""Molecules whose diversity is measured, drawn at random if there are more."""
_MAP: Final = 1500
"""Points of the map."""
_DRAWN: Final = 60


def collect(config: CampaignConfig, folder: Path, state: CampaignState) -> dict[str, Any]:
    """The content of a report."""
    jobs, results, models = state.jobs(), state.results(), state.models()
    measured = {r["job_id"]: r["core_hours"] for r in results}
    price = config.budget.price_per_core_hour
    cost: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for stored in jobs:
        row = cost[f"{stored.job.kind}, {stored.job.level}"]
        row["jobs"] += 1
        row["predicted"] += stored.predicted_core_hours
        row["measured"] += measured.get(stored.job.id, 0.0)
    failures = Counter(s.status.reason or "unknown" for s in jobs if s.status.state == "failed")
    return {
        "campaign": config.name,
        "configuration": config.model_dump(mode="json"),
        "configuration_sha256": config.sha256,
        "stages": state.stages(),
        "events": state.events(),
        "running_hours": state.running_hours(),
        "jobs": dict(Counter(s.status.state for s in jobs)),
        "cost": {name: dict(row) for name, row in cost.items()},
        "core_hours": {
            "predicted": sum(s.predicted_core_hours for s in jobs),
            "measured": sum(measured.values()),
        },
        "price": price * sum(measured.values()),
        "cost_model": CostModel(
            (s.job, measured[s.job.id]) for s in jobs if s.job.id in measured
        ).describe(),
        "failures": dict(failures),
        "partial": [r["partial"] for r in results if r["partial"]],
        "chosen": [_chosen(stored, measured) for stored in jobs],
        "diversity": _diversity(folder, jobs),
        "map": _map(folder, jobs),
        "learning_curve": _learning_curve(models, results),
        "calibration": _calibration(config, folder, models),
        "models": [_model(m) for m in models],
    }


def _chosen(stored: StoredJob, measured: dict[str, float]) -> dict[str, Any]:
    return {
        "job": stored.job.id,
        "round": stored.round,
        "kind": stored.job.kind,
        "level": stored.job.level,
        "state": stored.status.state,
        "reason": stored.status.reason,
        "predicted_core_hours": stored.predicted_core_hours,
        "core_hours": measured.get(stored.job.id),
    } | {
        k: stored.info[k]
        for k in ("molecules", "source", "score", "gain", "uncertainty", "strategy")
    }


def _model(model: StoredModel) -> dict[str, Any]:
    lineage = {k: v for k, v in model.lineage.items() if k != "records"}
    records = model.lineage.get("records", {})
    return {
        "sha256": model.sha256,
        "round": model.round,
        "directory": model.directory,
        "parent": model.parent,
        "state": model.state,
        "gates": model.gates,
        "lineage": lineage | {"records": len(records)},
    }


def _learning_curve(
    models: list[StoredModel], results: list[dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Set → error of the old and the new model of each round, with the number of labels."""
    curves: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for model in models:
        labels = sum(r["round"] <= model.round for r in results)
        for found in model.gates.get("comparisons", []):
            curves[f"{found['name']} ({found['quantity']})"].append(
                {"round": model.round, "labels": labels}
                | {k: found[k] for k in ("old", "new", "low", "high", "items", "passed")}
            )
    return dict(curves)


def _read_pool(folder: Path) -> list[str]:
    path = folder / "pool.json"
    return [m[0] for m in json.loads(path.read_text())] if path.is_file() else []


def _diversity(folder: Path, jobs: list[StoredJob]) -> dict[str, Any]:
    """Vendi scores by fingerprints, with the number of different molecules."""
    sets = {
        "pool": _read_pool(folder),
        "chosen": sorted({s for stored in jobs for s in stored.info["molecules"]}),
        "labelled before": _known(folder),
    }
    found = {}
    for name, smiles in sets.items():
        sample = smiles
        if len(smiles) > _SAMPLE:
            picks = np.random.default_rng(1).choice(len(smiles), _SAMPLE, replace=False)
            sample = [smiles[i] for i in picks]
        prints = fingerprints(sample)
        score = vendi_score(tanimoto_kernel(prints, prints))
        found[name] = {"molecules": len(smiles), "sampled": len(sample), "vendi": score}
    return found


def _last_scores(folder: Path) -> dict[str, NDArray[Any]]:
    files = sorted((folder / "rounds").glob("*/scores.npz"))
    if not files:
        return {}
    with np.load(files[-1], allow_pickle=False) as arrays:
        return dict(arrays)


def _known(folder: Path) -> list[str]:
    scores = _last_scores(folder)
    return [str(s) for s in scores.get("known", [])]


def _map(folder: Path, jobs: list[StoredJob]) -> dict[str, Any]:
    """Principal components of latent vectors, with uncertainty and what was chosen."""
    scores, pool = _last_scores(folder), _read_pool(folder)
    if not scores or len(pool) < 3:
        return {}
    latent = scores["latent"]
    centred = latent - latent.mean(0)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    points = centred @ axes[:2].T
    chosen = {s for stored in jobs for s in stored.info["molecules"]}
    places = np.arange(len(pool))
    if len(pool) > _MAP:
        picks = np.random.default_rng(1).choice(len(pool), _MAP, replace=False)
        places = np.union1d(picks, [i for i, s in enumerate(pool) if s in chosen]).astype(int)
    explained = (singular**2 / (singular**2).sum())[:2]
    return {
        "explained": explained.tolist(),
        "points": [
            {
                "smiles": pool[i],
                "x": float(points[i, 0]),
                "y": float(points[i, 1]),
                "uncertainty": float(scores["uncertainty"][i]),
                "chosen": pool[i] in chosen,
            }
            for i in places
        ],
    }


def _calibration(config: CampaignConfig, folder: Path, models: list[StoredModel]) -> dict[str, Any]:
    """Calibrations stored with the model of the start and with promoted ones, latest first."""
    found: dict[str, Any] = {}
    for model in reversed(models):
        directory = Path(model.directory)
        if model.state == "promoted":
            directory = folder / config.models / f"{config.name}-r{model.round:03d}"
        try:
            calibration = read_calibration(directory, model.sha256)
        except BytePolError as error:
            found[model.sha256[:12]] = {"error": str(error)}
            continue
        if calibration is not None:
            found[model.sha256[:12]] = {
                "levels": list(LEVELS),
                "quantities": {n: q.model_dump() for n, q in calibration.quantities.items()},
            }
    return found


def drawn(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Chosen molecules to draw, each once, the highest scores first."""
    best: dict[str, dict[str, Any]] = {}
    for item in sorted(content["chosen"], key=lambda c: -c["score"]):
        best.setdefault(".".join(item["molecules"]), item)
    return list(best.values())[:_DRAWN]
