"""One molecule in vacuum: the gas leg of the enthalpy of vaporization."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from openff_bytepol.exceptions import SamplingError
from openff_bytepol.properties.box import (
    BOX_FILE,
    SYSTEM_FILE,
    TOPOLOGY_FILE,
    Box,
    write_box,
)
from openff_bytepol.properties.engine import Engine, every_steps
from openff_bytepol.properties.observables import Floats, Observables
from openff_bytepol.properties.production import STATE_FILE, OnProgress, is_done, run_stage
from openff_bytepol.properties.recorders import (
    Recorder,
    SeriesRecorder,
    TrajectoryRecorder,
    read_series,
)
from openff_bytepol.properties.vibrations import vibrational_wavenumbers
from openff_bytepol.units import NM_PER_ANGSTROM

if TYPE_CHECKING:
    from openff.toolkit import Molecule
    from openmm.app import Simulation

    from openff_bytepol.properties.force_fields import Parameters

_BUILD: Final = "0-build"
_EQUILIBRATED: Final = "1-equilibrate"
GAS_PRODUCED: Final = "2-produce"
_INTERVAL: Final = 0.1
"""ps between frames."""
_TRAJECTORY: Final = 1.0
"""ps between frames of positions."""
_EQUILIBRATION: Final = 0.1
"""Of the time of production."""
_PLATFORM: Final = "Reference"
"""Fastest for a handful of atoms."""


def simulate_gas(
    folder: Path,
    molecule: Molecule,
    parameters: Parameters,
    *,
    temperature: float,
    duration: float,
    engine: Engine,
    on_progress: OnProgress = lambda _: None,
) -> Observables:
    """Simulate one molecule without a box, or go on with that.

    Parameters
    ----------
    folder
        Of this leg.
    molecule, parameters
        What to simulate, and its force field.
    temperature
        K.
    duration
        ps of production.
    engine
        Its platform is passed over: one molecule is fastest on OpenMM's Reference platform.
    on_progress
        Called every few seconds.

    Returns
    -------
    Observables
        All frames of production.

    Raises
    ------
    ForceFieldError
        If the force field does not describe the molecule.
    SamplingError
        If the duration is too short for a single frame.
    SimulationError
        If the run breaks off.
    """
    home = folder / _BUILD
    box = build_gas(folder, molecule, parameters)
    if not is_done(folder / GAS_PRODUCED, duration):
        simulation = _begin(home, temperature, replace(engine, platform=_PLATFORM))
        recorder = SeriesRecorder(box, temperature, None, every_steps(simulation, _INTERVAL))
        if not (folder / GAS_PRODUCED / STATE_FILE).is_file():
            time = _EQUILIBRATION * duration
            run_stage(simulation, folder / _EQUILIBRATED, time, on_progress=on_progress)
        recorders: list[Recorder] = [
            recorder,
            TrajectoryRecorder(every_steps(simulation, _TRAJECTORY)),
        ]
        run_stage(simulation, folder / GAS_PRODUCED, duration, recorders, on_progress=on_progress)
    found = read_series(folder / GAS_PRODUCED)
    if found is None:
        raise SamplingError(f"{duration:g} ps of gas are too short for a frame; simulate longer")
    return found


def build_gas(folder: Path, molecule: Molecule, parameters: Parameters) -> Box:
    """Parameterize one molecule without a box, or read it; arguments as `simulate_gas`.

    Raises
    ------
    ForceFieldError
        If the force field does not describe the molecule.
    """
    from openff_bytepol.interop.boxes import with_conformer

    home = folder / _BUILD
    if (home / BOX_FILE).is_file():
        return Box.read(home)
    placed = with_conformer(molecule)
    interchange = parameters.interchange(placed.to_topology())
    return write_box(home, interchange, [placed], [1], parameters)


def gas_wavenumbers(folder: Path) -> Floats:
    """Wavenumbers of the vibrations of what `build_gas` built, 1/cm.

    Raises
    ------
    SimulationError
        As `vibrational_wavenumbers`.
    """
    import openmm
    from openmm.app import PDBFile

    home = folder / _BUILD
    system = openmm.XmlSerializer.deserialize((home / SYSTEM_FILE).read_text("utf-8"))
    pdb = PDBFile(str(home / TOPOLOGY_FILE))
    positions = np.asarray(pdb.getPositions(asNumpy=True)._value) / NM_PER_ANGSTROM
    return vibrational_wavenumbers(system, positions)


def _begin(home: Path, temperature: float, engine: Engine) -> Simulation:
    """Minimised, with velocities."""
    from openmm import unit
    from openmm.app import PDBFile

    pdb = PDBFile(str(home / TOPOLOGY_FILE))
    positions = np.asarray(pdb.getPositions(asNumpy=True)._value) / NM_PER_ANGSTROM
    simulation = engine.simulation(home, temperature, None, positions, None)
    simulation.minimizeEnergy()
    seed = () if engine.seed is None else (engine.seed,)
    simulation.context.setVelocitiesToTemperature(temperature * unit.kelvin, *seed)
    return simulation
