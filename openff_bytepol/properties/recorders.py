"""What is recorded of a running simulation, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import numpy as np

from openff_bytepol.properties.box import Box
from openff_bytepol.properties.checks import check_density, check_frame
from openff_bytepol.properties.folder import storage
from openff_bytepol.properties.observables import Floats, Observables
from openff_bytepol.units import GRAM_PER_CM3, KJ_PER_KCAL, NM_PER_ANGSTROM

if TYPE_CHECKING:
    from openmm.app import Simulation

SERIES: Final = "series"
TRAJECTORY: Final = "trajectory"

Measure: TypeAlias = "Callable[[Simulation, Floats], Floats]"
"""From a simulation and unwrapped positions (Å)."""


class Recorder(Protocol):
    """Takes frames at even intervals, and writes those taken since it last wrote."""

    every: int
    """Steps between frames."""

    def take(self, simulation: Simulation) -> None:
        """Record the present state."""

    def write(self, folder: Path, step: int) -> None:
        """Write the frames up to a step and forget them; nothing without frames."""


@dataclass
class SeriesRecorder:
    """Energies, boxes and centres of mass, and what is measured besides, as `Observables`.

    Attributes
    ----------
    with_centers
        Record centres of mass.
    measures
        Field of `Observables` → how to measure a frame of it.
    """

    box: Box
    temperature: float
    pressure: float | None
    every: int
    with_centers: bool = True
    measures: dict[str, Measure] = field(default_factory=dict)
    density: float | None = None
    """Of the last frame, g/cm³."""
    frames: list[dict[str, Any]] = field(default_factory=list)

    def take(self, simulation: Simulation) -> None:
        """Record the present state.

        Raises
        ------
        SimulationError
            If it is not finite, too hot, or a gas.
        """
        from openmm import unit

        state = simulation.context.getState(energy=True, positions=True)
        positions = state.getPositions(asNumpy=True)._value / NM_PER_ANGSTROM
        potential = state.getPotentialEnergy()._value / KJ_PER_KCAL
        kinetic = state.getKineticEnergy()._value / KJ_PER_KCAL
        check_frame(potential, kinetic, self.box.degrees_of_freedom, self.temperature)
        step = simulation.integrator.getStepSize().value_in_unit(unit.picosecond)
        frame: dict[str, Any] = {
            "times": simulation.currentStep * step,
            "potential_energies": potential,
            "kinetic_energies": kinetic,
        }
        if self.box.periodic:
            vectors = state.getPeriodicBoxVectors(asNumpy=True)._value / NM_PER_ANGSTROM
            self.density = self.box.mass * GRAM_PER_CM3 / float(np.linalg.det(vectors))
            check_density(self.density, self.box.expected_density)
            frame["boxes"] = vectors
            if self.with_centers:
                frame["centers"] = self.box.centers(positions)
        for name, measure in self.measures.items():
            frame[name] = measure(simulation, positions)
        self.frames.append(frame)

    def write(self, folder: Path, step: int) -> None:
        """As `Recorder.write`.

        Raises
        ------
        StorageError
            If the disk is full or the folder not writable.
        """
        if not self.frames:
            return
        kinds = self.box.kinds
        series: dict[str, Any] = {
            name: np.array([frame[name] for frame in self.frames]) for name in self.frames[0]
        }
        observables = Observables(
            names=tuple(kind.smiles for kind in kinds),
            molar_masses=tuple(kind.molar_mass for kind in kinds),
            charges=tuple(kind.charge for kind in kinds),
            component_index=self.box.component_index,
            degrees_of_freedom=self.box.degrees_of_freedom,
            temperature=self.temperature,
            pressure=self.pressure,
            polarizabilities=tuple(kind.polarizability for kind in kinds),
            **series,
        )
        path = chunk_path(folder, SERIES, step, "npz")
        with storage(path):
            observables.save(path, overwrite=True)
        self.frames.clear()


@dataclass
class TrajectoryRecorder:
    """Positions as DCD files, molecules whole and not wrapped."""

    every: int
    frames: list[tuple[Any, Any]] = field(default_factory=list)

    def take(self, simulation: Simulation) -> None:
        """Record the present state."""
        state = simulation.context.getState(positions=True)
        self.frames.append((state.getPositions(), state.getPeriodicBoxVectors()))
        self._simulation = simulation

    def write(self, folder: Path, step: int) -> None:
        """As `Recorder.write`; errors as `SeriesRecorder.write`."""
        from openmm.app import DCDFile

        if not self.frames:
            return
        path = chunk_path(folder, TRAJECTORY, step, "dcd")
        part = path.with_name(f".{path.name}.part")
        simulation = self._simulation
        with storage(path):
            try:
                with part.open("wb") as stream:
                    file = DCDFile(
                        stream,
                        simulation.topology,
                        simulation.integrator.getStepSize(),
                        interval=self.every,
                    )
                    for positions, vectors in self.frames:
                        file.writeModel(positions, periodicBoxVectors=vectors)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        self.frames.clear()


def chunk_path(folder: Path, prefix: str, step: int, suffix: str) -> Path:
    """File of the frames up to a step."""
    return folder / f"{prefix}-{step:012d}.{suffix}"


def chunks(folder: Path, prefix: str = SERIES, suffix: str = "npz") -> Iterator[tuple[int, Path]]:
    """Last step and path of every chunk, in order."""
    for path in sorted(folder.glob(f"{prefix}-{'[0-9]' * 12}.{suffix}")):
        yield int(path.stem.rpartition("-")[2]), path


def read_series(folder: Path, prefix: str = SERIES) -> Observables | None:
    """Everything recorded in a folder; None if nothing is."""
    found = [Observables.load(path) for _, path in chunks(folder, prefix)]
    return Observables.concatenate(found) if found else None


def forget_after(folder: Path, step: int) -> None:
    """Remove what a killed run wrote after its last state, at a step, and half-written files."""
    for prefix, suffix in ((SERIES, "npz"), (TRAJECTORY, "dcd")):
        for last, path in chunks(folder, prefix, suffix):
            if last > step:
                path.unlink()
    for part in folder.glob(".*.part"):
        part.unlink()
