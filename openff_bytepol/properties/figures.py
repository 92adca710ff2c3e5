"""Figures of reports, as PNG images inside HTML."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openff_bytepol.exceptions import ObservablesError, PropertyError
from openff_bytepol.properties.observables import Floats, Observables
from openff_bytepol.properties.results import PropertyEstimate
from openff_bytepol.properties.statistics import autocorrelation
from openff_bytepol.properties.structure import radial_distribution
from openff_bytepol.units import GRAM_PER_CM3

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE: Final = (5.2, 3.4)
_DPI: Final = 110
_FEWEST_FRAMES: Final = 8
_MOST_POINTS: Final = 2000
_LONGEST_LAG: Final = 0.3
"""Of the run, in plots of autocorrelation."""


class Figures:
    """Titles and data URIs of images, in order."""

    def __init__(self) -> None:
        self.images: list[tuple[str, str]] = []

    def add(self, title: str, draw: Any) -> None:
        """Draw a figure with one pair of axes.

        Parameters
        ----------
        title
            Caption.
        draw
            Called with Matplotlib axes.
        """
        from matplotlib.figure import Figure

        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.subplots()
        draw(axes)
        stream = BytesIO()
        figure.savefig(stream, format="png", dpi=_DPI)
        encoded = base64.b64encode(stream.getvalue()).decode()
        self.images.append((title, f"data:image/png;base64,{encoded}"))


def liquid_figures(figures: Figures, title: str, run: Observables, equilibrated: float) -> None:
    """Time series and autocorrelation of density and energy, and g(r) of molecular centres.

    Parameters
    ----------
    figures
        To add to.
    title
        What was simulated.
    run
        All frames of production at constant pressure.
    equilibrated
        Time at which averages begin, ps.
    """
    densities = run.mass * GRAM_PER_CM3 / run.volumes
    energies = run.potential_energies / run.n_molecules
    series = (("density (g/cm³)", densities), ("potential energy (kcal/mol/molecule)", energies))
    for label, values in series:
        figures.add(f"{title}: {label}", _time_series(run.times, values, label, equilibrated))
    kept = run.times >= equilibrated - 1e-9
    if kept.sum() >= _FEWEST_FRAMES:
        chosen = [(label, values[kept]) for label, values in series]
        figures.add(f"{title}: autocorrelation", _autocorrelations(run.interval, chosen))
    if run.centers is not None and run.n_molecules > 1:
        figures.add(f"{title}: radial distribution", lambda axes: _distributions(axes, run))


def estimate_figures(figures: Figures, estimates: Mapping[str, PropertyEstimate]) -> None:
    """Curves that estimates carry in their details: displacements and running integrals."""
    for name, found in estimates.items():
        details = found.details
        if "mean_squared_displacement_angstrom2" in details:
            figures.add(f"{name}: mean squared displacement", _displacements(details))
        if "running_integral_mPa_s" in details:
            figures.add(f"{name}: running integral", _integrals(details, found.value))


def parity_figure(
    figures: Figures,
    title: str,
    unit: str,
    rows: Sequence[tuple[str, float, float, float]],
) -> None:
    """Estimates against experiment.

    Parameters
    ----------
    figures
        To add to.
    title, unit
        Of the property.
    rows
        Series (such as the force field), experiment, estimate and its uncertainty.
    """

    def draw(axes: Axes) -> None:
        for series in dict.fromkeys(row[0] for row in rows):
            chosen = np.array([row[1:] for row in rows if row[0] == series])
            axes.errorbar(
                chosen[:, 0],
                chosen[:, 1],
                yerr=np.nan_to_num(chosen[:, 2]),
                fmt="o",
                markersize=4,
                label=series,
            )
        ends = [
            min(axes.get_xlim()[0], axes.get_ylim()[0]),
            max(axes.get_xlim()[1], axes.get_ylim()[1]),
        ]
        axes.plot(ends, ends, color="grey", linewidth=1, zorder=0)
        axes.set_xlabel(f"experiment ({unit})")
        axes.set_ylabel(f"simulation ({unit})")
        axes.legend(fontsize="small")

    figures.add(title, draw)


def _time_series(times: Floats, values: Floats, label: str, equilibrated: float) -> Any:
    def draw(axes: Axes) -> None:
        stride = max(1, len(times) // _MOST_POINTS)
        axes.plot(times[::stride], values[::stride], linewidth=0.7, color="tab:blue")
        kept = times >= equilibrated - 1e-9
        running = np.cumsum(values[kept]) / np.arange(1, kept.sum() + 1)
        axes.plot(times[kept][::stride], running[::stride], color="tab:red", label="running mean")
        axes.axvline(equilibrated, color="grey", linestyle="--", label="averages begin")
        axes.set_xlabel("time (ps)")
        axes.set_ylabel(label)
        axes.ticklabel_format(useOffset=False)
        axes.legend(fontsize="small")

    return draw


def _autocorrelations(interval: float, series: Sequence[tuple[str, Floats]]) -> Any:
    def draw(axes: Axes) -> None:
        for label, values in series:
            correlation = autocorrelation(values - values.mean())
            last = max(2, int(_LONGEST_LAG * len(values)))
            lags = np.arange(last) * interval
            axes.plot(lags, correlation[:last] / max(correlation[0], 1e-300), label=label)
        axes.axhline(0.0, color="grey", linewidth=0.7)
        axes.set_xlabel("lag (ps)")
        axes.set_ylabel("autocorrelation")
        axes.legend(fontsize="small")

    return draw


def _distributions(axes: Axes, run: Observables) -> None:
    for first in range(len(run.names)):
        for second in range(first, len(run.names)):
            if first == second and run.counts[first] < 2:
                continue
            try:
                found = radial_distribution(run, first, second)
            except (PropertyError, ObservablesError):
                continue
            label = f"{run.names[first]} – {run.names[second]}"
            axes.plot(found.distances, found.mean, label=label, linewidth=1)
    axes.set_xlabel("distance of centres of mass (Å)")
    axes.set_ylabel("g(r)")
    axes.legend(fontsize="x-small")


def _displacements(details: Mapping[str, Any]) -> Any:
    def draw(axes: Axes) -> None:
        axes.plot(details["lags_ps"], details["mean_squared_displacement_angstrom2"])
        axes.axvspan(*details["linear_regime_ps"], alpha=0.15, label="fitted")
        axes.set_xlabel("lag (ps)")
        axes.set_ylabel("mean squared displacement (Å²)")
        axes.legend(fontsize="small")

    return draw


def _integrals(details: Mapping[str, Any], value: float) -> Any:
    def draw(axes: Axes) -> None:
        times = np.array(details["times_ps"])
        mean = np.array(details["running_integral_mPa_s"])
        spread = np.array(details["spread_mPa_s"])
        axes.plot(times, mean)
        axes.fill_between(times, mean - spread, mean + spread, alpha=0.2)
        axes.axhline(value, color="tab:red", label="fitted limit")
        axes.axvline(details["cutoff_ps"], color="grey", linestyle="--", label="end of the fit")
        axes.set_xlabel("time (ps)")
        axes.set_ylabel("running integral (mPa·s)")
        axes.legend(fontsize="small")

    return draw
