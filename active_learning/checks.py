"""Is a campaign fit to run? Everything it names exists and can be read."""

from __future__ import annotations

from typing import Any

from active_learning.config import CampaignConfig
from active_learning.context import start_directory
from active_learning.labelling.base import find_labeller
from openff_bytepol.exceptions import CampaignError
from openff_bytepol.models import load_model
from openff_bytepol.training.labels.pool import read_smiles


def check_campaign(config: CampaignConfig) -> dict[str, Any]:
    """Check files, model and labeller; starts nothing.

    Returns
    -------
    dict
        What was found.

    Raises
    ------
    DataError
        If a file or labeller is missing or a setting is wrong.
    ModelError
        If the model cannot be loaded.
    CampaignError
        If the estimator needs an ensemble and the model is none.
    """
    model = load_model(start_directory(config))
    if config.acquisition.estimator == "ensemble" and model.n_members < 2:
        raise CampaignError(
            f"model '{model.name}' has one member; acquisition.estimator 'ensemble' needs at "
            "least two: choose another, or train an ensemble"
        )
    factory = find_labeller(config.labels.labeller)
    factory.check_settings(config.labels.settings)
    pools = {
        str(path): len(read_smiles(path))
        for pool in config.candidates.pools
        for path in config.files(pool.path)
    }
    named = (
        *config.candidates.exclude,
        *config.training.replay.molecules,
        *config.training.replay.dimers,
        *config.gates.molecules.values(),
        *config.gates.dimers.values(),
        *config.gates.torsions.values(),
    )
    files = [str(path) for pattern in named for path in config.files(pattern)]
    return {
        "campaign": config.name,
        "sha256": config.sha256,
        "model": f"{model.name} ({model.n_members} members, {model.sha256[:12]})",
        "pools": pools,
        "files": files,
        "labeller": config.labels.labeller,
        "levels": config.labels.levels,
        "budget": config.budget.model_dump(),
    }
