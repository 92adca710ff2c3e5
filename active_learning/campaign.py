"""Run a campaign: stages in order, each once, whatever happens in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from active_learning.config import CampaignConfig
from active_learning.context import POOL_ROUND, Context, start_directory
from active_learning.improve import judge_candidate, promote, train_candidate
from active_learning.lock import CampaignLock
from active_learning.obtain import (
    CANCEL_FILE,
    OPEN,
    LabelsPendingError,
    curate,
    make_labeller,
    obtain_labels,
)
from active_learning.propose import (
    choose_dimers,
    choose_molecules,
    make_pool,
    propose_dimers,
    score_pool,
)
from active_learning.state import CampaignState, StoredModel, restore_backup
from active_learning.storage import full_disk_reported
from openff_bytepol.exceptions import BudgetError, CampaignError
from openff_bytepol.models import load_model

Stage = Callable[[Context, int], dict[str, Any]]
LOCK_FILE: Final = "campaign.lock"

STAGES: Final[dict[str, Stage]] = {
    "score": score_pool,
    "choose": choose_molecules,
    "simulate": propose_dimers,
    "choose dimers": choose_dimers,
    "label": obtain_labels,
    "curate": curate,
    "train": train_candidate,
    "judge": judge_candidate,
}
"""Of every round, in order. Each can begin again where it was interrupted."""

_TEACHER: Final = {"monomer": "gfn2-xtb", "torsion": "gfn2-xtb", "dimer": "gfn2-xtb"}


class Outcome(NamedTuple):
    """How far `run_campaign` came."""

    folder: Path
    state: Literal["finished", "waiting", "stopped"]


def campaign_folder(config: CampaignConfig, *, dry_run: bool = False) -> Path:
    """Where a campaign lies: beside its configuration, by name."""
    name = f"{config.name}-dry-run" if dry_run else config.name
    return config.path(name)


def run_campaign(
    config: CampaignConfig,
    *,
    dry_run: bool = False,
    restore: bool = False,
    wait: bool = True,
    stop_before: str | None = None,
    say: Callable[[str], None] = print,
) -> Outcome:
    """Run a campaign to its end, or go on with it.

    Parameters
    ----------
    config
        Of the campaign.
    dry_run
        Do everything with a teacher in place of the labels asked for, in a folder of its
        own, and predict what those would cost.
    restore
        Go back to the copy of the state made after the last finished stage.
    wait
        Wait for labels; otherwise return when all that is left to do is waiting.
    stop_before
        Return before this stage (see `STAGES`), so that another machine can do it.
    say
        Takes messages for the user.

    Returns
    -------
    Outcome
        ``finished``, ``waiting`` for labels, or ``stopped`` before a stage.

    Raises
    ------
    CampaignLockedError
        If another process runs it.
    CorruptedStateError
        If the state is damaged.
    BudgetError
        If the running time is used up.
    StorageError
        If the disk is full.
    CampaignError
        If it was cancelled or cannot go on.
    """
    folder = campaign_folder(config, dry_run=dry_run)
    levels = config.labels.levels
    if dry_run:
        labels = config.labels.model_copy(
            update={"labeller": "teacher", "levels": _TEACHER, "settings": {}}
        )
        config = config.changed(labels=labels)
    with full_disk_reported(folder), CampaignLock(folder / LOCK_FILE):
        if restore:
            say(f"damaged state moved to {restore_backup(folder).name}")
        (folder / CANCEL_FILE).unlink(missing_ok=True)
        with CampaignState(folder, config.sha256) as state:
            context = Context(config, folder, state, say, levels, wait)
            _start(context)
            _run_stage(context, POOL_ROUND, "pool", lambda c, _: make_pool(c))
            for number in range(1, config.rounds + 1):
                try:
                    if not _run_round(context, number, stop_before):
                        return Outcome(folder, "stopped")
                except LabelsPendingError as pending:
                    say(str(pending))
                    return Outcome(folder, "waiting")
    return Outcome(folder, "finished")


def _start(context: Context) -> None:
    """Take down the model that the campaign starts from."""
    if context.state.models():
        return
    directory = start_directory(context.config)
    model = load_model(directory)
    lineage = {"name": model.name, "metadata": model.metadata}
    context.state.add_model(
        StoredModel(model.sha256, 0, str(directory), None, "start", lineage, {})
    )


def _run_round(context: Context, number: int, stop_before: str | None) -> bool:
    """Run what is left of a round; False if it stopped before a stage."""
    for name, stage in STAGES.items():
        if name == stop_before and context.state.stage_output(number, name) is None:
            return False
        output = _run_stage(context, number, name, stage)
        if name == "label" and not output["jobs"]:
            return True
    if context.config.schedule.auto_promote:
        _run_stage(context, number, "promote", _promote_if_passed)
    return True


def _promote_if_passed(context: Context, number: int) -> dict[str, Any]:
    stored = next(m for m in context.state.models() if m.round == number)
    if stored.state == "rejected":
        return {"promoted": None}
    return {"promoted": str(promote(context, stored.sha256))}


def _run_stage(context: Context, number: int, name: str, stage: Stage) -> dict[str, Any]:
    finished = context.state.stage_output(number, name)
    if finished is not None:
        return finished
    if (context.folder / CANCEL_FILE).exists():
        raise CampaignError(f"round {number}: cancelled before '{name}'; resume to go on")
    if context.state.running_hours() > context.config.budget.wall_hours:
        raise BudgetError("the running time of the budget is used up; raise budget.wall_hours")
    context.state.start_stage(number, name)
    context.say(f"round {number}: {name}" if number else name)
    started = time.monotonic()
    output = stage(context, number)
    if name != "label":
        context.state.spend_time(number, name, time.monotonic() - started)
    context.state.finish_stage(number, name, output)
    return output


def open_campaign(config: CampaignConfig, *, dry_run: bool = False) -> CampaignState:
    """State of a campaign, to look at.

    Raises
    ------
    CampaignError
        If it never ran.
    """
    return CampaignState(campaign_folder(config, dry_run=dry_run))


def promote_model(
    config: CampaignConfig,
    sha256: str | None = None,
    *,
    force: bool = False,
    say: Callable[[str], None] = print,
) -> Path:
    """Publish a model of a campaign that is not running; see `improve.promote`."""
    folder = campaign_folder(config)
    with CampaignLock(folder / LOCK_FILE), CampaignState(folder, config.sha256) as state:
        context = Context(config, folder, state, say, config.labels.levels)
        return promote(context, sha256, force=force)


def cancel_campaign(config: CampaignConfig) -> int:
    """Stop a campaign: its process at the next opportunity, and jobs that are not complete.

    Returns
    -------
    int
        Jobs given up here; 0 where a running process will do it.
    """
    folder = campaign_folder(config)
    if not folder.is_dir():
        raise CampaignError(f"{folder}: no campaign has run here")
    (folder / CANCEL_FILE).touch()
    try:
        with CampaignLock(folder / LOCK_FILE), CampaignState(folder, config.sha256) as state:
            context = Context(config, folder, state, print, config.labels.levels)
            open_jobs = [s.job.id for s in state.jobs() if s.submitted and s.status.state in OPEN]
            if open_jobs:
                make_labeller(context).cancel(open_jobs)
            return len(open_jobs)
    except CampaignError:
        return 0
