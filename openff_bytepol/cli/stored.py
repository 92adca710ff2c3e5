"""``bytepol reweight`` and ``bytepol gradients``: more from runs that ``estimate`` left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from openff_bytepol.cli.estimate import PlatformOption, cells
from openff_bytepol.cli.output import (
    ForceOption,
    JsonOption,
    console,
    messages,
    print_files,
    print_json,
)
from openff_bytepol.exceptions import OutputExistsError, PropertyError, SamplingError

if TYPE_CHECKING:
    from openff_bytepol.properties.gradients import PropertyGradient

FramesOption = Annotated[int, typer.Option("--frames", help="Most frames to use of a run.", min=4)]
PropertiesOption = Annotated[
    list[str] | None,
    typer.Option("--property", "-p", help="density or hvap; repeatable; density by default."),
]


def reweight(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders of `bytepol estimate`, of one liquid.")
    ],
    force_fields: Annotated[
        list[str],
        typer.Option("--force-field", "-f", help="Asked for; repeatable."),
    ],
    properties: PropertiesOption = None,
    ensemble: Annotated[
        bool,
        typer.Option(
            "--ensemble", help="Spread between the members of the model the run was made with."
        ),
    ] = False,
    frames: FramesOption = 1000,
    minimum: Annotated[
        float, typer.Option(help="Effective samples below which a result is refused.", min=1.0)
    ] = 20.0,
    platform: PlatformOption = None,
    as_json: JsonOption = False,
) -> None:
    """Properties of other force fields from stored trajectories (MBAR), without simulating.

    Results with too few effective samples are refused.
    """
    from openff_bytepol.properties.force_fields import Parameters
    from openff_bytepol.properties.stored import StoredRun
    from openff_bytepol.properties.transfer import ensemble_spread, reweighted

    names = properties or ["density"]
    options: dict[str, Any] = {"platform": platform, "minimum": minimum}
    runs = [StoredRun.load(folder, most=frames) for folder in folders]
    if ensemble and (len(runs) > 1 or len(force_fields) > 1):
        raise PropertyError("--ensemble takes one folder and the force field it was made with")
    estimates: dict[str, Any] = {}
    failures: dict[str, str] = {}
    for name in force_fields:
        target = Parameters.load(name)
        try:
            if ensemble:
                estimates[name] = ensemble_spread(runs[0], target, names, **options)
            else:
                estimates[name] = reweighted(runs, target, names, **options)
        except SamplingError as error:
            failures[name] = str(error)
    if as_json:
        found = {n: {p: e.to_dict() for p, e in row.items()} for n, row in estimates.items()}
        print_json({"estimates": found, "failures": failures})
    else:
        table = Table("force field", "property", "value", "error", "unit", "effective samples")
        for name, row in estimates.items():
            for what, estimate in row.items():
                samples = f"{estimate.n_effective:.0f}"
                table.add_row(escape(name), escape(what), *cells(estimate), samples)
        console.print(table)
        for name, reason in failures.items():
            messages.print(f"[red]no {escape(name)}:[/] {escape(reason)}", soft_wrap=True)
    if failures and not estimates:
        raise typer.Exit(1)


def gradients(
    folder: Annotated[Path, typer.Argument(help="Of `bytepol estimate`.")],
    force_field: Annotated[
        str, typer.Option("--force-field", "-f", help="That the run was made with.")
    ] = "bytepol.offxml",
    properties: PropertiesOption = None,
    frames: FramesOption = 50,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Safetensors file of the derivatives by every weight."),
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Derivatives of density and enthalpy of vaporization by the weights of the network.

    By the fluctuation formula and automatic differentiation over stored frames; for
    sensitivity analysis, not for fitting to experiment.
    """
    from openff_bytepol.properties.force_fields import Parameters
    from openff_bytepol.properties.stored import StoredRun
    from openff_bytepol.properties.transfer import gradients as differentiate

    if output is not None and output.exists() and not force:
        raise OutputExistsError(f"{output} exists; pass --force to replace it")
    run = StoredRun.load(folder, most=frames)
    found = differentiate(run, Parameters.load(force_field), properties or ["density"])
    document = {name: _summary(gradient) for name, gradient in found.items()}
    if output is not None:
        _save(output, found)
    if as_json:
        print_json({"frames": len(run.liquid.frames), "gradients": document})
        return
    table = Table("property", "value", "unit", "norm by weights", "largest by parameters")
    for name, row in document.items():
        largest = ", ".join(f"{what} {value:.3g}" for what, value in row["largest"].items())
        table.add_row(name, f"{row['value']:.5g}", row["unit"], f"{row['norm']:.3g}", largest)
    console.print(table)
    if output is not None:
        print_files([output])


def _summary(gradient: PropertyGradient) -> dict[str, Any]:
    """Value, norms by tensor, and the largest derivatives by parameters of the molecules."""
    from openff_bytepol.parameters import ATOM_PARAMETERS

    norms = {name: float(values.norm()) for name, values in gradient.weights.items()}
    largest = {
        name: max(float(p.abs().max()) for p in tensors)
        for name in ATOM_PARAMETERS
        if (tensors := [getattr(p, name) for p in gradient.parameters])
    }
    return {
        "value": gradient.value,
        "unit": gradient.unit,
        "norm": sum(norm**2 for norm in norms.values()) ** 0.5,
        "norms_by_weight": norms,
        "largest": largest,
    }


def _save(path: Path, found: dict[str, PropertyGradient]) -> None:
    from safetensors.torch import save_file

    from openff_bytepol.properties.folder import storage

    tensors = {
        f"{name}/{weight}": values.contiguous()
        for name, gradient in found.items()
        for weight, values in gradient.weights.items()
    }
    part = path.with_name(f".{path.name}.part")
    with storage(path):
        try:
            save_file(tensors, part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
