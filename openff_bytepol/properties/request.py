"""What a user asks of an estimate."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from openff_bytepol.exceptions import PropertyError
from openff_bytepol.interop.platforms import Precision
from openff_bytepol.properties.catalogue import canonical_names, legs_needed
from openff_bytepol.properties.engine import Engine
from openff_bytepol.properties.production import CHECKPOINT_SECONDS
from openff_bytepol.properties.state import Positive, State
from openff_bytepol.properties.substance import Substance
from openff_bytepol.settings import Solver

_TIME: Final = re.compile(r"^\s*(\d*\.?\d+(?:[eE][+-]?\d+)?)\s*(fs|ps|ns|us|µs|s|min|h|d)?\s*$")
_PS: Final = {"fs": 1e-3, "ps": 1.0, "ns": 1e3, "us": 1e6, "µs": 1e6}
_SECONDS: Final = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


class Request(BaseModel):
    """One estimate of properties of a substance in a state.

    Attributes
    ----------
    properties
        Names without aliases.
    n_molecules
        In the liquid; ions of salts come on top of those given by mole fraction.
    time
        Of production, ps; the longest, if there are targets.
    equilibration
        Before that, ps; by default a quarter of the time, but 20 ps of runs between
        20 and 80 ps, the time itself of shorter ones and at most 1 ns.
    gas_time
        Of the gas leg, ps; five times the time, at most 5 ns, by default.
    targets
        Standard errors at which to stop, by property, in its unit.
    budget
        Wall time of this call, s.
    interval
        Between recorded frames, ps.
    trajectory
        Between frames of positions, ps; None for none.
    acceleration
        Of the periodic perturbation that gives a viscosity, Å/ps².
    checkpoint
        Wall time between checkpoints, s.
    platform, precision, timestep, seed, solver
        As `Engine`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    properties: tuple[str, ...]
    substance: Substance
    state: State = State()
    n_molecules: Annotated[int, Field(ge=2)] = 500
    time: Positive = 1000.0
    equilibration: Positive | None = None
    gas_time: Positive | None = None
    targets: dict[str, Positive] = Field(default_factory=dict)
    budget: Positive | None = None
    interval: Positive = 0.2
    trajectory: Positive | None = 1.0
    acceleration: Positive = 0.5
    checkpoint: Positive = CHECKPOINT_SECONDS
    platform: str | None = None
    precision: Precision = "mixed"
    timestep: Positive | None = None
    seed: int | None = None
    solver: Solver | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = canonical_names(self.properties)
        object.__setattr__(self, "properties", names)
        targets = {canonical_names([name])[0]: error for name, error in self.targets.items()}
        object.__setattr__(self, "targets", targets)
        for name in targets:
            if name not in names:
                raise PropertyError(f"there is a target for {name}, which is not asked for")
        needs = legs_needed(names)
        if "gas" in needs and not self.substance.is_pure:
            raise PropertyError(
                f"the enthalpy of vaporization is one of pure liquids; {self.substance} is none"
            )
        if "pure" in needs and (self.substance.is_pure or self.has_salt):
            raise PropertyError(
                f"excess properties are of mixtures of neutral liquids; {self.substance} is none"
            )
        return self

    @property
    def has_salt(self) -> bool:
        """Whether a component is made of ions."""
        return any("." in component.smiles for component in self.substance.components)

    @property
    def equilibration_time(self) -> float:
        """Equilibration before production, ps."""
        if self.equilibration is not None:
            return self.equilibration
        return min(max(0.25 * self.time, min(self.time, 20.0)), 1000.0)

    @property
    def gas_leg_time(self) -> float:
        """Production in vacuum, ps."""
        return self.gas_time if self.gas_time is not None else min(5.0 * self.time, 5000.0)

    def engine(self) -> Engine:
        """How to integrate."""
        return Engine(self.platform, self.precision, self.timestep, self.seed, self.solver)

    def identity(self, force_field: str) -> dict[str, Any]:
        """What makes two runs different; a longer time or more properties do not.

        Parameters
        ----------
        force_field
            SHA-256.
        """
        fields = {"substance", "state", "n_molecules", "interval", "trajectory", "timestep"}
        if self.solver is not None:
            fields.add("solver")
        values: dict[str, Any] = self.model_dump(mode="json", include=fields)
        return {**values, "force_field_sha256": force_field}


def parse_time(text: str | float) -> float:
    """Simulated time, ps: a number, or text such as "200ps" or "1 ns".

    Raises
    ------
    PropertyError
        If it is no time.
    """
    return _parse(text, _PS, "ps", "200ps")


def parse_budget(text: str | float) -> float:
    """Wall time, s: a number, or text such as "30min" or "8h"; errors as `parse_time`."""
    return _parse(text, _SECONDS, "s", "8h")


def _parse(text: str | float, units: dict[str, float], default: str, example: str) -> float:
    match = _TIME.match(str(text))
    unit = (match[2] or default) if match else ""
    if match is None or unit not in units or float(match[1]) <= 0.0:
        raise PropertyError(
            f"{text!r} is no time: give a number above zero with one of {', '.join(units)}, "
            f"such as {example}"
        )
    return float(match[1]) * units[unit]
