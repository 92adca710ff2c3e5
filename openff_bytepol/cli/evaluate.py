"""``bytepol evaluate``: a model against quantum-chemical references."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from openff_bytepol.cli.approaches import approaches
from openff_bytepol.cli.geometries import geometries
from openff_bytepol.cli.output import (
    ErrorReportingGroup,
    ForceOption,
    JsonOption,
    ModelOption,
    console,
    print_files,
    print_json,
)

app = typer.Typer(
    cls=ErrorReportingGroup,
    no_args_is_help=True,
    help="Compare a model with reference energies and geometries.",
)
app.command("geometries")(geometries)
app.command("approaches")(approaches)

OpenMMOption = Annotated[
    int,
    typer.Option(help="How many entries to compute through OpenMM, too, as a check.", min=0),
]
PlotOption = Annotated[Path | None, typer.Option("--plot", help="PNG file with parity plots.")]


@app.command("dimers")
def dimers(
    file: Annotated[
        Path, typer.Argument(help="Extended XYZ file of dimers, may be gzipped, or Parquet.")
    ],
    layout: Annotated[
        Literal["ncia", "sapt10k"], typer.Option(help="Names of the fields in comment lines.")
    ] = "ncia",
    model: ModelOption = "bytepol",
    through_openmm: OpenMMOption = 8,
    plot: PlotOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Interaction energies by component against a decomposition, errors by subset."""
    from openff_bytepol.interop.outputs import check_absent
    from openff_bytepol.models import load_model
    from openff_bytepol.training.dimer_files import read_dimers
    from openff_bytepol.training.evaluate import COMPONENTS, evaluate_dimers
    from openff_bytepol.training.labels.schema import read_table
    from openff_bytepol.training.openmm_check import check_dimers
    from openff_bytepol.training.plots import plot_parity
    from openff_bytepol.training.targets.dimers import DIMERS

    check_absent([] if plot is None else [plot], overwrite=force)
    dropped: dict[str, int] = {}
    if file.suffix == ".parquet":
        rows = read_table(file, DIMERS)
    else:
        read = read_dimers(file, layout)
        rows, dropped = read.rows, dict(read.dropped)
    errors = evaluate_dimers(load_model(model), rows)
    difference = check_dimers(errors.rows, errors.parameters, through_openmm)
    if plot is not None:
        plot_parity(errors, plot)
    statistics = {
        "mean_absolute_error": errors.mean_absolute,
        "root_mean_square_error": errors.root_mean_square,
        "mean_signed_error": errors.mean_signed,
    }
    summary = {
        name: errors.by(lambda row: str(row["subset"]), statistic)
        | {"all": statistic() | {"n": len(errors.rows)}}
        for name, statistic in statistics.items()
    }
    if as_json:
        details = {
            "levels": sorted({str(row["level"]) for row in errors.rows}),
            "openmm": {"n": through_openmm, "largest_difference": difference},
            "left_out": {"unusable": dropped, "refused": errors.refused},
        }
        print_json({"unit": "kcal/mol", **details, **summary})
        return
    groups = summary["mean_absolute_error"]
    table = Table("MAE, kcal/mol", "n", *COMPONENTS)
    for name, row in groups.items():
        table.add_row(name, str(row["n"]), *(f"{row[c]:.2f}" for c in COMPONENTS))
    console.print(table)
    for name in ("root_mean_square_error", "mean_signed_error"):
        values = ", ".join(f"{c} {summary[name]['all'][c]:.2f}" for c in COMPONENTS)
        console.print(f"{name.replace('_', ' ')}, all: {values}")
    console.print(
        f"left out: {sum(dropped.values())} unusable dimers, "
        f"{len(errors.refused)} molecules outside the model"
    )
    _print_difference(difference, through_openmm)
    print_files([] if plot is None else [plot])


@app.command("torsions")
def torsions(
    file: Annotated[Path, typer.Argument(help="JSON file of torsion scans.")],
    model: ModelOption = "bytepol",
    through_openmm: OpenMMOption = 4,
    as_json: JsonOption = False,
) -> None:
    """Relative energies along torsions, RMSE of every molecule and method."""
    from openff_bytepol.models import load_model
    from openff_bytepol.training.evaluate import evaluate_torsions, predict_molecules
    from openff_bytepol.training.openmm_check import check_torsions
    from openff_bytepol.training.references import read_torsion_scans
    from openff_bytepol.training.report import torsion_summary

    loaded, scans = load_model(model), read_torsion_scans(file)
    rows = evaluate_torsions(loaded, scans)
    summary = torsion_summary(rows)
    parameters, _ = predict_molecules(loaded, (s.mapped_smiles for s in scans[:through_openmm]))
    difference = check_torsions(scans, parameters, through_openmm)
    if as_json:
        checked = {"n": through_openmm, "largest_difference": difference}
        print_json({"unit": "kcal/mol", "openmm": checked, "molecules": rows, "mean_rmse": summary})
        return
    table = Table("mean RMSE, kcal/mol", *(key for key in summary if key != "refused"))
    for method in summary["neutral"]:
        values = (summary[group].get(method) for group in ("neutral", "ions"))
        table.add_row(method, *(_number(value) for value in values))
    console.print(table)
    _print_difference(difference, through_openmm)


@app.command("three-body")
def three_body(
    file: Annotated[
        Path, typer.Argument(help="Parquet file of clusters, or archive of GSCDB138 with 3B-69.")
    ],
    model: ModelOption = "bytepol",
    as_json: JsonOption = False,
) -> None:
    """Three-body energies of trimers against quantum chemistry, errors by subset."""
    from openff_bytepol.models import load_model
    from openff_bytepol.training.three_body import (
        STATISTICS,
        evaluate_three_body,
        read_three_body,
    )

    rows = read_three_body(file)
    errors = evaluate_three_body(load_model(model), rows)
    groups = errors.by(lambda row: str(row["subset"])) | {"all": errors.summary()}
    if as_json:
        trimers = [
            {"name": row["name"], "reference": reference, "predicted": predicted}
            for row, reference, predicted in zip(
                errors.rows, errors.reference.tolist(), errors.predicted.tolist(), strict=True
            )
        ]
        details = {
            "levels": sorted({str(row["level"]) for row in errors.rows}),
            "left_out": {"entries": len(rows) - len(errors.rows), "refused": errors.refused},
        }
        print_json({"unit": "kcal/mol", **details, "groups": groups, "trimers": trimers})
        return
    table = Table("kcal/mol", "n", *(name.replace("_", " ") for name in STATISTICS))
    for name, group in groups.items():
        table.add_row(name, str(group["n"]), *(f"{group[s]:.3f}" for s in STATISTICS))
    console.print(table)
    console.print(
        f"left out: {len(rows) - len(errors.rows)} entries, "
        f"{len(errors.refused)} molecules outside the model"
    )


@app.command("eda")
def eda(
    folders: Annotated[list[Path], typer.Argument(help="Folders with NAME_0.xyz … and EDA.json.")],
    model: ModelOption = "bytepol",
    plot: PlotOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Dimer scans and clusters against ALMO-EDA components."""
    from openff_bytepol.interop.outputs import check_absent
    from openff_bytepol.models import load_model
    from openff_bytepol.training.eda_scans import (
        COMPONENTS,
        compare_with_eda,
        plot_comparisons,
        read_eda_system,
    )

    check_absent([] if plot is None else [plot], overwrite=force)
    systems = [read_eda_system(folder) for folder in folders]
    loaded = load_model(model)
    comparisons = [compare_with_eda(system, loaded) for system in systems]
    if plot is not None:
        plot_comparisons(comparisons, plot)
    if as_json:
        print_json([comparison.to_dict() for comparison in comparisons])
        return
    table = Table("MAE, kcal/mol", "frames", *COMPONENTS)
    for comparison in comparisons:
        errors = comparison.mean_absolute_errors()
        frames = str(len(comparison.reference["TOTAL"]))
        table.add_row(comparison.name, frames, *(f"{errors[c]:.2f}" for c in COMPONENTS))
    console.print(table)
    print_files([] if plot is None else [plot])


@app.command("projection")
def projection(
    inputs: Annotated[list[str], typer.Argument(help="SMILES, or SDF, CSV or SMI files.")],
    model: ModelOption = "bytepol",
    plot: Annotated[Path | None, typer.Option("--plot", help="PNG file with curves.")] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """What fixed charges change: torsion profiles, and dimers with a copy and with water."""
    from openff_bytepol.cli.inputs import read_molecules
    from openff_bytepol.interop.outputs import check_absent
    from openff_bytepol.models import predict
    from openff_bytepol.projection import compare, plot_comparison

    check_absent([] if plot is None else [plot], overwrite=force)
    named = read_molecules([*inputs, "O"])
    *molecules, water = [one.to_openff() for one in named]
    *parameters, probe = predict([*molecules, water], model=model)
    names = [one.name for one in named[:-1]]
    comparisons = compare(parameters, molecules, names=names, probe=(probe, water))
    if plot is not None:
        plot_comparison(comparisons, plot, overwrite=force)
    if as_json:
        print_json([comparison.to_dict() for comparison in comparisons])
        return
    table = Table(
        "kcal/mol, Å",
        "torsion RMSD",
        "unfitted",
        "dimer with",
        "polarizable minimum",
        "fixed charges",
    )
    for comparison in comparisons:
        row = comparison.to_dict()
        torsions = [_number(row[f"torsion_rmsd_{kind}"]) for kind in ("refit", "copy")]
        for partner, curves in row["dimers"].items():
            minima = (curves[f"{kind}_minimum"] for kind in ("polarizable", "fixed_charge"))
            found = [f"{m['energy']:.2f} at {m['contact']:.2f}" for m in minima]
            with_whom = "water" if partner == "probe" else partner
            table.add_row(comparison.name, *torsions, with_whom, *found)
    console.print(table)
    print_files([] if plot is None else [plot])


def _print_difference(difference: float, count: int) -> None:
    if count:
        console.print(f"{count} of them through OpenMM: within {difference:.1e} kcal/mol of torch")


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.2f}"
