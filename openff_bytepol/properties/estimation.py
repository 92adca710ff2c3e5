"""What an estimate found."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openff_bytepol.exceptions import PropertyError
from openff_bytepol.properties.results import PropertyEstimate
from openff_bytepol.properties.state import State
from openff_bytepol.properties.substance import Substance


@dataclass(frozen=True)
class Estimation:
    """Estimates of properties of a substance, with where they come from and what they cost.

    Attributes
    ----------
    substance, state, force_field
        What was simulated; the force field by the name the user gave.
    force_field_sha256
        Of its OFFXML, which names the weights by their hash.
    counts
        Molecules of each kind in the liquid.
    estimates
        By property; ``name[SMILES]`` where there is one for each component.
    failures
        Reason, by property, where there is no number.
    notes
        What a reader of the numbers should know.
    production_ps
        Simulated at constant pressure after equilibration stages.
    cost
        Wall time of all calls that came to their end and speed, with units in the names.
    folder
        Of the run; None if it was temporary.
    """

    substance: Substance
    state: State
    force_field: str
    force_field_sha256: str
    counts: Mapping[str, int]
    estimates: Mapping[str, PropertyEstimate]
    failures: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    production_ps: float = 0.0
    cost: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def __getitem__(self, name: str) -> PropertyEstimate:
        """Estimate of a property.

        Raises
        ------
        PropertyError
            If there is none, with the reason.
        """
        if name in self.estimates:
            return self.estimates[name]
        reason = self.failures.get(name, f"there are {', '.join(self.estimates) or 'none'}")
        raise PropertyError(f"there is no estimate of {name}: {reason}")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "status": "failed" if not self.estimates else "partial" if self.failures else "done",
            "substance": [str(component) for component in self.substance.components],
            "state": {
                "temperature_K": self.state.temperature,
                "pressure_atm": self.state.pressure,
            },
            "force_field": self.force_field,
            "force_field_sha256": self.force_field_sha256,
            "counts": dict(self.counts),
            "estimates": {n: _finite(found.to_dict()) for n, found in self.estimates.items()},
            "failures": dict(self.failures),
            "notes": list(self.notes),
            "production_ps": self.production_ps,
            "cost": dict(self.cost),
            "folder": None if self.folder is None else str(self.folder),
        }

    def to_json(self) -> str:
        """JSON text."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)


def _finite(value: Any) -> Any:
    """Plain JSON, with None for NaN and infinite numbers."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
