"""``bytepol parameterize``: predicted parameters as a table or JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from openff_bytepol.cli.inputs import NamedMolecule, read_molecules
from openff_bytepol.cli.output import (
    ForceOption,
    JsonOption,
    ModelOption,
    console,
    messages,
    print_files,
    print_json,
)
from openff_bytepol.exceptions import ChemistryError

if TYPE_CHECKING:
    from openff_bytepol.nn.model import Model
    from openff_bytepol.parameters import ParameterSet

_ATOM_COLUMNS = {
    "charges": ("q", 4),
    "polarizabilities": ("α", 3),
    "c6": ("C6", 1),
    "radii": ("R", 3),
    "epsilons": ("ε", 3),
    "lambdas": ("λ", 2),
    "ct_epsilons": ("ε_ct", 3),
    "ct_lambdas": ("λ_ct", 2),
}
"""Heading and decimals of each parameter."""
_TERM_COLUMNS = {"bond_k": "k", "bond_r0": "r0", "angle_k": "k", "angle_theta0": "θ0"}
_LARGEST_TABLE = 20
_BATCH = 256
"""Molecules predicted together; more of them show a progress bar."""


def parameterize(
    molecules: Annotated[
        list[str],
        typer.Argument(help="SMILES, or SDF, PDB, SMI or CSV files.", metavar="SMILES|FILE..."),
    ],
    model: ModelOption = "bytepol",
    template: Annotated[
        list[str] | None,
        typer.Option("--template", "-t", help="SMILES of a molecule in a PDB file; repeatable."),
    ] = None,
    terms: Annotated[bool, typer.Option("--terms", help="Show bonded terms, too.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write JSON to this file.")
    ] = None,
    skip_errors: Annotated[
        bool, typer.Option("--skip-errors", help="List molecules that fail, and go on.")
    ] = False,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Predict the parameters of molecules."""
    from openff_bytepol.interop.outputs import check_absent, write_files
    from openff_bytepol.models import load_model

    if output is not None:
        check_absent([output], overwrite=force)
    loaded = load_model(model)
    found = read_molecules(molecules, template or ())
    predicted, failures = _predict(loaded, found, skip_errors=skip_errors)
    if output is not None or as_json:
        document = _document(loaded, predicted, failures)
    if output is not None:
        write_files({output: json.dumps(document, indent=1)}, overwrite=force)
        print_files([output])
    if as_json:
        print_json(document)
        return
    for named, parameters in predicted[:_LARGEST_TABLE]:
        _print_molecule(named.name, parameters, terms=terms)
    if len(predicted) > _LARGEST_TABLE:
        console.print(f"… and {len(predicted) - _LARGEST_TABLE} more; see --output or --json")
    for failure in failures:
        messages.print(f"[yellow]left out[/] {escape(failure['name'])}: {escape(failure['error'])}")
    _print_usage(model)


def _predict(
    model: Model, molecules: list[NamedMolecule], *, skip_errors: bool
) -> tuple[list[tuple[NamedMolecule, ParameterSet]], list[dict[str, str]]]:
    """Predictions in the order given, and the molecules that the model cannot describe."""
    accepted: list[NamedMolecule] = []
    failures: list[dict[str, str]] = []
    for named in molecules if skip_errors else ():
        try:
            model.build_graph(named.value)
            accepted.append(named)
        except ChemistryError as error:
            failures.append({"name": named.name, "error": str(error)})
    if not skip_errors:
        accepted = molecules
    results: list[ParameterSet] = []
    short = len(accepted) <= _BATCH
    with Progress(console=messages, transient=True, disable=short) as progress:
        task = progress.add_task("Predicting", total=len(accepted))
        for start in range(0, len(accepted), _BATCH):
            batch = accepted[start : start + _BATCH]
            results += model.predict([named.value for named in batch])
            progress.advance(task, len(batch))
    return list(zip(accepted, results, strict=True)), failures


def _document(
    model: Model,
    predicted: list[tuple[NamedMolecule, ParameterSet]],
    failures: list[dict[str, str]],
) -> dict[str, Any]:
    from openff_bytepol.parameters import ATOM_PARAMETERS, TERM_PARAMETERS

    units = {**ATOM_PARAMETERS}
    for names in TERM_PARAMETERS.values():
        units |= names
    return {
        "model": model.name,
        "sha256": model.sha256,
        "units": units,
        "molecules": [
            {"name": named.name, "parameters": parameters.to_dict()}
            for named, parameters in predicted
        ],
        "failed": failures,
    }


def _print_molecule(name: str, parameters: ParameterSet, *, terms: bool) -> None:
    from openff_bytepol.parameters import ATOM_PARAMETERS

    symbols = _labels(parameters)
    table = _table(name, "atom")
    for field, (title, _) in _ATOM_COLUMNS.items():
        _add_column(table, title, ATOM_PARAMETERS[field])
    for atom, symbol in enumerate(symbols):
        table.add_row(
            symbol,
            *(
                f"{float(getattr(parameters, field)[atom]):.{decimals}f}"
                for field, (_, decimals) in _ATOM_COLUMNS.items()
            ),
        )
    console.print(table)
    if terms:
        for table in _term_tables(parameters, symbols):
            console.print(table)
    else:
        console.print(
            f"{len(parameters.bonds)} bonds, {len(parameters.angles)} angles, "
            f"{len(parameters.propers)} torsions, {len(parameters.impropers)} impropers "
            "(--terms shows them)\n"
        )


def _term_tables(parameters: ParameterSet, symbols: list[str]) -> list[Table]:
    from openff_bytepol.parameters import TERM_PARAMETERS

    tables = []
    for index, fields in TERM_PARAMETERS.items():
        atoms = getattr(parameters, index)
        if not len(atoms):
            continue
        table = _table(index, "atoms")
        for field, unit in fields.items():
            if field == "proper_k":
                for n in range(1, 5):
                    _add_column(table, f"k{n}", unit)
            else:
                _add_column(table, _TERM_COLUMNS.get(field, "k"), unit)
        for row, term in enumerate(atoms.tolist()):
            values = [v for field in fields for v in getattr(parameters, field)[row].flatten()]
            name = "-".join(symbols[atom] for atom in term)
            table.add_row(name, *(f"{float(value):.4f}" for value in values))
        tables.append(table)
    return tables


def _table(title: str, first: str) -> Table:
    table = Table(
        title=escape(title),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column(first, no_wrap=True)
    return table


def _add_column(table: Table, title: str, unit: str) -> None:
    table.add_column(f"{title}\n{unit.replace('·', chr(10) + '·')}", justify="right", no_wrap=True)


def _labels(parameters: ParameterSet) -> list[str]:
    from rdkit import Chem

    periodic_table = Chem.GetPeriodicTable()
    return [
        f"{periodic_table.GetElementSymbol(number)}{index}"
        for index, number in enumerate(parameters.atomic_numbers.tolist())
    ]


def _print_usage(model: str) -> None:
    if model == "bytepol":
        line = 'ForceField("bytepol.offxml")'
        hint = f"In Python: [bold]{line}[/]; fixed charges: [bold]bytepol-fixed.offxml[/]"
    else:
        hint = f"As a force field: [bold]bytepol models offxml {escape(model)} --output FILE[/]"
    messages.print(hint)
