"""What is sampled of a liquid at constant pressure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from openff_bytepol.interop.masses import particle_masses
from openff_bytepol.properties.box import Box
from openff_bytepol.properties.dipoles import dipole_measure
from openff_bytepol.properties.engine import every_steps
from openff_bytepol.properties.observables import Floats
from openff_bytepol.properties.perturbation import flow_amplitude
from openff_bytepol.properties.pressure import PressureMeter, molecules_of
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
    stress
        Between pressure tensors where they are needed, ps: stress correlations decay in tens of
        femtoseconds.
    flow
        Between velocity profiles, ps.
    """

    interval: float = 0.2
    trajectory: float | None = 1.0
    stress: float = 0.01
    flow: float = 0.05

    def recorders(
        self, simulation: Simulation, box: Box, temperature: float, pressure: float | None
    ) -> list[Recorder]:
        """Recorders of a stage at this temperature (K) and pressure (atm)."""
        series = SeriesRecorder(box, temperature, pressure, every_steps(simulation, self.interval))
        series.measures["dipoles"] = dipole_measure(simulation.system)
        if self.trajectory is None:
            return [series]
        return [series, TrajectoryRecorder(every_steps(simulation, self.trajectory))]

    def stress_recorder(
        self, simulation: Simulation, box: Box, temperature: float
    ) -> SeriesRecorder:
        """Recorder of pressure tensors at constant volume and this temperature (K)."""
        meter = PressureMeter(simulation.system, molecules_of(simulation.context))

        def measure(running: Simulation, _: Floats) -> Floats:
            return meter(running.context)

        every = every_steps(simulation, self.stress)
        recorder = SeriesRecorder(box, temperature, None, every, with_centers=False)
        recorder.measures["pressure_tensors"] = measure
        return recorder

    def flow_recorder(self, simulation: Simulation, box: Box, temperature: float) -> SeriesRecorder:
        """Recorder of the velocity profile under a periodic acceleration; temperature in K."""
        masses = particle_masses(simulation.system)

        def measure(running: Simulation, _: Floats) -> Floats:
            return np.asarray(flow_amplitude(running.context, masses))

        every = every_steps(simulation, self.flow)
        recorder = SeriesRecorder(box, temperature, None, every, with_centers=False)
        recorder.measures["flow_amplitudes"] = measure
        return recorder
