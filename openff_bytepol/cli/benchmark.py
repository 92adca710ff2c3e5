"""``bytepol benchmark``: accuracy and speed against experiment and other force fields."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from openff_bytepol.cli.estimate import (
    BudgetOption,
    EquilibrationOption,
    MoleculesOption,
    PlatformOption,
    SeedOption,
    TimeOption,
    run_dataset,
)
from openff_bytepol.cli.output import ForceOption, JsonOption

app = typer.Typer(no_args_is_help=True, help="Accuracy and speed.")


@app.command("liquids")
def liquids(
    dataset: Annotated[
        Path | None,
        typer.Argument(help="CSV file of measured properties; 25 common liquids by default."),
    ] = None,
    force_fields: Annotated[
        list[str] | None,
        typer.Option(
            "--force-field",
            "-f",
            help="Repeatable; bytepol.offxml and openff-2.2.1.offxml by default.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder that keeps everything.")
    ] = Path("benchmark-liquids"),
    n_molecules: MoleculesOption = 500,
    time: TimeOption = "2ns",
    budget: BudgetOption = None,
    equilibration: EquilibrationOption = None,
    platform: PlatformOption = None,
    seed: SeedOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare simulated liquids with experiment, several force fields side by side.

    The same command goes on where an interrupted one stopped; several at once share the work.
    The budget is that of each liquid.
    """
    from openff_bytepol.properties.request import parse_time

    options: dict[str, Any] = {
        "n_molecules": n_molecules,
        "time": time,
        "budget": budget,
        "equilibration": None if equilibration is None else parse_time(equilibration),
        "platform": platform,
        "seed": seed,
        "overwrite": force,
    }
    chosen = force_fields or ["bytepol.offxml", "openff-2.2.1.offxml"]
    run_dataset(dataset, chosen, output, as_json=as_json, **options)
