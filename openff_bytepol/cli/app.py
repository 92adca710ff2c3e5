"""The command line: commands, version and exit codes."""

from __future__ import annotations

from typing import Annotated

import typer

from openff_bytepol import __version__
from openff_bytepol.cli import (
    benchmark,
    data,
    demo,
    energy,
    estimate,
    evaluate,
    export,
    models,
    parameterize,
    simulate,
    stored,
    train,
)
from openff_bytepol.cli.output import ErrorReportingGroup

app = typer.Typer(
    name="bytepol",
    cls=ErrorReportingGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"openff-bytepol {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Polarizable force field parameters from a graph neural network.

    Exit codes: 0 done, 1 an error that the message explains, 2 wrong usage.
    """


app.command("demo")(demo.demo)
app.command("parameterize")(parameterize.parameterize)
app.command("energy")(energy.energy)
app.command("export")(export.export)
app.command("simulate")(simulate.simulate)
app.command("estimate")(estimate.estimate)
app.command("reweight")(stored.reweight)
app.command("gradients")(stored.gradients)
app.command("labels")(train.labels)
app.command("train")(train.train)
app.add_typer(data.app, name="data")
app.add_typer(benchmark.app, name="benchmark")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(models.app, name="models")
