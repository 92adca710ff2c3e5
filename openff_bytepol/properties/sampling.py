"""What is sampled of a liquid at constant pressure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openff_bytepol.properties.box import Box
from openff_bytepol.properties.dipoles import dipole_measure
from openff_bytepol.properties.engine import every_steps
from openff_bytepol.properties.recorders import Recorder, SeriesRecorder, TrajectoryRecorder

if TYPE_CHECKING:
    from openmm.app import Simulation


@dataclass(frozen=True)
class Sampling:
    """How often, and what.

    Attributes
    ----------
    interval
        Between frames of energies, boxes, centres and dipoles, ps.
    trajectory
        Between frames of all positions, ps; None for no trajectory.
    """

    interval: float = 0.2
    trajectory: float | None = 1.0

    def recorders(
        self, simulation: Simulation, box: Box, temperature: float, pressure: float | None
    ) -> list[Recorder]:
        """Recorders of a stage at this temperature (K) and pressure (atm)."""
        series = SeriesRecorder(box, temperature, pressure, every_steps(simulation, self.interval))
        series.measures["dipoles"] = dipole_measure(simulation.system)
        if self.trajectory is None:
            return [series]
        return [series, TrajectoryRecorder(every_steps(simulation, self.trajectory))]
