"""From labels to a model: retrain, judge, promote."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Final

import numpy as np

from active_learning.context import Context, write_json
from active_learning.dataset import Labels, read_replay, split_new
from active_learning.gates import judge_model, run_command
from active_learning.obtain import labels_folder, read_curated
from active_learning.retrain import retrain
from active_learning.stability import run_stability
from active_learning.state import StoredModel
from openff_bytepol.exceptions import CampaignError, DataError, OutputExistsError
from openff_bytepol.models.storage import read_model, save_model
from openff_bytepol.nn.model import Model
from openff_bytepol.smirnoff.writing import write_offxml
from openff_bytepol.uncertainty.calibration import Calibration
from openff_bytepol.uncertainty.make import make_calibration, sample_rows

_CALIBRATION_DIMERS: Final = 1500
_CALIBRATION_MOLECULES: Final = 150


def train_candidate(context: Context, number: int) -> dict[str, Any]:
    """Retrain the working model on all labels; ``rounds/…/model``."""
    parent = context.working_model(number)
    labels = read_curated(context, number)
    if not len(labels):
        raise CampaignError(f"round {number}: there are no labels to train on")
    fraction = context.config.gates.holdout_fraction
    new = split_new(labels, fraction, context.config.seed)["train"]
    folder = context.round_folder(number)
    directory = folder / "model"
    name = f"{context.config.name}-r{number:03d}"
    if not directory.exists():
        model = retrain(
            context.load(parent), new, read_replay(context.config), context.config,
            folder / "training", name=name,
        )  # fmt: skip
        model.metadata = _lineage(context, number, parent, new)
        save_model(model, directory, _card(context, name, number, parent, new), name=name)
    model = read_model(directory)
    context.state.add_model(
        StoredModel(
            model.sha256, number, str(directory.relative_to(context.folder)), parent.sha256,
            "untested", model.metadata, {},
        )
    )  # fmt: skip
    context.log(number, f"trained {name} on {len(new)} new labels")
    return {"sha256": model.sha256, "trained_on": len(new)}


def _lineage(context: Context, number: int, parent: StoredModel, new: Labels) -> dict[str, Any]:
    """What made the weights: records, candidates, code and parent."""
    results = [r for r in context.state.results() if r["round"] <= number]
    records = {r["job_id"]: r["provenance"]["record_ids"] for r in results}
    files = sorted(labels_folder(context, number).glob("*.parquet"))
    return {
        "campaign": context.config.name,
        "campaign_sha256": context.config.sha256,
        "round": number,
        "parent": parent.sha256,
        "code": context.code_version,
        "pool_sha256": _sha256(context.folder / "pool.json"),
        "labels_sha256": {path.name: _sha256(path) for path in files},
        "trained_on": {"molecules": len(new.molecules), "dimers": len(new.dimers)},
        "records": records,
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _card(context: Context, name: str, number: int, parent: StoredModel, new: Labels) -> str:
    levels = ", ".join(f"{kind}: {level}" for kind, level in context.config.labels.levels.items())
    return (
        f"# {name}\n\nMade by the active-learning campaign `{context.config.name}` in round "
        f"{number}, from the model {parent.sha256[:12]}, with {len(new.molecules)} molecules and "
        f"{len(new.dimers)} dimers labelled for it ({levels}), mixed with earlier labels. "
        "`config.json` names every record.\n"
    )


def judge_candidate(context: Context, number: int) -> dict[str, Any]:
    """Run every gate; ``gates.json``."""
    config, folder = context.config, context.round_folder(number)
    stored = next(m for m in context.state.models() if m.round == number)
    parent = next(m for m in context.state.models() if m.sha256 == stored.parent)
    labels = read_curated(context, number)
    held_out = {
        "new": split_new(labels, config.gates.holdout_fraction, config.seed)["test"],
        "replay": read_replay(config)["test"],
    }
    comparisons = judge_model(context.load(parent), context.load(stored), held_out, config)
    reasons = [f"{c.name} ({c.quantity}): {c.reason}" for c in comparisons if not c.passed]
    missing = set(config.gates.better) - {c.name for c in comparisons if c.required == "better"}
    reasons += [
        f"set '{name}' must improve, and has fewer than {config.gates.min_groups} molecules or "
        "pairs to show it"
        for name in sorted(missing)
    ]
    force_field = write_offxml(
        folder / "model", folder / "candidate.offxml",
        constraints=context.constraints, overwrite=True,
    )  # fmt: skip
    runs = run_stability(force_field, config.gates.stability) if config.gates.stability else []
    reasons += [f"unstable: {run.smiles}: {run.reason}" for run in runs if not run.passed]
    veto = {}
    if config.gates.command:
        directories = [context.directory(parent), folder / "model"]
        allowed, output = run_command(config.gates.command, directories[0], directories[1])
        veto = {"passed": allowed, "output": output}
        if not allowed:
            reasons.append(f"vetoed by {config.gates.command[0]}: {output[-200:]}")
    gates = {
        "passed": not reasons,
        "reasons": reasons,
        "comparisons": [c.to_dict() for c in comparisons],
        "stability": [run.to_dict() for run in runs],
        "command": veto,
    }
    write_json(folder / "gates.json", gates)
    context.state.set_model(stored.sha256, "candidate" if not reasons else "rejected", gates)
    context.log(
        number, "all gates passed" if not reasons else "kept as candidate: " + "; ".join(reasons)
    )
    return gates


def promote(context: Context, sha256: str | None = None, *, force: bool = False) -> Path:
    """Publish a model: a directory of its own with weights, card and force fields.

    Parameters
    ----------
    context
        Of the campaign.
    sha256
        Beginning of the model's hash; the latest that passed all gates by default.
    force
        Promote a model that did not pass.

    Returns
    -------
    Path
        The new directory; an existing one is never changed.

    Raises
    ------
    CampaignError
        If there is no such model or it did not pass.
    OutputExistsError
        If the directory exists and holds something else.
    """
    models = [m for m in context.state.models() if m.state != "start"]
    if sha256 is None:
        found = [m for m in models if m.state in ("candidate", "promoted")][-1:]
    else:
        found = [m for m in models if m.sha256.startswith(sha256)]
    if len(found) != 1:
        raise CampaignError(
            f"{len(found)} models fit; `bytepol-al status` lists those that passed their gates"
        )
    stored = found[0]
    if stored.state == "rejected" and not force:
        raise CampaignError(
            f"model {stored.sha256[:12]} did not pass: {'; '.join(stored.gates['reasons'])}; "
            "pass --force to promote it all the same"
        )
    name = f"{context.config.name}-r{stored.round:03d}"
    target = context.folder / context.config.models / name
    if target.exists():
        if read_model(target).sha256 != stored.sha256:
            raise OutputExistsError(f"{target} exists and holds another model; move it away")
    else:
        model = context.load(stored)
        source = context.folder / stored.directory
        calibration = _calibrate(context, stored)
        _publish(model, source, target, calibration, constraints=context.constraints)
    context.state.set_model(stored.sha256, "promoted", stored.gates)
    context.log(stored.round, f"promoted to {target}")
    return target


def _calibrate(context: Context, stored: StoredModel) -> Calibration | None:
    """Calibration on everything held out; None where that is too little."""
    config, replay = context.config, read_replay(context.config)
    labels = read_curated(context, stored.round)
    new = split_new(labels, config.gates.holdout_fraction, config.seed)
    held_out = replay["validation"] + replay["test"] + new["test"]
    generator = np.random.default_rng(config.seed)
    try:
        return make_calibration(
            context.load(stored),
            sample_rows(held_out.dimers, _CALIBRATION_DIMERS, generator),
            sample_rows(held_out.molecules, _CALIBRATION_MOLECULES, generator),
            sorted((replay["train"] + new["train"]).smiles()),
            {"campaign": config.name, "round": stored.round},
        )
    except (DataError, ValueError) as error:
        context.log(stored.round, f"promoted without a calibration: {error}")
        return None


def _publish(
    model: Model, source: Path, target: Path, calibration: Calibration | None, *, constraints: bool
) -> None:
    """A copy with both force fields, whole or not at all."""
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    card = (source / "MODEL_CARD.md").read_text("utf-8")
    save_model(model, partial, card, name=target.name, overwrite=True)
    if calibration is not None:
        calibration.write(partial)
    os.replace(partial, target)
    for file, fixed in (("forcefield.offxml", False), ("forcefield-fixed.offxml", True)):
        write_offxml(target, target / file, fixed=fixed, constraints=constraints, overwrite=True)
