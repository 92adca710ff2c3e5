"""``bytepol demo``: the main job on a real liquid."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from openff_bytepol.cli.export import Engine, write_all
from openff_bytepol.cli.liquid import Component, LiquidConfig
from openff_bytepol.cli.output import ForceOption, JsonOption, ModelOption, messages
from openff_bytepol.cli.simulate import report, run_liquid

_ACETONE = "CC(C)=O"
_PACKED_DENSITY = 0.75
_FRICTION = 10.0
"""1/ps: strong, so that a picosecond brings the minimised box to its temperature."""


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory to write.")] = Path(
        "bytepol-demo"
    ),
    molecules: Annotated[
        int, typer.Option(help="Acetone molecules; the box must exceed two cutoffs.", min=1)
    ] = 64,
    steps: Annotated[int, typer.Option(help="Time steps of 2 fs.", min=1)] = 500,
    model: ModelOption = "bytepol",
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate liquid acetone: box, parameters, polarizable dynamics, files and a figure.

    An interrupted demo goes on when it is started again.
    """
    from openff_bytepol.cli.plots import plot_liquid
    from openff_bytepol.models import load_model

    config = LiquidConfig(
        components=(Component(smiles=_ACETONE, copies=molecules),),
        density=_PACKED_DENSITY,
        friction=_FRICTION,
        steps=steps,
        report_every=10,
        model=model,
    )
    interchange, records = run_liquid(config, output, overwrite=force)
    with messages.status("Writing OpenMM, GROMACS and AMBER files and the figure"):
        written = write_all(interchange, output / "acetone", list(Engine), overwrite=True)
        acetone = config.molecules()[0]
        (parameters,) = load_model(model).predict(acetone)
        figure = output / "acetone.png"
        plot_liquid(figure, records, acetone, parameters.charges.tolist())
    files = [path for paths in written.values() for path in paths]
    report(records, output, as_json=as_json, files=[*files, figure])
