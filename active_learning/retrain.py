"""Warm start of the whole ensemble on old and new labels."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

from active_learning.config import CampaignConfig
from active_learning.dataset import Labels
from openff_bytepol.exceptions import CampaignError
from openff_bytepol.nn.model import Model
from openff_bytepol.training.config import StageConfig, TrainingConfig
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.splits import Split
from openff_bytepol.training.targets.base import Target
from openff_bytepol.training.targets.dimers import DimerTarget
from openff_bytepol.training.targets.monomers import MonomerTarget
from openff_bytepol.training.targets.priors import PriorTarget
from openff_bytepol.training.trainer import Trainer


def retrain(
    parent: Model,
    new: Labels,
    replay: Mapping[Split, Labels],
    config: CampaignConfig,
    folder: Path,
    *,
    name: str,
) -> Model:
    """Train a copy of a model further; an interrupted run goes on from its checkpoint.

    Parameters
    ----------
    parent
        Ensemble to start from; not changed.
    new
        New labels for training.
    replay
        Earlier labels by split.
    config
        Stages, scales and how often new rows are repeated.
    folder
        Of checkpoint and metrics.
    name
        Of the new model.

    Returns
    -------
    Model
        With the best averaged weights of the last stage, on the CPU.

    Raises
    ------
    CampaignError
        If there is nothing to train on.
    NonFiniteLossError
        If training diverges.
    """
    settings = config.training
    model = copy.deepcopy(parent)
    model.name, model.metadata = name, {}
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    repeated = sum([new] * settings.replay.new_weight, Labels())
    rows: dict[Split, Labels] = {
        "train": repeated + replay["train"],
        "validation": replay["validation"],
        "test": Labels(),
    }
    for labels in rows.values():
        library.add(row["mapped_smiles"] for row in labels.molecules)
        library.add(row[f"smiles_{side}"] for row in labels.dimers for side in "ab")
    targets: dict[str, Target] = {
        "dimers": DimerTarget(
            {s: part.dimers for s, part in rows.items()}, library, settings.targets
        ),
        "monomers": MonomerTarget(
            {s: part.molecules for s, part in rows.items()}, library, settings.targets
        ),
        "priors": PriorTarget(
            {s: part.molecules for s, part in rows.items()}, library, settings.targets
        ),
    }
    stages = _usable(settings.stages, targets)
    if not stages:
        raise CampaignError("no stage of training has any data; check `training.stages`")
    training = TrainingConfig(
        name=name,
        reference_data=".",
        output=".",
        stages=stages,
        targets=settings.targets,
        n_members=model.n_members,
        seed=config.seed,
        ema_decay=settings.ema_decay,
        gradient_clip=settings.gradient_clip,
        device=settings.device,
        checkpoint_seconds=30.0,
    )
    return Trainer(training, model, targets, folder).run(resume=True).to("cpu").eval()


def _usable(
    stages: tuple[StageConfig, ...], targets: Mapping[str, Target]
) -> tuple[StageConfig, ...]:
    """Stages without the targets that have no data."""
    kept = []
    for stage in stages:
        weights = {
            name: weight
            for name, weight in stage.weights.items()
            if name in targets and targets[name].size("train")
        }
        if weights:
            kept.append(stage.model_copy(update={"weights": weights}))
    return tuple(kept)
