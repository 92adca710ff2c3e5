"""The liquid simulations behind a request: at constant pressure, and at constant volume."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openff_bytepol.exceptions import SamplingError
from openff_bytepol.properties.box import Box
from openff_bytepol.properties.liquid import (
    BUILD,
    EQUILIBRATED,
    PRODUCED,
    SHARES,
    begin,
    build,
    end_of,
    equilibrate,
)
from openff_bytepol.properties.observables import Observables
from openff_bytepol.properties.planning import Speed, check_budget, timed_trial
from openff_bytepol.properties.production import (
    STATE_FILE,
    OnProgress,
    ShouldStop,
    is_done,
    run_stage,
    save_state,
    time_done,
)
from openff_bytepol.properties.recorders import Recorder, read_series
from openff_bytepol.properties.request import Request
from openff_bytepol.properties.sampling import Sampling

if TYPE_CHECKING:
    from openmm.app import Simulation

    from openff_bytepol.properties.force_fields import Parameters
    from openff_bytepol.properties.substance import Substance

SCALED: Final = "5-scale"
FIXED: Final = "6-fix-volume"
TRANSPORTED: Final = "7-transport"
STRESSED: Final = "8-stress"
FLOWING: Final = "9-flow"

_FIX_SHARE: Final = 0.2
"""Of the equilibration time, to relax at constant volume."""
_TRANSPORT_FRICTION: Final = 0.1
"""1/ps: slows diffusion by 0.2 % in water and 1 % in acetone, where kT/(mD) is 60 and 9 per ps."""
_USEFUL: Final = 0.2
"""Fraction of production that a budget must allow."""


@dataclass(frozen=True)
class LiquidLeg:
    """One liquid in a folder of its own, simulated as its request says.

    Attributes
    ----------
    folder
        Of the liquid.
    box
        What is in it.
    request
        Times, state and integration.
    on_progress
        Called every few seconds.
    """

    folder: Path
    box: Box
    request: Request
    on_progress: OnProgress

    @classmethod
    def prepare(
        cls,
        folder: Path,
        substance: Substance,
        request: Request,
        parameters: Parameters,
        on_progress: OnProgress,
    ) -> LiquidLeg:
        """Pack, parameterize and minimise the liquid, or read it; errors as `build`."""
        molecules, counts = substance.molecules(request.n_molecules)
        box = build(folder, molecules, counts, parameters, request.engine())
        return cls(folder, box, request, on_progress)

    def time_left(self) -> float:
        """Still to be simulated up to the end of production at constant pressure, ps."""
        request = self.request
        plan = [(s, share * request.equilibration_time) for s, share in SHARES.items()]
        left = 0.0
        for stage, duration in [*plan, (PRODUCED, request.time)]:
            done = time_done(self.folder / stage)
            if done > 0.0:
                left = 0.0
            left += max(0.0, duration - done)
        return left

    def trial(self) -> Speed | None:
        """Speed by a timed trial; None if nothing is left to simulate.

        Raises
        ------
        TimeBudgetError
            If the budget is not enough for equilibration and a fifth of production.
        """
        left = self.time_left()
        if left <= 1e-6:
            return None
        ready = time_done(self.folder / EQUILIBRATED) > 0.0
        speed = timed_trial(self._begin(EQUILIBRATED if ready else BUILD))
        spare = (1.0 - _USEFUL) * self.request.time if self.request.budget else 0.0
        check_budget(speed, max(left - spare, 0.0), self.request.budget)
        return speed

    def produce(self, should_stop: ShouldStop) -> str | None:
        """Equilibrate and simulate at constant pressure.

        Returns
        -------
        str or None
            Why it stopped early.

        Raises
        ------
        SimulationError
            If the run breaks off.
        UnphysicalLiquidError
            If the liquid boils.
        """
        request = self.request
        equilibrate(
            self.folder,
            self.box,
            request.state,
            request.equilibration_time,
            request.engine(),
            on_progress=self.on_progress,
        )
        if is_done(self.folder / PRODUCED, request.time):
            return None
        simulation = self._begin(EQUILIBRATED, request.state.pressure)
        return self._sample(simulation, PRODUCED, should_stop)

    def at_fixed_volume(
        self, stage: str, liquid: Observables, should_stop: ShouldStop
    ) -> str | None:
        """Simulate at the mean volume, weakly coupled to the heat bath; as `produce`.

        Parameters
        ----------
        stage
            ``TRANSPORTED`` for motion of molecules, ``STRESSED`` for pressure tensors,
            `flow_stage` for the response to a periodic acceleration.
        liquid
            Production at constant pressure.
        should_stop
            As for `run_stage`.
        """
        request = self.request
        if is_done(self.folder / stage, request.time):
            return None
        if not (self.folder / SCALED / STATE_FILE).is_file():
            self._scale(liquid)
        time = _FIX_SHARE * request.equilibration_time
        if not is_done(self.folder / FIXED, time):
            run_stage(self._begin(SCALED), self.folder / FIXED, time, on_progress=self.on_progress)
        acceleration = request.acceleration if stage == self.flow_stage else None
        simulation = self._begin(FIXED, friction=_TRANSPORT_FRICTION, acceleration=acceleration)
        return self._sample(simulation, stage, should_stop)

    @property
    def flow_stage(self) -> str:
        """Stage of the periodic perturbation; one for each acceleration."""
        return f"{FLOWING}-{self.request.acceleration:g}"

    def data(self, stage: str = PRODUCED) -> Observables:
        """Everything that a stage recorded.

        Raises
        ------
        SamplingError
            If it has recorded nothing yet.
        """
        found = read_series(self.folder / stage)
        if found is None:
            raise SamplingError(
                f"nothing has been recorded in {self.folder / stage} yet; allow more time"
            )
        return found

    def _begin(self, before: str, pressure: float | None = None, **options: Any) -> Simulation:
        request = self.request
        return begin(
            self.folder, before, request.state.temperature, pressure, request.engine(), **options
        )

    def _sample(self, simulation: Simulation, stage: str, should_stop: ShouldStop) -> str | None:
        request, temperature = self.request, self.request.state.temperature
        sampling = Sampling(request.interval, request.trajectory)
        recorders: list[Recorder] = []
        if stage == STRESSED:
            recorders.append(sampling.stress_recorder(simulation, self.box, temperature))
        elif stage == self.flow_stage:
            recorders.append(sampling.flow_recorder(simulation, self.box, temperature))
        else:
            pressure = request.state.pressure if stage == PRODUCED else None
            recorders += sampling.recorders(simulation, self.box, temperature, pressure)
        return run_stage(
            simulation,
            self.folder / stage,
            request.time,
            recorders,
            on_progress=self.on_progress,
            should_stop=should_stop,
            checkpoint_seconds=request.checkpoint,
        )

    def _scale(self, liquid: Observables) -> None:
        """Save the end of production with the box at its mean volume."""
        positions, velocities, vectors = end_of(self.folder / PRODUCED)
        factor = float(np.cbrt(liquid.volumes.mean() / abs(np.linalg.det(vectors))))
        shifts = (factor - 1.0) * self.box.centers(positions)
        moved = positions + np.repeat(shifts, self.box.atoms_per_molecule, axis=0)
        request = self.request
        simulation = request.engine().simulation(
            self.folder / BUILD, request.state.temperature, None, moved, factor * vectors
        )
        simulation.context.setVelocities(velocities)
        (self.folder / SCALED).mkdir(exist_ok=True)
        save_state(simulation, self.folder / SCALED / STATE_FILE)
