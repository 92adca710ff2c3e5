"""Density of a liquid at constant pressure."""

from __future__ import annotations

from openff_bytepol.exceptions import PropertyError
from openff_bytepol.properties.observables import Observables
from openff_bytepol.properties.results import PropertyEstimate
from openff_bytepol.properties.statistics import Runs, as_runs, drift_warning, estimate, mean
from openff_bytepol.units import GRAM_PER_CM3


def density(runs: Runs) -> PropertyEstimate:
    """Mean mass density, ρ = ⟨m / V⟩.

    Parameters
    ----------
    runs
        Production at constant pressure.

    Returns
    -------
    PropertyEstimate
        g/cm³.

    Raises
    ------
    PropertyError
        At constant volume.
    ObservablesError, SamplingError
        Without boxes, or with fewer than four frames.
    """
    runs = as_runs(runs)
    require_pressure(runs, "density")
    series = [run.mass * GRAM_PER_CM3 / run.volumes for run in runs]
    return estimate(
        "density",
        mean(series),
        "g/cm**3",
        runs,
        "mean; error from the statistical inefficiency",
        warnings=drift_warning(series, "density"),
        details={"molecules": runs[0].counts},
    )


def require_pressure(runs: tuple[Observables, ...], name: str) -> float:
    """Pressure of the barostat, atm.

    Raises
    ------
    PropertyError
        If there was none.
    """
    pressure = runs[0].pressure
    if pressure is None:
        raise PropertyError(f"{name} needs a run at constant pressure; this one has none")
    return pressure
