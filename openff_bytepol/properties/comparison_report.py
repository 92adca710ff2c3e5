"""Tables and the report of a data set."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any, Final

from openff_bytepol.properties.comparison import DONE, Comparison, accuracies
from openff_bytepol.properties.figures import Figures, parity_figure
from openff_bytepol.properties.folder import storage, write_parquet, write_text
from openff_bytepol.properties.report import REPORT_FILE, Table, render

TABLE_FILE: Final = "results.csv"
PARQUET_FILE: Final = "results.parquet"
SUMMARY_FILE: Final = "summary.json"


def comparison_rows(comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    """One flat row for each measurement and force field, with units in a column."""
    return [_row(comparison) for comparison in comparisons]


def summary(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Accuracy of every force field, of all liquids and of functional groups, and the cost.

    Returns
    -------
    dict
        Plain JSON.
    """
    return {
        "liquids": len({(c.measurement.substance, c.measurement.state) for c in comparisons}),
        "estimates": sum(c.status == DONE for c in comparisons),
        "without_a_number": sum(c.status != DONE for c in comparisons),
        "accuracy": [_plain(asdict(a)) for _, a in accuracies(comparisons)],
        "by_functional_group": [
            {"group": group, **_plain(asdict(a))}
            for group, a in accuracies(comparisons, by_group=True)
        ],
    }


def write_comparison(folder: Path, comparisons: Sequence[Comparison], title: str) -> list[Path]:
    """Write ``results.csv``, ``results.parquet``, ``summary.json`` and ``report.html``.

    Earlier ones are replaced.

    Raises
    ------
    MissingDependencyError
        If pyarrow or Jinja2 is not installed.
    StorageError
        If the disk is full or the folder not writable.
    """
    rows = comparison_rows(comparisons)
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    paths = [folder / n for n in (TABLE_FILE, PARQUET_FILE, SUMMARY_FILE, REPORT_FILE)]
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_text(paths[0], text.getvalue())
    write_parquet(paths[1], {name: [row[name] for row in rows] for name in rows[0]})
    write_text(paths[2], json.dumps(summary(comparisons), indent=2) + "\n")
    write_text(paths[3], _report(comparisons, title))
    return paths


def _row(c: Comparison) -> dict[str, Any]:
    found, row = c.estimate, c.measurement
    value, error = c.experiment
    return {
        "name": row.name,
        "substance": str(row.substance),
        "temperature_K": row.state.temperature,
        "pressure_atm": row.state.pressure,
        "property": row.property,
        "unit": row.unit if found is None else found.unit,
        "force_field": c.force_field,
        "experiment": _number(value),
        "experimental_uncertainty": _number(error),
        "source": row.source,
        "estimate": None if found is None else found.value,
        "standard_error": None if found is None else _number(found.uncertainty),
        "independent_samples": None if found is None else _number(found.n_effective),
        "status": c.status,
        "reason": c.reason,
        "warnings": "" if found is None else "; ".join(found.warnings),
        "functional_groups": "; ".join(c.groups),
        "wall_seconds": c.cost.get("wall_seconds"),
        "ns_per_day": c.cost.get("ns_per_day"),
        "platform": c.cost.get("platform"),
    }


def _report(comparisons: Sequence[Comparison], title: str) -> str:
    figures = Figures()
    for name in dict.fromkeys(c.measurement.property for c in comparisons):
        points = [
            (
                c.force_field,
                c.experiment[0],
                c.estimate.value,
                c.estimate.uncertainty,
                c.estimate.unit,
            )
            for c in comparisons
            if c.measurement.property == name and c.estimate and math.isfinite(c.deviation)
        ]
        if points:
            parity_figure(figures, name.replace("_", " "), points[0][4], [p[:4] for p in points])
    header = ("force field", "property", "unit", "liquids", "mean absolute", "RMS", "mean signed")
    tables = [
        Table("Deviation from experiment", header, [_cells(a) for _, a in accuracies(comparisons)]),
        Table(
            "By functional group",
            ("group", *header),
            [(group, *_cells(a)) for group, a in accuracies(comparisons, by_group=True)],
        ),
        _liquids(comparisons),
    ]
    warnings = [w for c in comparisons if (w := c.measurement.range_warning())]
    return render(
        title,
        facts=[
            ("force fields", ", ".join(dict.fromkeys(c.force_field for c in comparisons))),
            ("measurements", str(len({id(c.measurement) for c in comparisons}))),
        ],
        tables=tables,
        figures=figures,
        warnings=warnings,
        failures=[
            f"{c.measurement.name}, {c.measurement.property}, {c.force_field}: {c.reason}"
            for c in comparisons
            if c.status != DONE
        ],
    )


def _liquids(comparisons: Sequence[Comparison]) -> Table:
    """Experiment and every force field side by side."""
    names = list(dict.fromkeys(c.force_field for c in comparisons))
    lines: dict[int, dict[str, Comparison]] = {}
    for c in comparisons:
        lines.setdefault(id(c.measurement), {})[c.force_field] = c
    rows = []
    for found in lines.values():
        first = next(iter(found.values()))
        unit = next((c.estimate.unit for c in found.values() if c.estimate), first.measurement.unit)
        row = first.measurement
        measured = f"{row.in_unit(unit)[0]:.5g}"
        cells = [_cell(found.get(name)) for name in names]
        hours = [_hours(found.get(name)) for name in names]
        rows.append((row.name, str(row.state), row.property, unit, measured, *cells, *hours))
    header = ("liquid", "state", "property", "unit", "experiment", *names)
    return Table("Liquids", (*header, *(f"wall time, {name}" for name in names)), rows)


def _cell(c: Comparison | None) -> str:
    if c is None or c.estimate is None:
        return "–"
    return f"{c.estimate.value:.5g} ± {c.estimate.uncertainty:.2g}"


def _hours(c: Comparison | None) -> str:
    from openff_bytepol.properties.planning import duration_text

    seconds = None if c is None else c.cost.get("wall_seconds")
    return "–" if seconds is None else duration_text(seconds)


def _cells(a: Any) -> tuple[str, ...]:
    return (
        a.force_field,
        a.property,
        a.unit,
        str(a.n),
        f"{a.mean_absolute:.3g} ± {a.mean_absolute_error:.1g}",
        f"{a.root_mean_square:.3g}",
        f"{a.mean_signed:+.3g}",
    )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {k: _number(v) if isinstance(v, float) else v for k, v in values.items()}
