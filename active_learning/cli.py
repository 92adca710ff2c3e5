"""``bytepol-al``: active-learning campaigns on the command line."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from active_learning.server.commands import app as server_app
from openff_bytepol.cli.output import (
    ErrorReportingGroup,
    ForceOption,
    JsonOption,
    console,
    messages,
    print_files,
    print_json,
)

app = typer.Typer(
    name="bytepol-al",
    cls=ErrorReportingGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Active-learning campaigns: find what the model is unsure of, label it, retrain.",
)

app.add_typer(server_app, name="server")

CampaignArgument = Annotated[Path, typer.Argument(help="YAML file of the campaign.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="With a teacher instead of QM, in a folder of its own.")
]

WaitOption = Annotated[
    bool,
    typer.Option("--wait/--no-wait", help="Wait for labels, or come back later (schedulers)."),
]

_TEMPLATE = """# An active-learning campaign: bytepol-al run {file}
# Every field: bytepol-al schema
name: {name}
model: bytepol
rounds: 2
candidates:
  pools:
    - {{ path: molecules.smi, stereoisomers: 2, protonation: true, max_heavy_atoms: 12 }}
  dimers: {{ partners: [O], mixtures: 4, copies: 6 }}
acquisition:
  estimator: ensemble
  strategy: vendi
  shares: {{ monomer: 0.4, torsion: 0.2, dimer: 0.4 }}
labels:
  labeller: teacher
  levels: {{ monomer: gfn2-xtb, torsion: gfn2-xtb, dimer: gfn2-xtb }}
budget: {{ records: 400, core_hours: 2.0, wall_hours: 24.0, price_per_core_hour: 0.05 }}
gates:
  better: [new]
"""


def say(text: str) -> None:
    """A line of progress."""
    messages.print(escape(text), soft_wrap=True)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder to make the campaign in.")],
    force: ForceOption = False,
) -> None:
    """Write a campaign to start from, with a small pool of molecules."""
    from openff_bytepol.interop.outputs import check_absent

    campaign, pool = folder / "campaign.yaml", folder / "molecules.smi"
    check_absent([campaign, pool], overwrite=force)
    folder.mkdir(parents=True, exist_ok=True)
    name = "".join(c if c.isalnum() or c in "._-" else "-" for c in folder.resolve().name)
    campaign.write_text(_TEMPLATE.format(name=name.lstrip("._-") or "campaign", file=campaign.name))
    pool.write_text("CCO\nCC(=O)NC\nCCOC(C)=O\nc1ccncc1\nCSC\nCC(C)C#N\nOCC(F)F\nCC(=O)O\n")
    print_files([campaign, pool])


@app.command()
def schema() -> None:
    """JSON schema of a campaign file."""
    from active_learning.config import CampaignConfig

    print_json(CampaignConfig.model_json_schema())


@app.command()
def validate(campaign: CampaignArgument, as_json: JsonOption = False) -> None:
    """Check a campaign and everything it refers to, without starting anything."""
    from active_learning.checks import check_campaign
    from active_learning.config import load_campaign

    found = check_campaign(load_campaign(campaign))
    if as_json:
        print_json(found)
        return
    for key, value in found.items():
        console.print(f"{key}: {escape(str(value))}", soft_wrap=True)


@app.command()
def run(campaign: CampaignArgument, dry_run: DryRunOption = False, wait: WaitOption = True) -> None:
    """Run a campaign, or go on with it."""
    _run(campaign, dry_run=dry_run, restore=False, wait=wait)


@app.command()
def resume(
    campaign: CampaignArgument,
    restore: Annotated[
        bool, typer.Option("--restore", help="Go back to the copy of a damaged state.")
    ] = False,
    dry_run: DryRunOption = False,
    wait: WaitOption = True,
) -> None:
    """Go on with an interrupted campaign."""
    from active_learning.campaign import open_campaign
    from active_learning.config import load_campaign

    if not restore:
        open_campaign(load_campaign(campaign), dry_run=dry_run).close()
    _run(campaign, dry_run=dry_run, restore=restore, wait=wait)


def _run(campaign: Path, *, dry_run: bool, restore: bool, wait: bool) -> None:
    from active_learning.campaign import run_campaign
    from active_learning.config import load_campaign
    from active_learning.report import write_report

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    config = load_campaign(campaign)
    outcome = run_campaign(config, dry_run=dry_run, restore=restore, wait=wait, say=say)
    print_files(write_report(config, dry_run=dry_run))
    ends = {"finished": "finished", "waiting": "waiting for labels; run again later"}
    say(f"{ends[outcome.state]}; everything lies in {outcome.folder}")


@app.command()
def status(
    campaign: CampaignArgument, dry_run: DryRunOption = False, as_json: JsonOption = False
) -> None:
    """Where a campaign stands; may be asked while it runs."""
    from active_learning.campaign import LOCK_FILE, campaign_folder, open_campaign
    from active_learning.config import load_campaign
    from active_learning.lock import lock_holder

    config = load_campaign(campaign)
    folder = campaign_folder(config, dry_run=dry_run)
    with open_campaign(config, dry_run=dry_run) as state:
        summary = summarize(state)
    summary["running"] = lock_holder(folder / LOCK_FILE)
    if as_json:
        print_json(summary)
    else:
        _print_status(summary)


def summarize(state: Any) -> dict[str, Any]:
    """Stages, jobs, cost and models as JSON values."""
    jobs = state.jobs()
    results = state.results()
    failures = [
        {"job": s.job.id, "kind": s.job.kind, "molecules": s.info["molecules"],
         "reason": s.status.reason, "attempts": s.status.attempts}
        for s in jobs if s.status.state == "failed"
    ]  # fmt: skip
    return {
        "stages": [
            {k: stage[k] for k in ("round", "name", "started", "finished", "seconds")}
            for stage in state.stages()
        ],
        "jobs": dict(Counter(f"{s.job.kind} {s.status.state}" for s in jobs)),
        "waiting": dict(Counter(s.status.reason for s in jobs if s.status.state == "waiting")),
        "failures": failures,
        "core_hours": {
            "predicted": sum(s.predicted_core_hours for s in jobs),
            "measured": sum(r["core_hours"] for r in results),
        },
        "running_hours": state.running_hours(),
        "models": [
            {"sha256": m.sha256, "round": m.round, "state": m.state, "directory": m.directory,
             "parent": m.parent, "reasons": m.gates.get("reasons", [])}
            for m in state.models()
        ],
        "events": state.events()[-10:],
    }  # fmt: skip


def _print_status(summary: dict[str, Any]) -> None:
    holder = summary["running"]
    console.print(f"running: process {holder['pid']}" if holder else "not running")
    stages = Table("round", "stage", "finished", "seconds")
    for stage in summary["stages"]:
        seconds = f"{stage['seconds']:.0f}"
        stages.add_row(str(stage["round"]), stage["name"], stage["finished"] or "–", seconds)
    console.print(stages)
    console.print(f"jobs: {summary['jobs']}")
    cost = summary["core_hours"]
    console.print(f"core-hours: {cost['predicted']:.4g} predicted, {cost['measured']:.4g} measured")
    for failure in summary["failures"]:
        console.print(
            f"failed: {failure['kind']} {' + '.join(failure['molecules'])}: "
            f"{escape(failure['reason'])}",
            soft_wrap=True,
        )
    for model in summary["models"]:
        console.print(
            f"model {model['sha256'][:12]} (round {model['round']}): {model['state']} "
            + escape("; ".join(model["reasons"])),
            soft_wrap=True,
        )


@app.command()
def report(
    campaign: CampaignArgument, dry_run: DryRunOption = False, as_json: JsonOption = False
) -> None:
    """Write the report: one HTML file and the same as JSON."""
    from active_learning.config import load_campaign
    from active_learning.report import write_report

    paths = write_report(load_campaign(campaign), dry_run=dry_run)
    if as_json:
        print_json({"files": [str(path) for path in paths]})
    else:
        print_files(paths)


@app.command()
def promote(
    campaign: CampaignArgument,
    model: Annotated[
        str | None, typer.Option(help="Beginning of a model's SHA-256; default: the latest passed.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Promote a model that did not pass its gates.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Publish a model that passed its gates, with force fields, in a directory of its own."""
    from active_learning.campaign import promote_model
    from active_learning.config import load_campaign

    target = promote_model(load_campaign(campaign), model, force=force, say=say)
    if as_json:
        print_json({"directory": str(target)})
    else:
        print_files([target])


@app.command()
def cancel(campaign: CampaignArgument, as_json: JsonOption = False) -> None:
    """Stop a campaign and give up its open jobs; `resume` goes on."""
    from active_learning.campaign import cancel_campaign
    from active_learning.config import load_campaign

    given_up = cancel_campaign(load_campaign(campaign))
    if as_json:
        print_json({"cancelled_jobs": given_up})
    else:
        say(f"cancelled; {given_up} jobs given up here")
