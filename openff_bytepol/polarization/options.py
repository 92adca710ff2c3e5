"""How exactly, and how, dipoles are computed."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0.0)]


class KernelOptions(BaseModel):
    """Accuracy and speed of `PolarizationKernel`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cutoff: Positive = 7.0
    """Of real space in a box, Å. Cost only: screening and mesh follow."""
    ewald_tolerance: Annotated[float, Field(gt=0.0, lt=0.1)] = 5e-5
    """Relative error of the forces that sets screening and mesh."""
    tolerance: Positive = 1e-5
    """Largest error of the induced dipoles, debye (root mean square)."""
    max_iterations: Annotated[int, Field(ge=1)] = 200
    skin: Positive = 0.8
    """Of the neighbour list, Å."""
    precision: Literal["single", "double"] = "single"
    """Of stored pairs and mesh; sums are in double precision."""

    @property
    def kappa(self) -> float:
        """Screening of erfc(kappa·r), 1/Å."""
        return math.sqrt(-math.log(2.0 * self.ewald_tolerance)) / self.cutoff
