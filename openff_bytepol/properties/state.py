"""Temperature and pressure."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0.0)]

AMBIENT_TEMPERATURE: Final = 298.15
"""K"""


class State(BaseModel):
    """Thermodynamic state.

    Attributes
    ----------
    temperature
        K.
    pressure
        atm.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: Positive = AMBIENT_TEMPERATURE
    pressure: Positive = 1.0

    def __init__(self, temperature: float = AMBIENT_TEMPERATURE, pressure: float = 1.0) -> None:
        super().__init__(temperature=temperature, pressure=pressure)

    def __str__(self) -> str:
        return f"{self.temperature:g} K, {self.pressure:g} atm"
