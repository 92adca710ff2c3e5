"""One number with everything needed to judge it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from openff_bytepol.exceptions import PropertyError


@dataclass(frozen=True)
class PropertyEstimate:
    """An estimated property.

    Attributes
    ----------
    name
        Such as ``density``.
    value
        In ``unit``; finite.
    uncertainty
        Standard error, in ``unit``. NaN where it is unknown, never without a warning.
    unit
        That Pint can read, such as ``g/cm**3``.
    n_effective
        Number of independent samples behind it.
    equilibration_time
        Taken off at the beginning of the run, ps.
    method
        One line: the estimator and how its error was found.
    warnings
        Reasons to doubt it.
    details
        Further numbers, plain JSON, with units in their names.

    Raises
    ------
    PropertyError
        If the value is not finite, or an uncertainty is unknown without a warning.
    """

    name: str
    value: float
    uncertainty: float
    unit: str
    n_effective: float
    equilibration_time: float
    method: str
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise PropertyError(f"{self.name} came out as {self.value}; it is not a result")
        if not math.isfinite(self.uncertainty) and not self.warnings:
            raise PropertyError(f"{self.name} has no uncertainty and no warning that says why")

    @property
    def quantity(self) -> Any:
        """Value with its unit, an ``openff.units.Quantity``."""
        from openff.units import Quantity

        return Quantity(self.value, self.unit)

    @property
    def uncertainty_quantity(self) -> Any:
        """Uncertainty with its unit, an ``openff.units.Quantity``."""
        from openff.units import Quantity

        return Quantity(self.uncertainty, self.unit)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; an unknown uncertainty becomes None."""
        values = asdict(self)
        values["warnings"] = list(self.warnings)
        for name in ("uncertainty", "n_effective"):
            if not math.isfinite(values[name]):
                values[name] = None
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PropertyEstimate:
        """Inverse of `to_dict`.

        Raises
        ------
        PropertyError
            If fields are missing or unknown.
        """
        filled = dict(values)
        for name in ("uncertainty", "n_effective"):
            if filled.get(name, 0.0) is None:
                filled[name] = math.nan
        filled["warnings"] = tuple(filled.get("warnings", ()))
        try:
            return cls(**filled)
        except TypeError as error:
            raise PropertyError(f"not a property estimate: {error}") from error

    def to_json(self) -> str:
        """JSON text."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> PropertyEstimate:
        """Inverse of `to_json`; errors as `from_dict`."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise PropertyError(f"not a property estimate: {error}") from error
        return cls.from_dict(values)

    def __str__(self) -> str:
        return f"{self.name} {self.value:.6g} ± {self.uncertainty:.2g} {self.unit}"
