"""Self-contained HTML reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from openff_bytepol.exceptions import MissingDependencyError, PropertyError
from openff_bytepol.properties.catalogue import Legs
from openff_bytepol.properties.estimation import Estimation
from openff_bytepol.properties.figures import Figures, estimate_figures, liquid_figures
from openff_bytepol.properties.folder import write_parquet, write_text
from openff_bytepol.properties.liquid import PRODUCED
from openff_bytepol.properties.planning import duration_text
from openff_bytepol.properties.recorders import read_series
from openff_bytepol.units import GRAM_PER_CM3

REPORT_FILE: Final = "report.html"
SAMPLES_FILE: Final = "samples.parquet"


@dataclass(frozen=True)
class Table:
    """A table of a report."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]


def write_report(folder: Path, found: Estimation, legs: Legs) -> Path:
    """Write the report of one estimate.

    Parameters
    ----------
    folder
        Of the run.
    found
        Its results.
    legs
        Production data behind them.

    Returns
    -------
    Path
        The HTML file.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    figures = Figures()
    simulated = [("liquid", legs.liquid)]
    simulated += [(f"pure-{index}", run) for index, run in enumerate(legs.pure)]
    for name, kept in simulated:
        everything = read_series(folder / name / PRODUCED)
        if everything is not None and kept is not None:
            title = "liquid" if name == "liquid" else f"pure {kept.names[0]}"
            liquid_figures(figures, title, everything, float(kept.times[0]))
    estimate_figures(figures, found.estimates)
    table = Table(
        "Properties",
        ("property", "value", "standard error", "unit", "independent samples", "method"),
        [
            (
                name,
                f"{e.value:.5g}",
                f"{e.uncertainty:.2g}",
                e.unit,
                f"{e.n_effective:.0f}",
                e.method,
            )
            for name, e in found.estimates.items()
        ],
    )
    warnings = [*found.notes]
    warnings += [f"{name}: {text}" for name, e in found.estimates.items() for text in e.warnings]
    text = render(
        str(found.substance),
        facts=[
            ("state", str(found.state)),
            ("force field", f"{found.force_field} (SHA-256 {found.force_field_sha256[:12]}…)"),
            ("molecules", ", ".join(f"{n} {smiles}" for smiles, n in found.counts.items())),
            ("production", f"{found.production_ps:g} ps"),
            ("wall time", duration_text(found.cost["wall_seconds"])),
        ],
        tables=[table],
        warnings=warnings,
        failures=[f"{name}: {reason}" for name, reason in found.failures.items()],
        figures=figures,
    )
    path = folder / REPORT_FILE
    write_text(path, text)
    return path


def write_samples(folder: Path, legs: Legs) -> Path:
    """Write density, energies, volume and dipole of every production frame as Parquet.

    Errors as `write_parquet`.
    """
    run = legs.liquid
    if run is None:
        raise PropertyError("the liquid has not been simulated")
    columns: dict[str, Any] = {
        "time_ps": run.times,
        "density_g_per_cm3": run.mass * GRAM_PER_CM3 / run.volumes,
        "volume_angstrom3": run.volumes,
        "potential_energy_kcal_per_mol": run.potential_energies,
        "kinetic_energy_kcal_per_mol": run.kinetic_energies,
    }
    if run.dipoles is not None:
        for axis, values in zip("xyz", run.dipoles.T, strict=True):
            columns[f"dipole_{axis}_e_angstrom"] = values
    path = folder / SAMPLES_FILE
    write_parquet(path, columns)
    return path


def render(
    title: str,
    *,
    facts: Sequence[tuple[str, str]],
    tables: Sequence[Table],
    figures: Figures,
    warnings: Sequence[str] = (),
    failures: Sequence[str] = (),
) -> str:
    """HTML text of a report, images included.

    Raises
    ------
    MissingDependencyError
        If Jinja2 is not installed.
    """
    try:
        import jinja2
    except ImportError as error:
        raise MissingDependencyError(
            'Jinja2 is not installed: pip install "openff-bytepol[properties]"'
        ) from error
    from openff_bytepol import __version__

    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("openff_bytepol.properties"), autoescape=True
    )
    return templates.get_template("report.html.j2").render(
        title=title,
        facts=facts,
        tables=tables,
        warnings=list(dict.fromkeys(warnings)),
        failures=list(failures),
        images=figures.images,
        version=__version__,
    )
