"""``bytepol evaluate geometries``: optimised molecules against AIMNet2."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from openff_bytepol.cli.output import (
    JsonOption,
    ModelOption,
    console,
    counting_progress,
    print_json,
)

if TYPE_CHECKING:
    from openff_bytepol.nn.model import Model
    from openff_bytepol.training.geometries import GeometryErrors, Term

_WORST = 5


def geometries(
    molecules: Annotated[
        Path, typer.Argument(help="SMILES: a .smi file, or CSV with a column smiles.")
    ],
    count: Annotated[int, typer.Option(help="Molecules, diverse.", min=1)] = 50,
    seed: Annotated[int, typer.Option(help="Of the choice and of conformers.")] = 1,
    max_heavy_atoms: Annotated[int, typer.Option(help="Of a molecule.", min=1)] = 12,
    deviation_limit: Annotated[
        float,
        typer.Option(help="Of AIMNet2's networks about forces, kcal/mol/Å.", min=0.0),
    ] = 4.0,
    model: ModelOption = "bytepol",
    as_json: JsonOption = False,
) -> None:
    """Bond lengths and angles of optimised molecules against AIMNet2, errors by kind."""
    from openff_bytepol.models import load_model
    from openff_bytepol.training.geometries import STATISTICS, UNITS, choose_molecules

    loaded = load_model(model)
    chosen, unreadable = choose_molecules(
        molecules, count=count, max_heavy_atoms=max_heavy_atoms, seed=seed
    )
    errors = _evaluate(loaded, chosen, seed=seed, deviation_limit=deviation_limit)
    left_out = unreadable | errors.left_out
    if as_json:
        kinds: dict[str, Any] = {
            kind: {
                "unit": unit,
                "groups": errors.summary(kind),
                "worst": [_worst(term) for term in errors.worst(kind, _WORST)],
            }
            for kind, unit in UNITS.items()
        }
        rmsd = {"unit": "Å", "median": errors.median_rmsd, "molecules": errors.rmsd}
        details = {"reference": "AIMNet2", "n": len(errors.rmsd), "left_out": left_out}
        print_json({**details, **kinds, "rmsd": rmsd})
        return
    for kind, unit in UNITS.items():
        names = (name.replace("_", " ") for name in STATISTICS)
        table = Table(f"{kind}, {unit}", "n", *names)
        digits = 4 if kind == "bonds" else 2
        for group, row in errors.summary(kind).items():
            table.add_row(group, str(row["n"]), *(f"{row[s]:.{digits}f}" for s in STATISTICS))
        console.print(table)
        for term in errors.worst(kind, _WORST):
            atoms = "–".join(str(atom + 1) for atom in term.atoms)
            console.print(
                f"{escape(term.smiles)}, {term.group}, atoms {atoms}: {term.predicted:.{digits}f}, "
                f"AIMNet2 {term.reference:.{digits}f}",
                soft_wrap=True,
            )
    console.print(
        f"{len(errors.rmsd)} molecules, median RMSD of heavy atoms {errors.median_rmsd:.3f} Å"
    )
    console.print(f"left out: {len(left_out)} molecules")
    for smiles, reason in left_out.items():
        console.print(f"{escape(smiles)}: {escape(reason)}", soft_wrap=True)


def _evaluate(model: Model, chosen: list[str], **options: Any) -> GeometryErrors:
    from openff_bytepol.training.geometries import evaluate_geometries

    with counting_progress() as progress:
        task = progress.add_task("Minimising", total=len(chosen))

        def show(done: int, smiles: str) -> None:
            progress.update(task, completed=done, description=escape(smiles))

        return evaluate_geometries(model, chosen, on_molecule=show, **options)


def _worst(term: Term) -> dict[str, Any]:
    numbers = [atom + 1 for atom in term.atoms]
    return {**term._asdict(), "atoms": numbers, "error": term.error}
