"""``bytepol data``: import, check, show, merge and split reference data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from openff_bytepol.cli.output import (
    ErrorReportingGroup,
    ForceOption,
    JsonOption,
    console,
    messages,
    print_files,
    print_json,
)

if TYPE_CHECKING:
    from openff_bytepol.training.datasets.validation import Report

app = typer.Typer(cls=ErrorReportingGroup, no_args_is_help=True, help="Reference data files.")

FileArgument = Annotated[Path, typer.Argument(help="Parquet file of reference data.")]


@app.command("import")
def import_(
    file: Annotated[Path | None, typer.Argument(help="File to read.")] = None,
    reader: Annotated[str, typer.Option("--reader", "-r", help="How to read it.")] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Parquet file; default: beside.")
    ] = None,
    level: Annotated[
        list[str] | None, typer.Option(help="Level of theory allowed; may be repeated.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Subset to leave out; may be repeated.")
    ] = None,
    weight: Annotated[float, typer.Option(help="Weight of dimers in the loss.", min=0.0)] = 1.0,
    trust_units: Annotated[
        bool, typer.Option("--trust-units", help="Keep values that look like another unit's.")
    ] = False,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Convert a published or own file to a checked Parquet file; without FILE, list readers."""
    from openff_bytepol.exceptions import DataError
    from openff_bytepol.training.datasets.files import import_file
    from openff_bytepol.training.datasets.readers import READERS

    if file is None:
        readers = {name: {"kind": r.kind, "source": r.source} for name, r in READERS.items()}
        if as_json:
            print_json(readers)
            return
        table = Table("reader", "gives", "reads")
        for name, row in readers.items():
            table.add_row(name, row["kind"], row["source"])
        console.print(table)
        return
    if not reader:
        raise DataError(
            f"{file}: say how to read it with --reader; `bytepol data import` lists them"
        )
    path = output or Path(f"{file.name.split('.')[0]}.parquet")
    report = import_file(
        file, reader, path, levels=level or (), exclude_subsets=exclude or (), weight=weight,
        trust_units=trust_units, overwrite=force,
    )  # fmt: skip
    if as_json:
        print_json({"file": str(path), **report.to_dict()})
        return
    _print_report(report)
    print_files([path, path.with_suffix(".json")])


@app.command("check")
def check(
    file: FileArgument,
    level: Annotated[
        list[str] | None, typer.Option(help="Level of theory allowed; may be repeated.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look for duplicates, broken sums, impossible geometries, wrong units; then exit code 1."""
    from openff_bytepol.training.datasets.files import open_table
    from openff_bytepol.training.datasets.validation import require_level, validate

    kind, rows = open_table(file)
    if level:
        require_level(rows, level, str(file))
    _, report = validate(kind, rows)
    if as_json:
        print_json(report.to_dict())
    else:
        _print_report(report)
    if not report.clean:
        raise typer.Exit(1)


@app.command("show")
def show(file: FileArgument, as_json: JsonOption = False) -> None:
    """Schema with units, provenance, levels and contents of a file."""
    from openff_bytepol.training.datasets.files import describe

    found = describe(file)
    if as_json:
        print_json(found)
        return
    console.print(
        f"{found['kind']} (version {found['version']}): {found['entries']} entries, "
        f"{found['molecules']} molecules, {found['groups']} groups for splitting"
    )
    table = Table("field", "unit", "what")
    for name, row in found["fields"].items():
        table.add_row(name, row["unit"], row["description"])
    console.print(table)
    for title in ("levels", "subsets", "provenance"):
        for key, value in found[title].items():
            console.print(f"{title}: {escape(str(key))}: {escape(str(value))}", soft_wrap=True)


@app.command("merge")
def merge(
    files: Annotated[list[Path], typer.Argument(help="Parquet files of one kind.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Parquet file.")],
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Put files of one kind together in a small one, without duplicates."""
    from openff_bytepol.training.datasets.files import merge_files

    result = merge_files(files, output, overwrite=force)
    if as_json:
        print_json(result)
        return
    console.print(
        f"{result['kind']}: {result['kept']} of {result['read']} entries, "
        f"{result['duplicates']} duplicates, {result['bytes'] / 1000:.0f} kB"
    )
    print_files([output])


@app.command("split")
def split(
    file: FileArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder.")] = Path("split"),
    fraction: Annotated[
        float, typer.Option(help="Share of groups held out for the test.", min=0.0, max=0.6)
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="Of the assignment.")] = 1,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train, validation and test files, by pair of molecules or scaffold, with their hashes."""
    from openff_bytepol.training.datasets.files import split_file

    result = split_file(file, output, fraction=fraction, seed=seed, overwrite=force)
    if as_json:
        print_json(result)
        return
    table = Table(f"split by {result['by']}", "entries", "groups", "sha256")
    for row in result["files"].values():
        table.add_row(row["file"], str(row["entries"]), str(row["groups"]), row["sha256"][:16])
    console.print(table)
    print_files(
        [output / row["file"] for row in result["files"].values()] + [output / "split.json"]
    )


def _print_report(report: Report) -> None:
    console.print(f"{report.kind}: {report.kept} of {report.read} entries pass")
    for level, count in report.levels.items():
        console.print(f"  {escape(level)}: {count}")
    for reason, count in report.dropped.items():
        names = ", ".join(report.examples.get(reason, []))
        console.print(
            f"dropped {count}: {escape(reason)}" + (f" ({escape(names)})" if names else "")
        )
    for suspicion in report.units:
        messages.print(f"[yellow]units:[/] {escape(suspicion)}", soft_wrap=True)
