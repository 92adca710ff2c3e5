"""How long a run would take, from a timed trial."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from openff_bytepol.exceptions import TimeBudgetError
from openff_bytepol.interop.openmm_multipoles import is_polarizable

if TYPE_CHECKING:
    from openmm.app import Simulation

_WARM_UP: Final = 2
"""Steps before the clock starts: kernels are compiled in the first."""
_TRIAL_SECONDS: Final = 2.0
_WORTH_A_WARNING: Final = 86400.0
_SECONDS_PER_DAY: Final = 86400.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Speed:
    """What a timed trial found.

    Attributes
    ----------
    seconds_per_step
        Wall time.
    timestep
        ps.
    platform
        Of OpenMM.
    n_atoms
    polarizable
    """

    seconds_per_step: float
    timestep: float
    platform: str
    n_atoms: int
    polarizable: bool

    @property
    def seconds_per_ps(self) -> float:
        """Wall time of a picosecond."""
        return self.seconds_per_step / self.timestep

    @property
    def ns_per_day(self) -> float:
        """Simulated nanoseconds in a day."""
        return _SECONDS_PER_DAY / self.seconds_per_ps / 1000.0

    def __str__(self) -> str:
        kind = "polarizable" if self.polarizable else "fixed-charge"
        return (
            f"{self.ns_per_day:.3g} ns/day with {self.n_atoms} {kind} atoms on OpenMM platform "
            f"{self.platform}"
        )


def timed_trial(simulation: Simulation, seconds: float = _TRIAL_SECONDS) -> Speed:
    """Measure the speed of a simulation; its state is the same afterwards.

    Parameters
    ----------
    simulation
        With positions and velocities.
    seconds
        Wall time to spend; at least one step is taken.
    """
    from openmm import unit

    context = simulation.context
    before = context.getState(positions=True, velocities=True, parameters=True)
    simulation.step(_WARM_UP)
    context.getState(energy=True)
    steps, batch = 0, 1
    begin = time.perf_counter()
    while True:
        simulation.step(batch)
        context.getState(energy=True)
        steps += batch
        elapsed = time.perf_counter() - begin
        if elapsed >= seconds:
            break
        batch = min(2 * batch, max(1, int(steps * (seconds - elapsed) / elapsed)))
    context.setState(before)
    return Speed(
        elapsed / steps,
        simulation.integrator.getStepSize().value_in_unit(unit.picosecond),
        context.getPlatform().getName(),
        simulation.system.getNumParticles(),
        is_polarizable(simulation.system),
    )


def check_budget(speed: Speed, time_needed: float, budget: float | None) -> None:
    """Refuse a run that would take longer than allowed; warn if it takes more than a day.

    Parameters
    ----------
    speed
        Of a timed trial.
    time_needed
        ps still to be simulated.
    budget
        Seconds; None for no limit.

    Raises
    ------
    TimeBudgetError
        If the run would take more than the budget, with what could be done instead.
    """
    seconds = speed.seconds_per_ps * time_needed
    text = (
        f"{time_needed:g} ps would take about {duration_text(seconds)} ({speed}). {_advice(speed)}"
    )
    if budget is not None and seconds > budget:
        raise TimeBudgetError(f"{text} The budget is {duration_text(budget)}.")
    if seconds > _WORTH_A_WARNING:
        logger.warning("%s", text)


def _advice(speed: Speed) -> str:
    options = []
    if speed.platform in ("CPU", "Reference"):
        options.append("a GPU")
    options += ["fewer molecules", "a shorter time"]
    if speed.polarizable:
        options.append("fixed charges (force field bytepol-fixed.offxml)")
    return f"Use {', '.join(options[:-1])} or {options[-1]}, or allow more time."


def duration_text(seconds: float) -> str:
    """Such as "3.5 h"."""
    for limit, size, name in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds / _SECONDS_PER_DAY:.3g} days"
