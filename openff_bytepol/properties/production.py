"""One stage of a run: integrated, recorded, saved every minute and continued after any end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from openff_bytepol.exceptions import BytePolError, SimulationError, UnphysicalLiquidError
from openff_bytepol.properties.folder import storage
from openff_bytepol.properties.recorders import Recorder, forget_after

if TYPE_CHECKING:
    from openmm.app import Simulation

STATE_FILE: Final = "state.xml"
CHECKPOINT_SECONDS: Final = 60.0
_BLOCK_SECONDS: Final = 5.0
"""Wall time between looks at the clock."""
_TIME: Final = re.compile(rb'<State[^>]* time="([^"]+)"')


@dataclass(frozen=True)
class Progress:
    """How far a stage is.

    Attributes
    ----------
    stage
        Folder of the stage.
    done, total
        ps.
    seconds_left
        Wall time at the present speed; None before it is known.
    density
        g/cm³; None if no frame has been taken, or in vacuum.
    """

    stage: str
    done: float
    total: float
    seconds_left: float | None = None
    density: float | None = None


OnProgress = Callable[[Progress], Any]
ShouldStop = Callable[[float], str | None]
"""From the time simulated (ps) to the reason to stop there, if there is one."""


def run_stage(
    simulation: Simulation,
    folder: Path,
    duration: float,
    recorders: Sequence[Recorder] = (),
    *,
    on_progress: OnProgress = lambda _: None,
    should_stop: ShouldStop = lambda _: None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> str | None:
    """Integrate up to ``duration``, or go on where an earlier process stopped.

    Every ``checkpoint_seconds`` of wall time, and at the end, frames are written and then
    the state, each file in one move: a process killed at any moment loses no more than
    that. Frames that a killed process wrote after its last state are dropped.

    Parameters
    ----------
    simulation
        At the beginning of the stage, with positions and velocities.
    folder
        Of this stage alone.
    duration
        ps from the beginning of the stage.
    recorders
        What to record.
    on_progress
        Called every few seconds.
    should_stop
        Asked after every checkpoint.
    checkpoint_seconds
        Wall time between checkpoints.

    Returns
    -------
    str or None
        Why it stopped early, or None.

    Raises
    ------
    SimulationError
        If the run broke off (NaN, lost device, liquid boiled); the last good state is kept.
    StorageError
        If the disk is full; what was saved before is intact.
    """
    from openff_bytepol.interop.simulation import failed_state_saved

    step = _timestep(simulation)
    end = round(duration / step)
    state = folder / STATE_FILE
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if state.is_file():
        simulation.loadState(str(state))
    else:
        simulation.context.setTime(0.0)
        simulation.context.setStepCount(0)
    forget_after(folder, simulation.currentStep)
    clock = _Clock(simulation.currentStep, checkpoint_seconds)

    def checkpoint() -> None:
        for recorder in recorders:
            recorder.write(folder, simulation.currentStep)
        save_state(simulation, state)

    def progress() -> Progress:
        density = next((d for r in recorders if (d := getattr(r, "density", None))), None)
        now = simulation.currentStep
        return Progress(folder.name, now * step, duration, clock.seconds_left(now, end), density)

    reason = None
    try:
        while simulation.currentStep < end:
            reason = None
            with failed_state_saved(simulation, folder):
                simulation.step(_block(simulation.currentStep, end, recorders, clock))
            _record(simulation, recorders)
            clock.look(simulation.currentStep)
            if clock.is_due() or simulation.currentStep == end:
                checkpoint()
                clock.saved()
                reason = should_stop(simulation.currentStep * step)
            on_progress(progress())
            if reason is not None:
                break
    except KeyboardInterrupt:
        checkpoint()
        raise
    except SimulationError as error:
        if isinstance(error, UnphysicalLiquidError):
            raise
        raise _explained(error, simulation, folder) from error
    except BytePolError:
        raise
    except Exception as error:
        if type(error).__name__ != "OpenMMException":
            raise
        raise _explained(error, simulation, folder) from error
    return reason


def save_state(simulation: Simulation, path: Path) -> None:
    """Replace a saved state in one move.

    Raises
    ------
    StorageError
        If the disk is full or the folder not writable.
    """
    part = path.with_name(f".{path.name}.part")
    with storage(path):
        try:
            simulation.saveState(str(part))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def is_done(folder: Path, duration: float) -> bool:
    """Whether a stage has been simulated up to ``duration`` (ps)."""
    return time_done(folder) >= duration * (1.0 - 1e-9)


def time_done(folder: Path) -> float:
    """Saved time of a stage, ps; 0 if it has not begun.

    Raises
    ------
    SimulationError
        If the saved state cannot be read.
    """
    path = folder / STATE_FILE
    if not path.is_file():
        return 0.0
    with path.open("rb") as stream:
        match = _TIME.search(stream.read(1000))
    if match is None:
        raise SimulationError(f"{path} is no saved state; remove it to begin this stage again")
    return float(match[1])


def _timestep(simulation: Simulation) -> float:
    from openmm import unit

    return float(simulation.integrator.getStepSize().value_in_unit(unit.picosecond))


def _block(step: int, end: int, recorders: Sequence[Recorder], clock: _Clock) -> int:
    """Steps up to the next frame, end or look at the clock."""
    frames = [recorder.every - step % recorder.every for recorder in recorders]
    return max(1, min([end - step, clock.steps_in(_BLOCK_SECONDS), *frames]))


def _record(simulation: Simulation, recorders: Sequence[Recorder]) -> None:
    for recorder in recorders:
        if simulation.currentStep % recorder.every == 0:
            recorder.take(simulation)


def _explained(error: Exception, simulation: Simulation, folder: Path) -> SimulationError:
    return SimulationError(
        f"{error}. The run broke off in {folder} after step {simulation.currentStep}; the state at "
        f"{time_done(folder):g} ps is saved, and the same command goes on from there"
    )


class _Clock:
    """Speed of the run, and when to save."""

    def __init__(self, step: int, checkpoint_seconds: float) -> None:
        self._first = step
        self._begin = self._last_saved = self._now = time.monotonic()
        self._interval = checkpoint_seconds
        self._seconds_per_step: float | None = None

    def look(self, step: int) -> None:
        """Take the time."""
        self._now = time.monotonic()
        self._seconds_per_step = (self._now - self._begin) / max(step - self._first, 1)

    def steps_in(self, seconds: float) -> int:
        """Steps that fit; one until the speed is known."""
        if self._seconds_per_step is None:
            return 1
        return int(seconds / max(self._seconds_per_step, 1e-9))

    def is_due(self) -> bool:
        return self._now - self._last_saved >= self._interval

    def saved(self) -> None:
        self._last_saved = time.monotonic()

    def seconds_left(self, step: int, end: int) -> float | None:
        if self._seconds_per_step is None:
            return None
        return self._seconds_per_step * (end - step)
