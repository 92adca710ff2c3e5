"""``bytepol estimate``: properties of a liquid, a mixture or a data set of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from openff_bytepol.cli.inputs import is_file
from openff_bytepol.cli.output import (
    ForceOption,
    JsonOption,
    console,
    messages,
    print_files,
    print_json,
)
from openff_bytepol.exceptions import PropertyError

if TYPE_CHECKING:
    from openff_bytepol.properties.estimation import Estimation
    from openff_bytepol.properties.production import OnProgress
    from openff_bytepol.properties.results import PropertyEstimate

ForceFieldOption = Annotated[
    str,
    typer.Option("--force-field", "-f", help="Name or path of any SMIRNOFF force field."),
]
TimeOption = Annotated[str, typer.Option(help="Of production, such as 200ps or 2ns.")]
MoleculesOption = Annotated[int, typer.Option("--n-molecules", "-n", help="In the box.", min=2)]
PlatformOption = Annotated[
    str | None, typer.Option(help="CUDA, HIP, OpenCL, CPU or Reference; the fastest by default.")
]
BudgetOption = Annotated[
    str | None, typer.Option(help="Wall time of this call, such as 30min or 8h.")
]
EquilibrationOption = Annotated[
    str | None, typer.Option(help="Before production; a quarter of the time by default.")
]
SolverOption = Annotated[
    str | None,
    typer.Option(
        help="Of induced dipoles: conserving or fast; that of the force field by default."
    ),
]
SeedOption = Annotated[int | None, typer.Option(help="Of velocities, thermostat and barostat.")]


def estimate(
    substance: Annotated[
        list[str],
        typer.Argument(
            help="SMILES, with mole fractions (O:0.8 CCO:0.2) or molalities of salts "
            "([Na+].[Cl-]:1.0m); or one CSV file of measured properties."
        ),
    ],
    properties: Annotated[
        list[str] | None,
        typer.Option("--property", "-p", help="Such as density, hvap, dielectric; repeatable."),
    ] = None,
    temperature: Annotated[float, typer.Option("--temperature", "-T", help="K.")] = 298.15,
    pressure: Annotated[float, typer.Option("--pressure", "-P", help="atm.")] = 1.0,
    force_field: ForceFieldOption = "bytepol.offxml",
    n_molecules: MoleculesOption = 500,
    time: TimeOption = "1ns",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder that keeps everything.")
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help="Standard error at which to stop: density=0.002; repeatable."),
    ] = None,
    budget: BudgetOption = None,
    equilibration: EquilibrationOption = None,
    platform: PlatformOption = None,
    timestep: Annotated[float | None, typer.Option(help="fs.", min=0.01)] = None,
    acceleration: Annotated[
        float, typer.Option(help="Of perturbation_viscosity, Å/ps².", min=1e-6)
    ] = 0.5,
    seed: SeedOption = None,
    solver: SolverOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Estimate properties of a liquid by simulating it.

    The same command goes on where an interrupted run stopped.
    """
    from openff_bytepol.properties.estimator import estimate as run
    from openff_bytepol.properties.request import parse_time
    from openff_bytepol.properties.state import State

    options: dict[str, Any] = {
        "force_field": force_field,
        "n_molecules": n_molecules,
        "time": time,
        "targets": _targets(target or []),
        "budget": budget,
        "equilibration": None if equilibration is None else parse_time(equilibration),
        "platform": platform,
        "timestep": timestep,
        "acceleration": acceleration,
        "seed": seed,
        "solver": solver,
        "overwrite": force,
    }
    if len(substance) == 1 and is_file(substance[0]):
        if properties:
            raise PropertyError(f"{substance[0]} names the properties; leave out --property")
        del options["force_field"]
        run_dataset(
            Path(substance[0]),
            [force_field],
            output or Path(f"estimate-{Path(substance[0]).stem}"),
            as_json=as_json,
            **options,
        )
        return
    folder = output or _default_folder(substance, temperature, force_field)
    with progress() as on_progress:
        found = run(
            properties or ["density"],
            substance,
            State(temperature, pressure),
            output=folder,
            on_progress=on_progress,
            **options,
        )
    _report(found, folder, as_json=as_json)


def run_dataset(
    dataset: Path | None,
    force_fields: list[str],
    output: Path,
    *,
    as_json: bool,
    **options: Any,
) -> None:
    """Simulate every liquid of a data set, and report; the common liquids by default.

    Raises
    ------
    BytePolError
        As `compare` and `write_comparison`.
    """
    from openff_bytepol.properties.comparison import compare
    from openff_bytepol.properties.comparison_report import (
        comparison_rows,
        summary,
        write_comparison,
    )
    from openff_bytepol.properties.dataset import common_liquids, read_measurements
    from openff_bytepol.properties.folder import require_parquet

    require_parquet()
    measurements = common_liquids() if dataset is None else read_measurements(dataset)
    for text in dict.fromkeys(m.range_warning() for m in measurements):
        if text is not None:
            messages.print(f"[yellow]note:[/] {escape(text)}", soft_wrap=True)

    def announce(what: str, number: int, total: int) -> None:
        messages.print(f"{number + 1}/{total}: {escape(what)}", soft_wrap=True)

    with progress() as on_progress:
        found = compare(
            measurements,
            force_fields,
            output,
            on_liquid=announce,
            on_progress=on_progress,
            **options,
        )
    title = "Common liquids" if dataset is None else dataset.stem
    files = write_comparison(output, found, title)
    if as_json:
        print_json({"results": comparison_rows(found), "summary": summary(found)})
        return
    table = Table("force field", "property", "unit", "liquids", "mean absolute", "mean signed")
    for a in summary(found)["accuracy"]:
        deviations = f"{a['mean_absolute']:.3g}", f"{a['mean_signed']:+.3g}"
        table.add_row(a["force_field"], a["property"], a["unit"], str(a["n"]), *deviations)
    console.print(table)
    for c in found:
        if c.reason:
            what = f"{c.measurement.name}, {c.measurement.property}, {c.force_field}"
            messages.print(f"[red]no {escape(what)}:[/] {escape(c.reason)}", soft_wrap=True)
    print_files(files)


def _targets(texts: list[str]) -> dict[str, float]:
    """Standard errors by property.

    Raises
    ------
    PropertyError
        If a text is not ``property=number``.
    """
    targets = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            targets[name] = float(number)
        except ValueError as error:
            raise PropertyError(
                f"{text!r} is no target; give property=error, such as density=0.002"
            ) from error
    return targets


def _default_folder(substance: list[str], temperature: float, force_field: str) -> Path:
    parts = ["estimate", *substance, f"{temperature:g}K", Path(force_field).stem]
    return Path(re.sub(r"[^A-Za-z0-9.+=-]+", "_", "-".join(parts)))


@contextmanager
def progress() -> Iterator[OnProgress]:
    """Stage, time, density and time left, on standard error."""
    from openff_bytepol.properties.planning import duration_text
    from openff_bytepol.properties.production import Progress as Now

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"))
    with Progress(*columns, console=messages) as bar:

        def show(now: Now) -> None:
            task = bar.task_ids[0] if bar.task_ids else bar.add_task(now.stage, text="")
            text = f"{now.done:.1f}/{now.total:g} ps"
            if now.density is not None:
                text += f"  {now.density:.3f} g/cm³"
            if now.seconds_left is not None:
                text += f"  {duration_text(now.seconds_left)} left"
            bar.update(task, description=now.stage, completed=now.done, total=now.total, text=text)

        yield show


def _report(found: Estimation, folder: Path, *, as_json: bool) -> None:
    if as_json:
        print_json(found.to_dict())
        return
    table = Table("property", "value", "error", "unit")
    for name, result in found.estimates.items():
        table.add_row(escape(name), *cells(result))
    console.print(table)
    for text in found.notes:
        messages.print(f"[yellow]note:[/] {escape(text)}", soft_wrap=True)
    for name, result in found.estimates.items():
        for text in result.warnings:
            messages.print(f"[yellow]note:[/] {escape(f'{name}: {text}')}", soft_wrap=True)
    for name, reason in found.failures.items():
        messages.print(f"[red]no {escape(name)}:[/] {escape(reason)}", soft_wrap=True)
    messages.print(f"everything is in {escape(str(folder))}", soft_wrap=True)


def cells(result: PropertyEstimate) -> tuple[str, str, str]:
    """Value, error and unit."""
    return f"{result.value:.5g}", f"{result.uncertainty:.2g}", result.unit
