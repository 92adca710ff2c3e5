"""``bytepol-al server``: the embedded QCArchive on the command line."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from openff_bytepol.cli.output import ErrorReportingGroup, JsonOption, console, print_json

app = typer.Typer(
    cls=ErrorReportingGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="An embedded QCArchive in a folder: database, server and compute managers.",
)

FolderArgument = Annotated[
    Path,
    typer.Argument(help="Folder of the server; a campaign's is CAMPAIGN/labeller/server."),
]


@app.command()
def start(  # noqa: PLR0917  (options of a command)
    folder: FolderArgument,
    managers: Annotated[int, typer.Option(min=0, help="Compute managers to start.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Records computed at once by each.")] = 1,
    cores: Annotated[int, typer.Option(min=1, help="Cores of each worker.")] = 1,
    memory: Annotated[float, typer.Option(min=0.1, help="Memory of each worker, GiB.")] = 2.0,
    as_json: JsonOption = False,
) -> None:
    """Start the server, or find it running; it goes on in the background."""
    from active_learning.server.control import start_server
    from active_learning.server.layout import ServerSettings

    server = start_server(folder, ServerSettings(managers, workers, cores, memory))
    if as_json:
        print_json({"uri": server.uri, "pid": server.pid, "started": server.started})
    else:
        found = "started" if server.started else "already running"
        console.print(f"{found}: {server.uri} (process {server.pid})", soft_wrap=True)


@app.command()
def status(folder: FolderArgument, as_json: JsonOption = False) -> None:
    """Whether the server runs, stopped cleanly or crashed."""
    from active_learning.server.control import server_status

    found = asdict(server_status(folder))
    if as_json:
        print_json(found)
    else:
        for name, value in found.items():
            console.print(f"{name}: {value}", soft_wrap=True)


@app.command()
def stop(folder: FolderArgument, as_json: JsonOption = False) -> None:
    """Stop the server and what it started; records stay."""
    from active_learning.server.control import stop_server

    stopped = stop_server(folder)
    if as_json:
        print_json({"stopped": stopped})
    else:
        console.print("stopped" if stopped else "nothing was running")
