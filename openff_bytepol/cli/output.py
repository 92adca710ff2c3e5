"""What every command prints, and how errors become exit codes."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from typer.core import TyperGroup

from openff_bytepol.exceptions import BytePolError

console = Console(highlight=False)
"""Results, on standard output."""
messages = Console(stderr=True, highlight=False)
"""Progress, warnings and errors, on standard error."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
ModelOption = Annotated[
    str, typer.Option("--model", "-m", help="Name or directory of the model.", show_default=True)
]


def counting_progress() -> Progress:
    """Bars of long work with what is done of how many, and the time that is left."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeRemainingColumn(), console=messages)


class ErrorReportingGroup(TyperGroup):
    """Commands whose typed errors are one message on standard error and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with _readable_warnings():
                return super().invoke(ctx)
        except BytePolError as error:
            messages.print(
                f"[bold red]{type(error).__name__}:[/] {escape(str(error))}", soft_wrap=True
            )
            raise typer.Exit(1) from error


@contextmanager
def _readable_warnings() -> Iterator[None]:
    """Show this package's warnings as one message each; leave out those of libraries."""
    shown: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: Any) -> None:
        if category.__module__.startswith("openff_bytepol") and str(message) not in shown:
            shown.add(str(message))
            messages.print(f"[yellow]note:[/] {escape(str(message))}", soft_wrap=True)

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show  # type: ignore[assignment]
        yield


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, indent=2, default=str))


def print_files(paths: list[Path]) -> None:
    """What was written."""
    for path in paths:
        messages.print(f"wrote {escape(str(path))}", soft_wrap=True)
