"""Liquids from composition to equilibrium: packed, minimised, heated, compressed, relaxed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from openff_bytepol.exceptions import CutoffError, SimulationError
from openff_bytepol.properties.box import (
    BOX_FILE,
    PACKED_AT,
    TOPOLOGY_FILE,
    Box,
    expected_density,
    write_box,
)
from openff_bytepol.properties.engine import FRICTION, Engine, every_steps
from openff_bytepol.properties.observables import Floats
from openff_bytepol.properties.production import STATE_FILE, OnProgress, run_stage, save_state
from openff_bytepol.properties.recorders import SeriesRecorder
from openff_bytepol.properties.state import State
from openff_bytepol.units import NM_PER_ANGSTROM

if TYPE_CHECKING:
    from openff.toolkit import Molecule
    from openmm.app import Simulation

    from openff_bytepol.properties.force_fields import Parameters

BUILD: Final = "0-build"
RELAXED: Final = "1-relax"
COMPRESSED: Final = "2-compress"
EQUILIBRATED: Final = "3-equilibrate"
PRODUCED: Final = "4-produce"

SHARES: Final = {RELAXED: 0.1, COMPRESSED: 0.3, EQUILIBRATED: 0.6}
"""Of the equilibration time."""
_COMPRESSION: Final = 300.0
"""atm above the pressure asked for, while the packed box shrinks."""
_STRONG_FRICTION: Final = 10.0
"""1/ps"""
_MINIMISATION: Final = 200
"""Iterations: enough to remove the bad contacts of packing."""
_WATCH: Final = 0.5
"""ps between looks at energy and density during equilibration."""


def build(
    folder: Path,
    molecules: Sequence[Molecule],
    counts: Sequence[int],
    parameters: Parameters,
    engine: Engine,
) -> Box:
    """Pack, parameterize and minimise a liquid, or read the one that a folder holds.

    Parameters
    ----------
    folder
        Of the liquid; this goes into a folder inside.
    molecules, counts
        Kinds of molecules and how many of each.
    parameters, engine
        Force field, and how to minimise.

    Raises
    ------
    ChemistryError, EngineError, MissingDependencyError
        As `pack_box`.
    CutoffError
        If the box would be too small for the cutoff of the force field.
    ForceFieldError
        If the force field does not describe a molecule.
    SimulationError
        If the packed box cannot be minimised.
    """
    from openff_bytepol.interop.boxes import pack_box

    home = folder / BUILD
    if not (home / BOX_FILE).is_file():
        density = PACKED_AT * expected_density(molecules, counts)
        interchange = parameters.interchange(pack_box(molecules, counts, density=density))
        try:
            write_box(home, interchange, molecules, counts, parameters)
        except CutoffError as error:
            raise CutoffError(
                f"{sum(counts)} molecules are too few: {error}. Give a larger n_molecules"
            ) from error
    if not (home / STATE_FILE).is_file():
        _minimise(home, engine)
    return Box.read(home)


def _minimise(home: Path, engine: Engine) -> None:
    from openmm.app import PDBFile

    pdb = PDBFile(str(home / TOPOLOGY_FILE))
    simulation = engine.simulation(
        home,
        temperature=1.0,
        pressure=None,
        positions=np.asarray(pdb.getPositions(asNumpy=True)._value) / NM_PER_ANGSTROM,
        box=None,
    )
    simulation.minimizeEnergy(maxIterations=_MINIMISATION)
    energy = simulation.context.getState(energy=True).getPotentialEnergy()._value
    if not np.isfinite(energy):
        raise SimulationError(
            f"the energy of the packed box in {home} is not finite after minimisation; remove "
            "the folder to pack it anew"
        )
    save_state(simulation, home / STATE_FILE)


def begin(
    folder: Path,
    before: str,
    temperature: float,
    pressure: float | None,
    engine: Engine,
    *,
    friction: float = FRICTION,
    acceleration: float | None = None,
) -> Simulation:
    """Simulation at the end of an earlier stage; after `build`, with new velocities.

    Parameters
    ----------
    folder
        Of the liquid.
    before
        Stage that it goes on from.
    temperature, pressure, friction
        K; atm, None for constant volume; 1/ps.
    engine
        How to integrate.
    acceleration
        Of a periodic perturbation, Å/ps²; none by default.
    """
    positions, velocities, vectors = end_of(folder / before)
    simulation = engine.simulation(
        folder / BUILD,
        temperature,
        pressure,
        positions,
        vectors,
        friction=friction,
        acceleration=acceleration,
    )
    if before != BUILD:
        simulation.context.setVelocities(velocities)
    return simulation


def end_of(stage: Path) -> tuple[Floats, Floats, Floats]:
    """Positions (Å), velocities (nm/ps) and box vectors (Å) at the end of a stage."""
    import openmm

    state = openmm.XmlSerializer.deserialize((stage / STATE_FILE).read_text("utf-8"))
    return (
        np.asarray(state.getPositions(asNumpy=True)._value) / NM_PER_ANGSTROM,
        np.asarray(state.getVelocities(asNumpy=True)._value),
        np.asarray(state.getPeriodicBoxVectors(asNumpy=True)._value) / NM_PER_ANGSTROM,
    )


def equilibrate(
    folder: Path,
    box: Box,
    state: State,
    duration: float,
    engine: Engine,
    *,
    on_progress: OnProgress = lambda _: None,
) -> None:
    """Bring a packed box to temperature and pressure, or go on with that.

    Heated at constant volume with strong friction; compressed at a raised pressure; relaxed
    at the pressure asked for.

    Parameters
    ----------
    folder
        Of the liquid.
    box
        That `build` returned.
    state
        To reach.
    duration
        ps altogether.
    engine
        How to integrate.
    on_progress
        Called every few seconds.

    Raises
    ------
    SimulationError
        If the run breaks off.
    UnphysicalLiquidError
        If the liquid boils.
    """
    pressures = {
        RELAXED: None,
        COMPRESSED: state.pressure + _COMPRESSION,
        EQUILIBRATED: state.pressure,
    }
    stages = [BUILD, *SHARES, PRODUCED]
    for before, stage, after in zip(stages, stages[1:], stages[2:], strict=False):
        if (folder / after / STATE_FILE).is_file():
            continue
        friction = _STRONG_FRICTION if stage == RELAXED else FRICTION
        pressure = pressures[stage]
        simulation = begin(folder, before, state.temperature, pressure, engine, friction=friction)
        watch = SeriesRecorder(box, state.temperature, pressure, every_steps(simulation, _WATCH))
        time = SHARES[stage] * duration
        run_stage(simulation, folder / stage, time, [watch], on_progress=on_progress)
