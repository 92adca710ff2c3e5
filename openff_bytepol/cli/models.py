"""``bytepol models``: what is installed, and how to add to it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.markdown import Markdown
from rich.markup import escape
from rich.table import Table

from openff_bytepol.cli.output import (
    ErrorReportingGroup,
    ForceOption,
    JsonOption,
    ModelOption,
    console,
    messages,
    print_files,
    print_json,
)

app = typer.Typer(cls=ErrorReportingGroup, no_args_is_help=True, help="Models on this machine.")

ModelArgument = Annotated[str, typer.Argument(help="Name or directory of a model.")]
OutputOption = Annotated[Path, typer.Option("--output", "-o", help="Directory to write.")]


@app.command("list")
def list_command(as_json: JsonOption = False) -> None:
    """Models that can be loaded by name."""
    from openff_bytepol.models import list_models, load_model

    found = {name: (path, load_model(path)) for name, path in list_models().items()}
    if as_json:
        print_json([_describe(name, path, model) for name, (path, model) in found.items()])
        return
    table = Table("name", "members", "SHA-256", "directory")
    for name, (path, model) in found.items():
        table.add_row(name, str(model.n_members), model.sha256[:12], str(path))
    console.print(table)


@app.command("show")
def show(model: ModelArgument = "bytepol", as_json: JsonOption = False) -> None:
    """A model's card and configuration."""
    from openff_bytepol.models import load_model
    from openff_bytepol.models.registry import find_model

    directory = find_model(model)
    loaded = load_model(model)
    if as_json:
        print_json(_describe(model, directory, loaded))
        return
    card = directory / "MODEL_CARD.md"
    if card.is_file():
        console.print(Markdown(card.read_text("utf-8")))
    console.print(
        f"\nmembers {loaded.n_members}, SHA-256 {loaded.sha256}\n{escape(str(directory))}"
    )


@app.command("import")
def import_command(
    directory: Annotated[Path, typer.Argument(help="Directory of a ByteFF-Pol checkpoint.")],
    output: OutputOption,
    name: Annotated[str | None, typer.Option(help="Name of the model.")] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Convert a published ByteFF-Pol checkpoint."""
    from openff_bytepol.models import import_byteff2

    _save(import_byteff2(directory, name=name or output.name), output, force, as_json)


@app.command("fetch")
def fetch(
    output: OutputOption,
    name: Annotated[str | None, typer.Option(help="Name of the model.")] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Download the published ByteFF-Pol weights and convert them."""
    from openff_bytepol.interop.outputs import check_absent
    from openff_bytepol.models import fetch_byteff2, import_byteff2

    check_absent([output], overwrite=force)
    with TemporaryDirectory() as downloads:
        files = fetch_byteff2(downloads, show_terms=_print_text)
        model = import_byteff2(files, name=name or output.name)
    _save(model, output, force, as_json)


@app.command("offxml")
def offxml(
    model: ModelArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")],
    fixed: Annotated[bool, typer.Option("--fixed", help="Fixed-charge projection.")] = False,
    constraints: Annotated[
        bool,
        typer.Option(help="Constrain bonds to hydrogen, and water."),
    ] = True,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a SMIRNOFF force field that uses a model."""
    from openff_bytepol.models import load_model
    from openff_bytepol.smirnoff.writing import write_offxml

    written = write_offxml(model, output, fixed=fixed, constraints=constraints, overwrite=force)
    if as_json:
        print_json({"file": str(written), "model": model, "sha256": load_model(model).sha256})
    else:
        print_files([written])


@app.command("calibrate")
def calibrate(
    model: ModelArgument,
    training: Annotated[Path, typer.Argument(help="YAML file that the model was trained by.")],
    max_dimers: Annotated[int, typer.Option(help="Held-out dimers to use.", min=1)] = 1500,
    max_molecules: Annotated[int, typer.Option(help="Held-out molecules to use.", min=1)] = 150,
    plot: Annotated[Path | None, typer.Option(help="Draw coverage, as PNG.")] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure a model's uncertainty on held-out labels; ``calibration.json`` beside the weights."""
    from openff_bytepol.uncertainty import calibrate_model

    found = calibrate_model(
        model, training, max_dimers=max_dimers, max_molecules=max_molecules,
        overwrite=force, plot=plot,
    )  # fmt: skip
    if as_json:
        print_json(found.model_dump(exclude={"known_environments"}))
        return
    table = Table("quantity", "unit", "a", "b", "MAE", "NLL", "one error for all", "area", "rank")
    for name, q in found.quantities.items():
        numbers = (
            q.scale, q.floor, q.mean_absolute_error, q.nll, q.nll_constant,
            q.miscalibration_area, q.rank_correlation,
        )  # fmt: skip
        table.add_row(name, q.unit, *(f"{value:.3g}" for value in numbers))
    console.print(table)


@app.command("judge")
def judge_command(
    molecules: Annotated[list[str], typer.Argument(help="SMILES.")],
    model: ModelOption = "bytepol",
    as_json: JsonOption = False,
) -> None:
    """Whether molecules are like those that a model was trained on: in, edge or out."""
    from openff_bytepol.uncertainty import judge

    verdicts = judge(model, molecules)
    if as_json:
        print_json([{"smiles": s} | asdict(v) for s, v in zip(molecules, verdicts, strict=True)])
        return
    for smiles, verdict in zip(molecules, verdicts, strict=True):
        reasons = f": {'; '.join(verdict.reasons)}" if verdict.reasons else ""
        console.print(f"{escape(smiles)}  {verdict.domain}{reasons}", soft_wrap=True)


def _save(model: Any, output: Path, force: bool, as_json: bool) -> None:
    """Write a model with both of its force fields beside it, bonds free as its authors had them."""
    from openff_bytepol.models import save_model
    from openff_bytepol.smirnoff.writing import write_offxml

    directory = save_model(model, output, name=output.name, overwrite=force)
    force_fields = [
        write_offxml(directory, directory / name, fixed=fixed, constraints=False)
        for name, fixed in (("forcefield.offxml", False), ("forcefield-fixed.offxml", True))
    ]
    if as_json:
        print_json(
            _describe(model.name, directory, model) | {"force_fields": list(map(str, force_fields))}
        )
        return
    print_files([directory, *force_fields])
    messages.print(f"use it with [bold]ForceField({str(force_fields[0])!r})[/]", soft_wrap=True)


def _describe(name: str, directory: Path, model: Any) -> dict[str, Any]:
    return {
        "name": name,
        "directory": str(directory),
        "sha256": model.sha256,
        "n_members": model.n_members,
        "config": model.config.model_dump(mode="json"),
        "metadata": model.metadata,
    }


def _print_text(text: str) -> None:
    messages.print(text, markup=False)
