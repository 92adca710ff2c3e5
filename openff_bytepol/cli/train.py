"""``bytepol labels`` and ``bytepol train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from openff_bytepol.cli.output import ForceOption, JsonOption, messages, print_json

ConfigArgument = Annotated[Path, typer.Argument(help="YAML file of a training configuration.")]
ResumeOption = Annotated[
    bool, typer.Option("--resume/--no-resume", help="Go on where an earlier run stopped.")
]


def labels(
    config: ConfigArgument,
    worker: Annotated[int, typer.Option(help="Number of this process, from 0.", min=0)] = 0,
    n_workers: Annotated[int, typer.Option(help="Processes that share the work.", min=1)] = 1,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="molecules, contacts, clusters, ions, responses, decompositions, anchors or "
            "checks; repeatable. Default: those that the configuration names under labels, "
            "molecules by pools or extra.",
            show_default=False,
        ),
    ] = None,
    resume: ResumeOption = True,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make the labels that a configuration asks for; an interrupted run goes on."""
    from openff_bytepol.training.labels.make import make_labels

    folder = make_labels(
        config,
        kinds=kind or (),
        resume=resume,
        overwrite=force,
        worker=worker,
        n_workers=n_workers,
    )
    _print_folder(folder, as_json)


def train(
    config: ConfigArgument,
    start: Annotated[
        str | None, typer.Option("--from", help="Model to start from: a name or a directory.")
    ] = None,
    freeze: Annotated[
        list[str] | None,
        typer.Option(help="Part of the network to keep as it is, e.g. transformer; repeatable."),
    ] = None,
    members: Annotated[
        int | None, typer.Option(help="Members of the ensemble.", min=1, show_default=False)
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or cuda:1.", show_default=False)
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write event files for TensorBoard.")
    ] = False,
    resume: ResumeOption = True,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a model; an interrupted run goes on where it stopped."""
    from openff_bytepol.training.run import train as run_training

    wanted = {
        "start": start,
        "freeze": tuple(freeze) if freeze else None,
        "n_members": members,
        "device": device,
        "tensorboard": tensorboard or None,
    }
    changes = {name: value for name, value in wanted.items() if value is not None}
    _print_folder(run_training(config, resume=resume, overwrite=force, changes=changes), as_json)


def _print_folder(folder: Path, as_json: bool) -> None:
    if as_json:
        print_json({"directory": str(folder)})
    else:
        messages.print(f"wrote {escape(str(folder))}", soft_wrap=True)
