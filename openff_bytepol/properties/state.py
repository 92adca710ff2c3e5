"""Temperature and pressure."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from openff_bytepol.exceptions import PropertyError

Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]

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

    Raises
    ------
    PropertyError
        If one of them is not finite or not above zero.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: Positive = AMBIENT_TEMPERATURE
    pressure: Positive = 1.0

    def __init__(self, temperature: float = AMBIENT_TEMPERATURE, pressure: float = 1.0) -> None:
        try:
            super().__init__(temperature=temperature, pressure=pressure)
        except ValidationError as error:
            raise PropertyError(
                f"{temperature} K and {pressure} atm are no state of a liquid; both must be finite "
                "and above zero"
            ) from error

    def __str__(self) -> str:
        return f"{self.temperature:g} K, {self.pressure:g} atm"
