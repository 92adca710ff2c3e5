"""What every stage of a campaign needs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from active_learning.config import CampaignConfig, Kind
from active_learning.selection import CostModel
from active_learning.state import CampaignState, StoredModel
from openff_bytepol import __version__
from openff_bytepol.models import load_model
from openff_bytepol.models.registry import find_model
from openff_bytepol.models.storage import CONFIG_FILE
from openff_bytepol.nn.model import Model
from openff_bytepol.smirnoff.writing import is_constrained

POOL_ROUND = 0
"""Round of stages that belong to the whole campaign."""


@dataclass(frozen=True)
class Context:
    """A campaign at work.

    Attributes
    ----------
    config
        Of the campaign.
    folder
        Where everything lies.
    state
        Open for writing.
    say
        Takes messages for the user.
    cost_levels
        Levels whose cost is predicted; a dry run labels with others.
    wait
        Whether to wait for labels that others make.
    """

    config: CampaignConfig
    folder: Path
    state: CampaignState
    say: Callable[[str], None]
    cost_levels: dict[Kind, str]
    wait: bool = True

    def round_folder(self, number: int) -> Path:
        """Files of a round."""
        path = self.folder / "rounds" / f"{number:03d}"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def log(self, number: int, text: str) -> None:
        """Tell the user, and remember."""
        self.state.log(number, text)
        self.say(f"round {number}: {text}" if number else text)

    def working_model(self, number: int) -> StoredModel:
        """The latest model before a round that passed its gates, or the one to start from."""
        usable = [
            model
            for model in self.state.models()
            if model.round < number and model.state in ("start", "candidate", "promoted")
        ]
        return usable[-1]

    def directory(self, model: StoredModel) -> Path:
        """Where a model lies; that of the start is found again if the campaign was moved."""
        directory = Path(model.directory)
        if not directory.is_absolute():
            return self.folder / directory
        return directory if directory.exists() else start_directory(self.config)

    @property
    def constraints(self) -> bool:
        """Whether the campaign's force fields constrain bonds to hydrogen: as its start."""
        return is_constrained(start_directory(self.config))

    def load(self, model: StoredModel) -> Model:
        """A stored model, which must not have been altered."""
        return load_model(self.directory(model), expected_sha256=model.sha256)

    def cost_model(self) -> CostModel:
        """Fitted to everything that was finished so far."""
        jobs = {stored.job.id: stored.job for stored in self.state.jobs()}
        return CostModel((jobs[r["job_id"]], r["core_hours"]) for r in self.state.results())

    @cached_property
    def code_version(self) -> str:
        """Version of this package, with the commit where it runs from a clone."""
        return code_version()


def start_directory(config: CampaignConfig) -> Path:
    """The model that a campaign starts from: beside its configuration, or by name."""
    beside = config.path(config.model)
    return find_model(beside if (beside / CONFIG_FILE).is_file() else config.model).resolve()


def code_version() -> str:
    """Version of this package, with the commit where it runs from a clone."""
    here = Path(__file__).resolve().parent
    try:
        found = subprocess.run(
            ["git", "-C", str(here), "rev-parse", "--short=12", "HEAD"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return __version__
    commit = found.stdout.strip()
    return f"{__version__}+{commit}" if found.returncode == 0 and commit else __version__


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("w", encoding="utf-8") as handle:
        json.dump(value, handle)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(partial, path)
