"""`train`: from a configuration file to a model with its report."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openff_bytepol.exceptions import OutputExistsError
from openff_bytepol.models import save_model
from openff_bytepol.training.config import load_config
from openff_bytepol.training.data import make_targets
from openff_bytepol.training.report import write_report
from openff_bytepol.training.start import average_with_start, initial_model
from openff_bytepol.training.trainer import Trainer


def train(
    config_path: str | Path,
    *,
    resume: bool = True,
    overwrite: bool = False,
    changes: Mapping[str, Any] | None = None,
) -> Path:
    """Train a model by a configuration; an interrupted run goes on where it stopped.

    Parameters
    ----------
    config_path
        YAML file of a `TrainingConfig`.
    resume
        Go on from the checkpoint, if there is one.
    overwrite
        Discard an earlier run of this configuration and its model.
    changes
        Fields of the configuration to set otherwise, such as ``start`` and ``freeze``.

    Returns
    -------
    Path
        Folder of the model, ``<output>/<name>``; the checkpoint, ``metrics.jsonl``,
        ``report.json``, ``report.html`` and its plots lie in ``<output>/run``.

    Raises
    ------
    OutputExistsError
        If there is a finished model, or a checkpoint that is not to be resumed, and
        ``overwrite`` is not set.
    DataError
        If the configuration or data are wrong.
    NonFiniteLossError
        If a loss becomes NaN or infinite; the checkpoint is kept.
    """
    config = load_config(config_path, changes)
    folder, result = config.output_folder / "run", config.output_folder / config.name
    checkpoint = folder / "checkpoint.pt"
    if overwrite:
        shutil.rmtree(folder, ignore_errors=True)
    elif result.exists():
        raise OutputExistsError(f"{result}: a trained model; pass --force to train it again")
    elif checkpoint.exists() and not resume:
        raise OutputExistsError(f"{checkpoint}: an unfinished run; resume it, or pass --force")
    model = initial_model(config)
    targets = make_targets(config, model)
    model = Trainer(config, model, targets, folder).run(resume=resume)
    average_with_start(model, config)
    report = write_report(model, targets, config, folder)
    card = config.beside(config.card).read_text() if config.card else None
    if card is not None:
        card = card.rstrip() + "\n\n" + report
    return save_model(model.to("cpu"), result, card, name=config.name, overwrite=overwrite)
