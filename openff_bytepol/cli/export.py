"""``bytepol export``: files for OpenMM, GROMACS and AMBER."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openff_bytepol.cli.output import (
    ForceOption,
    JsonOption,
    ModelOption,
    messages,
    print_files,
    print_json,
)
from openff_bytepol.cli.systems import (
    BoxOption,
    CopiesOption,
    DensityOption,
    TemplateOption,
    build_interchange,
    build_topology,
)

if TYPE_CHECKING:
    from openff.interchange import Interchange


class Engine(StrEnum):
    """Where to."""

    OPENMM = "openmm"
    GROMACS = "gromacs"
    AMBER = "amber"


_MAIN_FILE = {Engine.OPENMM: "_system.xml", Engine.GROMACS: ".top", Engine.AMBER: ".prmtop"}


def export(
    molecules: Annotated[
        list[str],
        typer.Argument(help="SMILES, or SDF, PDB, SMI or CSV files.", metavar="SMILES|FILE..."),
    ],
    prefix: Annotated[
        Path, typer.Option("--output", "-o", help="Path of the files, without extension.")
    ],
    to: Annotated[str, typer.Option(help="openmm, gromacs, amber; comma-separated.")] = "openmm",
    copies: CopiesOption = None,
    density: DensityOption = None,
    box: BoxOption = None,
    template: TemplateOption = None,
    fixed: Annotated[bool, typer.Option("--fixed", help="Fixed charges in OpenMM, too.")] = False,
    model: ModelOption = "bytepol",
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write simulation files of a molecule or a packed box.

    OpenMM files hold the polarizable force field; GROMACS and AMBER files, and all files
    with --fixed, hold its fixed-charge projection.
    """
    engines = _parse(to)
    _check_absent(prefix, engines, overwrite=force)
    topology = build_topology(
        molecules, copies=copies or (), density=density, box=box, templates=template or ()
    )
    with messages.status("Parameterizing"):
        interchange = build_interchange(topology, model, fixed=fixed)
    written = write_all(interchange, prefix, engines, overwrite=force)
    if as_json:
        print_json({"files": {name: [str(p) for p in paths] for name, paths in written.items()}})
    else:
        for paths in written.values():
            print_files(paths)


def _parse(text: str) -> list[Engine]:
    try:
        return [Engine(name.strip().lower()) for name in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"{error}; choose from {', '.join(Engine)}") from error


def write_all(
    interchange: Interchange, prefix: Path, engines: list[Engine], *, overwrite: bool
) -> dict[str, list[Path]]:
    """Write the files of every engine.

    Raises
    ------
    OutputExistsError
        If files of any of them exist and ``overwrite`` is false; then nothing is written.
    """
    from openff_bytepol.interop.amber import export_amber
    from openff_bytepol.interop.gromacs import export_gromacs
    from openff_bytepol.interop.openmm_files import export_openmm

    writers = {
        Engine.OPENMM: export_openmm,
        Engine.GROMACS: export_gromacs,
        Engine.AMBER: export_amber,
    }
    _check_absent(prefix, engines, overwrite=overwrite)
    return {
        engine.value: writers[engine](interchange, prefix, overwrite=overwrite)
        for engine in engines
    }


def _check_absent(prefix: Path, engines: list[Engine], *, overwrite: bool) -> None:
    from openff_bytepol.interop.outputs import check_absent

    paths = [Path(f"{prefix}{_MAIN_FILE[engine]}") for engine in engines]
    check_absent(paths, overwrite=overwrite)
