"""``bytepol evaluate approaches``: do molecules fall into each other?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    from openff_bytepol.training.sanity import ClosestApproach

_SHOWN = 10


def approaches(
    molecules: Annotated[
        Path, typer.Argument(help="SMILES: a .smi file, or CSV with a column smiles.")
    ],
    count: Annotated[int, typer.Option(help="Molecules, diverse.", min=1)] = 50,
    partner: Annotated[
        list[str] | None,
        typer.Option(help="SMILES that each meets besides itself; repeatable; water by default."),
    ] = None,
    starts: Annotated[int, typer.Option(help="Random contacts of each pair.", min=1)] = 16,
    seed: Annotated[int, typer.Option(help="Of choice, conformers and contacts.")] = 1,
    max_heavy_atoms: Annotated[int, typer.Option(help="Of a molecule.", min=1)] = 8,
    model: ModelOption = "bytepol",
    as_json: JsonOption = False,
) -> None:
    """Closest heavy atoms of two molecules where a model binds them.

    Exit code 1 if any two molecules fall into each other. Ions are left out.
    """
    from openff_bytepol.models import load_model
    from openff_bytepol.training.geometries import choose_molecules

    chosen, unreadable = choose_molecules(
        molecules, count=count, max_heavy_atoms=max_heavy_atoms, seed=seed
    )
    left_out = dict(unreadable)
    found = _evaluate(
        load_model(model), chosen, partner or ["O"], left_out, n_starts=starts, seed=seed
    )
    found.sort(key=lambda approach: approach.fraction)
    collapsed = [approach for approach in found if approach.collapses]
    if as_json:
        print_json(
            {
                "pairs": [approach._asdict() for approach in found],
                "collapsed": len(collapsed),
                "left_out": left_out,
            }
        )
    else:
        table = Table("molecules", "atoms", "Å", "of the sum of radii", "kcal/mol")
        for one in [*collapsed, *found[len(collapsed) :][:_SHOWN]]:
            table.add_row(
                escape(" ".join(one.smiles)), one.elements, f"{one.distance:.2f}",
                f"{one.fraction:.2f}", f"{one.energy:.1f}",
            )  # fmt: skip
        console.print(table)
        console.print(f"{len(found)} pairs, {len(collapsed)} collapse")
        for smiles, reason in left_out.items():
            console.print(f"left out: {escape(smiles)}: {escape(reason)}", soft_wrap=True)
    if collapsed:
        raise typer.Exit(1)


def _evaluate(
    model: Model, chosen: list[str], partners: list[str], left_out: dict[str, str], **options: int
) -> list[ClosestApproach]:
    from rdkit import Chem

    from openff_bytepol.exceptions import BytePolError, DataError
    from openff_bytepol.training.sanity import closest_approaches

    found = []
    with counting_progress() as progress:
        task = progress.add_task("Minimising", total=len(chosen))
        for smiles in chosen:
            progress.update(task, description=escape(smiles))
            pairs = [(smiles, other) for other in dict.fromkeys((smiles, *partners))]
            try:
                if Chem.GetFormalCharge(Chem.MolFromSmiles(smiles)):
                    raise DataError("an ion")
                found += closest_approaches(model, pairs, **options)
            except BytePolError as error:
                left_out[smiles] = str(error)
            progress.advance(task)
    return found
