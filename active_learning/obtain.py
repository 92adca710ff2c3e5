"""From jobs to labels: submit, wait, collect, write."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from active_learning.context import Context
from active_learning.dataset import Labels, labels_of, read_folder, write_labels
from active_learning.labelling.base import Labeller, find_labeller
from openff_bytepol.exceptions import BudgetError, CampaignError

CANCEL_FILE: Final = "cancel"
OPEN: Final = ("waiting", "running")


class LabelsPendingError(CampaignError):
    """Labels are being made, and the caller does not want to wait."""


def make_labeller(context: Context) -> Labeller:
    """The labeller of the configuration, with its files in the campaign's folder."""
    labels = context.config.labels
    return find_labeller(labels.labeller).from_settings(
        labels.settings, context.folder / "labeller"
    )


def obtain_labels(context: Context, number: int) -> dict[str, Any]:
    """Submit the round's jobs and wait for them, if the context says so.

    Raises
    ------
    CampaignError
        If the campaign is cancelled meanwhile, or no job gave a label.
    BudgetError
        If the running time is used up.
    LabelsPendingError
        If jobs are open and the context does not wait.
    """
    jobs = context.state.jobs(number)
    if not jobs:
        context.log(number, "nothing to label: the budget is used, or everything is labelled")
        return {"jobs": 0, "complete": 0, "failed": {}}
    labeller = make_labeller(context)
    fresh = [stored.job for stored in jobs if not stored.submitted]
    predicted = sum(stored.predicted_core_hours for stored in jobs)
    context.log(number, f"{len(jobs)} jobs, {predicted:.3g} core-hours predicted")
    labeller.submit(fresh)
    context.state.mark_submitted([job.id for job in fresh])
    _wait(context, labeller, number)
    stored = context.state.jobs(number)
    failed = Counter(
        s.status.reason.split(":")[0] or "unknown" for s in stored if s.status.state == "failed"
    )
    complete = sum(s.status.state == "complete" for s in stored)
    if not complete:
        raise CampaignError(
            f"round {number}: none of {len(stored)} jobs gave a label: {dict(failed)}; see "
            "`bytepol-al status`"
        )
    context.log(number, f"{complete} jobs complete, {sum(failed.values())} failed")
    return {"jobs": len(stored), "complete": complete, "failed": dict(failed)}


def _wait(context: Context, labeller: Labeller, number: int) -> None:
    """Poll until every job of the round is complete, failed or given up."""
    ours = {stored.job.id for stored in context.state.jobs(number)}
    waited, known = 0.0, -1
    while True:
        started = time.monotonic()
        context.state.update_jobs(s for s in labeller.poll() if s.job_id in ours)
        context.state.add_results(r for r in labeller.collect() if r.job_id in ours)
        stored = context.state.jobs(number)
        pending = [s.job.id for s in stored if s.status.state in OPEN]
        done = len(stored) - len(pending)
        progressed, known = done != known, done
        if progressed:
            context.say(f"round {number}: {done} of {len(stored)} jobs done")
        if not pending:
            context.state.spend_time(number, "label", time.monotonic() - started)
            return
        if (context.folder / CANCEL_FILE).exists():
            labeller.cancel(pending)
            raise CampaignError(f"round {number}: cancelled with {len(pending)} jobs open")
        if context.state.running_hours() > context.config.budget.wall_hours:
            labeller.cancel(pending)
            raise BudgetError(f"round {number}: the running time of the budget is used up")
        if waited > context.config.labels.patience_hours * 3600.0:
            labeller.cancel(pending)
            context.log(number, f"{len(pending)} jobs given up after labels.patience_hours")
            return
        if not progressed:
            if not context.wait:
                raise LabelsPendingError(f"round {number}: {len(pending)} jobs open")
            _rest(context, started)
        elapsed = time.monotonic() - started
        waited += elapsed
        context.state.spend_time(number, "label", elapsed)


def _rest(context: Context, started: float) -> None:
    """Sleep what is left of the interval between polls."""
    left = context.config.labels.poll_seconds - (time.monotonic() - started)
    if left > 0.0:
        time.sleep(left)


def curate(context: Context, number: int) -> dict[str, Any]:
    """Write every label up to this round in the training schema."""
    config = context.config
    results = [r for r in context.state.results() if r["round"] <= number]
    limit = config.training.targets.dimer_energy_limit
    labels = labels_of(results, config.labels.dimer_weight, limit)
    files = write_labels(labels, labels_folder(context, number))
    context.log(number, f"{len(labels.molecules)} molecules and {len(labels.dimers)} dimers so far")
    return {"files": files, "molecules": len(labels.molecules), "dimers": len(labels.dimers)}


def labels_folder(context: Context, number: int) -> Path:
    """Where a round's labels lie."""
    return context.round_folder(number) / "labels"


def read_curated(context: Context, number: int) -> Labels:
    """All labels of a round and those before."""
    return read_folder(labels_folder(context, number))
