"""``bytepol simulate``: molecular dynamics of a liquid from a YAML file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from openff_bytepol.cli import liquid
from openff_bytepol.cli.output import (
    ForceOption,
    JsonOption,
    counting_progress,
    messages,
    print_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from openff.interchange import Interchange


def simulate(
    config: Annotated[Path, typer.Argument(help="YAML file that describes the liquid.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory of the run.")],
    steps: Annotated[
        int | None, typer.Option(help="Time steps, instead of the file's.", min=1)
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate a liquid with the polarizable force field.

    The same command goes on where an interrupted run stopped.
    """
    settings = liquid.read_config(config)
    if steps is not None:
        settings = settings.model_copy(update={"steps": steps})
    _, records = run_liquid(settings, output, overwrite=force)
    report(records, output, as_json=as_json)


def run_liquid(
    config: liquid.LiquidConfig, directory: Path, *, overwrite: bool
) -> tuple[Interchange, list[liquid.Record]]:
    """Prepare and run, or go on, with progress on standard error."""
    from openff_bytepol.interop.simulation import failed_state_saved

    resume = liquid.prepare_directory(config, directory, overwrite=overwrite)
    size = sum(component.copies for component in config.components)
    with messages.status("Reading" if resume else f"Packing and parameterizing {size} molecules"):
        interchange = liquid.prepare_interchange(config, directory, resume=resume)
        simulation = liquid.make_liquid_simulation(interchange, config)
    platform = simulation.context.getPlatform().getName()
    messages.print(
        f"{'Going on with' if resume else 'Starting'} {interchange.topology.n_atoms} atoms, "
        f"OpenMM platform {platform}"
    )
    with _progress(config.steps) as on_record, failed_state_saved(simulation, directory):
        records = liquid.run(simulation, config, directory, resume=resume, on_record=on_record)
    return interchange, records


def report(
    records: list[liquid.Record],
    directory: Path,
    *,
    as_json: bool,
    files: list[Path] | None = None,
) -> None:
    """What came out: averages over the second half of the records."""
    half = records[len(records) // 2 :]
    means = {
        name: sum(getattr(record, name) for record in half) / len(half)
        for name in ("potential_energy", "temperature", "density")
    }
    if as_json:
        document: dict[str, Any] = {"directory": str(directory), "last": asdict(records[-1])}
        document["mean_of_second_half"] = means
        if files is not None:
            document["files"] = [str(path) for path in files]
        print_json(document)
        return
    messages.print(
        f"{records[-1].time:g} ps; second half: density {means['density']:.3f} g/cm³, "
        f"{means['temperature']:.0f} K, {means['potential_energy']:.1f} kJ/mol"
    )
    for path in files or []:
        messages.print(f"wrote {escape(str(path))}", soft_wrap=True)
    messages.print(f"everything is in {escape(str(directory))}", soft_wrap=True)


@contextmanager
def _progress(steps: int) -> Iterator[Callable[[liquid.Record], None]]:
    with counting_progress() as progress:
        task = progress.add_task("Minimising", total=steps)

        def show(record: liquid.Record) -> None:
            text = f"{record.temperature:4.0f} K  {record.density:.3f} g/cm³"
            progress.update(task, completed=record.step, description=text)

        yield show
