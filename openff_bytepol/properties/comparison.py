"""A data set of liquids simulated with one or more force fields, against experiment."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from openff_bytepol.exceptions import BytePolError, DataError, RunLockedError, StorageError
from openff_bytepol.properties.dataset import Measurement, by_liquid, properties_of
from openff_bytepol.properties.estimation import Estimation
from openff_bytepol.properties.estimator import estimate
from openff_bytepol.properties.force_fields import Parameters
from openff_bytepol.properties.functional_groups import functional_groups
from openff_bytepol.properties.observables import Floats
from openff_bytepol.properties.production import OnProgress
from openff_bytepol.properties.results import PropertyEstimate
from openff_bytepol.properties.state import State
from openff_bytepol.properties.substance import Substance

DONE: Final = "done"
FAILED: Final = "failed"
ELSEWHERE: Final = "another process is at work on it"
_RESAMPLES: Final = 1000


@dataclass(frozen=True)
class Comparison:
    """One measurement and what a force field makes of it.

    Attributes
    ----------
    measurement
    force_field
        By the name the user gave.
    estimate
        None if there is none.
    status
        "done", "failed" or that another process is at work on it.
    reason
        Why there is no estimate.
    groups
        Functional groups of the molecules.
    cost
        Wall time and speed of the simulation behind it, shared by all properties of the liquid.
    """

    measurement: Measurement
    force_field: str
    estimate: PropertyEstimate | None
    status: str
    reason: str
    groups: tuple[str, ...]
    cost: dict[str, Any]

    @property
    def experiment(self) -> tuple[float, float]:
        """Value and uncertainty in the unit of the estimate."""
        unit = self.measurement.unit if self.estimate is None else self.estimate.unit
        return self.measurement.in_unit(unit)

    @property
    def deviation(self) -> float:
        """Estimate less experiment, in the unit of the estimate; NaN without either."""
        return np.nan if self.estimate is None else self.estimate.value - self.experiment[0]


@dataclass(frozen=True)
class Accuracy:
    """Deviations of a force field from experiment, for one property.

    Attributes
    ----------
    force_field, property, unit
    n
        Number of liquids with a number.
    mean_absolute, mean_absolute_error
        Mean absolute deviation, and its standard error by bootstrap over liquids.
    root_mean_square, mean_signed
    """

    force_field: str
    property: str
    unit: str
    n: int
    mean_absolute: float
    mean_absolute_error: float
    root_mean_square: float
    mean_signed: float


def compare(
    measurements: Sequence[Measurement],
    force_fields: Iterable[str | Path],
    output: str | Path,
    *,
    on_liquid: Callable[[str, int, int], Any] = lambda *_: None,
    on_progress: OnProgress = lambda _: None,
    **options: Any,
) -> list[Comparison]:
    """Simulate every liquid of a data set with every force field.

    Every liquid has a folder of its own below ``output``, where it goes on after any
    interruption. Several processes given the same command share the work: each takes
    liquids on which no other is at work. A liquid that fails does not stop the others.

    Parameters
    ----------
    measurements
        As from `read_measurements`.
    force_fields
        Names or paths of SMIRNOFF force fields.
    output
        Folder.
    on_liquid
        Called before each liquid with its description, number and how many there are.
    on_progress
        As for `estimate`.
    **options
        As for `estimate`: ``n_molecules``, ``time``, ``budget`` (of each liquid) ….

    Returns
    -------
    list of Comparison
        Force field by force field, in the order of the measurements.

    Raises
    ------
    ForceFieldError
        If a force field cannot be read.
    StorageError
        If the disk is full.
    """
    groups = by_liquid(measurements)
    loaded = [Parameters.load(force_field) for force_field in force_fields]
    options["on_progress"] = on_progress
    found: list[Comparison] = []
    for number, (parameters, (liquid, rows)) in enumerate(
        (p, item) for p in loaded for item in groups.items()
    ):
        on_liquid(
            f"{rows[0].name}, {liquid[1]}, {parameters.name}", number, len(loaded) * len(groups)
        )
        folder = Path(output) / Path(parameters.name).stem / _slug(*liquid)
        result = _attempt(rows, liquid, parameters, folder, options)
        found += _comparisons(rows, parameters.name, result)
    return found


def accuracies(
    comparisons: Iterable[Comparison], *, by_group: bool = False
) -> list[tuple[str, Accuracy]]:
    """Deviations by force field and property, of all liquids or of each functional group.

    Returns
    -------
    list of (group, Accuracy)
        The group is "all" unless asked for.
    """
    sets: dict[tuple[str, str, str, str], list[float]] = {}
    for c in comparisons:
        if c.estimate is None or not np.isfinite(c.deviation):
            continue
        for group in c.groups if by_group else ("all",):
            key = (group, c.force_field, c.measurement.property, c.estimate.unit)
            sets.setdefault(key, []).append(c.deviation)
    return [
        (group, _accuracy(force_field, name, unit, np.array(values)))
        for (group, force_field, name, unit), values in sets.items()
    ]


def _accuracy(force_field: str, name: str, unit: str, deviations: Floats) -> Accuracy:
    random = np.random.default_rng(0)
    size = (_RESAMPLES, len(deviations))
    resampled = np.abs(random.choice(deviations, size=size)).mean(axis=1)
    return Accuracy(
        force_field,
        name,
        unit,
        len(deviations),
        float(np.abs(deviations).mean()),
        float(resampled.std(ddof=1)) if len(deviations) > 1 else float("nan"),
        float(np.sqrt((deviations**2).mean())),
        float(deviations.mean()),
    )


def _attempt(
    rows: Sequence[Measurement],
    liquid: tuple[Substance, State],
    parameters: Parameters,
    folder: Path,
    options: dict[str, Any],
) -> Estimation | BytePolError:
    """What became of one liquid."""
    try:
        return estimate(
            properties_of(rows),
            *liquid,
            parameters,
            output=folder,
            **options,
        )
    except StorageError:
        raise
    except BytePolError as error:
        return error


def _comparisons(
    rows: Sequence[Measurement], force_field: str, result: Estimation | BytePolError
) -> Iterator[Comparison]:
    for row in rows:
        estimate_, cost = None, {}
        status = ELSEWHERE if isinstance(result, RunLockedError) else FAILED
        if isinstance(result, Estimation):
            estimate_, cost = result.estimates.get(row.property), dict(result.cost)
            status = DONE if estimate_ is not None else FAILED
            reason = "" if estimate_ is not None else _reason(result, row.property)
        else:
            reason = str(result)
        smiles = ".".join(component.smiles for component in row.substance.components)
        yield Comparison(
            row, force_field, estimate_, status, reason, functional_groups(smiles), cost
        )


def _reason(result: Estimation, name: str) -> str:
    if name in result.failures:
        return result.failures[name]
    several = [found for found in result.estimates if found.startswith(f"{name}[")]
    if several:
        return f"one value for each component: {', '.join(several)}"
    raise DataError(f"there is no estimate of {name} and no reason")


def _slug(substance: Substance, state: State) -> str:
    """Name of a folder: readable, and different for different liquids on every file system."""
    digest = hashlib.sha256(str(substance).encode()).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9]+", "_", str(substance)).strip("_")[:40]
    return f"{readable}-{state.temperature:g}K-{state.pressure:g}atm-{digest}"
