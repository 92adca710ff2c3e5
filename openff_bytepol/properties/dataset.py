"""Data sets of measured properties."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from openff_bytepol.exceptions import BytePolError, DataError
from openff_bytepol.properties.catalogue import canonical_names
from openff_bytepol.properties.state import AMBIENT_TEMPERATURE, State
from openff_bytepol.properties.substance import Substance
from openff_bytepol.smiles import canonical_smiles

UNITS: Final = {
    "density": "g/cm**3",
    "enthalpy_of_vaporization": "kJ/mol",
    "dielectric_constant": "dimensionless",
    "thermal_expansion": "1/K",
    "isothermal_compressibility": "1/GPa",
    "heat_capacity": "J/mol/K",
    "excess_density": "g/cm**3",
    "excess_molar_volume": "cm**3/mol",
    "enthalpy_of_mixing": "kJ/mol",
    "self_diffusion": "m**2/s",
    "viscosity": "mPa*s",
    "perturbation_viscosity": "mPa*s",
    "conductivity": "S/m",
    "nernst_einstein_conductivity": "S/m",
}
"""Of values in files that name none; those of the estimates."""
_HIGH_PRESSURE: Final = 1.5
"""atm, above which boiling points at 1 atm say little."""
_REQUIRED: Final = ("smiles", "property", "value")


@dataclass(frozen=True)
class Measurement:
    """A measured property.

    Attributes
    ----------
    name
        Of the substance.
    substance, state
        What was measured, and where.
    property
        Without aliases.
    value, uncertainty
        In ``unit``; NaN if the uncertainty is unknown.
    unit
        That Pint can read.
    source
        Where it was published.
    liquid_range
        Melting and boiling temperature at 1 atm, K; None if unknown.
    """

    name: str
    substance: Substance
    state: State
    property: str
    value: float
    unit: str
    uncertainty: float = math.nan
    source: str = ""
    liquid_range: tuple[float, float] | None = None

    def in_unit(self, unit: str) -> tuple[float, float]:
        """Value and uncertainty in another unit.

        Raises
        ------
        DataError
            If the units do not fit together.
        """
        from openff.units import Quantity

        try:
            factor = float(Quantity(1.0, self.unit).m_as(unit))
        except Exception as error:
            raise DataError(
                f"{self.property} of {self.name}: {self.unit} is no unit like {unit}"
            ) from error
        return self.value * factor, self.uncertainty * factor

    def range_warning(self, state: State | None = None) -> str | None:
        """A sentence if a temperature, that of the measurement by default, is outside the range."""
        state = self.state if state is None else state
        if self.liquid_range is None:
            return None
        melting, boiling = self.liquid_range
        temperature = state.temperature
        if melting <= temperature <= boiling or state.pressure > _HIGH_PRESSURE:
            return None
        return (
            f"{temperature:g} K is outside the liquid range of {self.name} "
            f"({melting:g} to {boiling:g} K)"
        )


def read_measurements(path: str | Path) -> list[Measurement]:
    """Read a CSV file of measured properties.

    Parameters
    ----------
    path
        Columns ``smiles`` (a mixture as components separated by spaces: ``O:0.8 CCO:0.2``),
        ``property`` and ``value``; perhaps ``name``, ``temperature_K`` (298.15),
        ``pressure_atm`` (1), ``unit``, ``uncertainty``, ``source``, ``melting_K`` and
        ``boiling_K``. One property a line; an empty value asks for an estimate without a
        measurement.

    Raises
    ------
    DataError
        If the file or a column is missing or a line makes no sense, naming file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} does not exist; check the path")
    with path.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        columns = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        missing = [name for name in _REQUIRED if name not in columns]
        if missing:
            raise DataError(
                f"{path} has no column {', '.join(missing)}; it has: {', '.join(columns) or 'none'}"
            )
        found = []
        for row in reader:
            try:
                found.append(_measurement(row))
            except (BytePolError, ValueError) as error:
                raise DataError(f"{path}, line {reader.line_num}: {error}") from error
    if not found:
        raise DataError(f"{path} has no lines below its header")
    return found


def common_liquids() -> list[Measurement]:
    """Density, enthalpy of vaporization and dielectric constant of 25 common liquids, 298.15 K.

    From handbooks that every line names.
    """
    path = files("openff_bytepol.properties") / "data" / "common_liquids.csv"
    return read_measurements(Path(str(path)))


def liquid_range_warning(substance: Substance, state: State) -> str | None:
    """A sentence if one of the common liquids is outside its liquid range."""
    if not substance.is_pure:
        return None
    wanted = canonical_smiles(substance.components[0].smiles)
    for measurement in common_liquids():
        if canonical_smiles(measurement.substance.components[0].smiles) == wanted:
            return measurement.range_warning(state)
    return None


def by_liquid(
    measurements: Iterable[Measurement],
) -> dict[tuple[Substance, State], list[Measurement]]:
    """Measurements that one simulation serves, in order of appearance."""
    groups: dict[tuple[Substance, State], list[Measurement]] = {}
    for measurement in measurements:
        groups.setdefault((measurement.substance, measurement.state), []).append(measurement)
    return groups


def _measurement(row: dict[str, Any]) -> Measurement:
    def text(name: str) -> str:
        return str(row.get(name) or "").strip()

    def number(name: str, default: float) -> float:
        return float(text(name)) if text(name) else default

    parts = text("smiles").split()
    (name,) = canonical_names([text("property")])
    unit = text("unit") or UNITS.get(name, "")
    if not unit:
        raise DataError(f"values of {name} need a unit")
    span = (number("melting_K", math.nan), number("boiling_K", math.nan))
    return Measurement(
        name=text("name") or text("smiles"),
        substance=Substance.parse(parts),
        state=State(number("temperature_K", AMBIENT_TEMPERATURE), number("pressure_atm", 1.0)),
        property=name,
        value=number("value", math.nan),
        unit=unit,
        uncertainty=number("uncertainty", math.nan),
        source=text("source"),
        liquid_range=None if any(map(math.isnan, span)) else span,
    )


def properties_of(measurements: Sequence[Measurement]) -> tuple[str, ...]:
    """Names of the properties measured, each once."""
    return tuple(dict.fromkeys(m.property for m in measurements))
