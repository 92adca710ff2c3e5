"""Molecular dynamics of one molecule, in vacuum or as a liquid, judged on its way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np

from openff_bytepol.exceptions import BytePolError, ChemistryError, EngineError, ParameterError
from openff_bytepol.nn.model import Model
from openff_bytepol.properties.box import PACKED_AT, expected_density
from openff_bytepol.properties.observables import Floats
from openff_bytepol.properties.stability_faults import (
    FRICTION,
    Bonds,
    Frame,
    frame_fault,
    largest_strain,
    temperature_fault,
)
from openff_bytepol.settings import Solver
from openff_bytepol.units import BOLTZMANN, GRAM_PER_CM3, OPENMM_ENERGY

if TYPE_CHECKING:
    from openmm.app import Simulation

Phase: TypeAlias = Literal["gas", "liquid"]

_SAMPLES: Final = 100
"""Frames of a run that are judged."""
_COLLAPSED: Final = 1.5
"""Density relative to the one that van der Waals volumes let expect."""
_CUTOFF: Final = 9.0
_SMALLEST_CUTOFF: Final = 6.0
_SWITCH: Final = 1.0
"""Å; the box holds the cutoff up to the density of a collapse."""
_MINIMISATION: Final = 100
_PRESSURE: Final = 1.0
"""atm"""
_GAS_PLATFORM: Final = "Reference"
"""As fast as any for a handful of atoms, in double precision."""


class Run(NamedTuple):
    """A molecule in a phase."""

    smiles: str
    phase: Phase


@dataclass(frozen=True)
class Settings:
    """How to simulate.

    Attributes
    ----------
    time
        ps.
    n_molecules
        Of a liquid, or more where the box would not hold a cutoff of 6 Å.
    temperature
        K.
    seed
        Of velocities, thermostat and barostat.
    platform
        Of OpenMM, for liquids; the fastest by default.
    solver
        Of induced dipoles, as for `make_simulation`.
    """

    time: float = 100.0
    n_molecules: int = 32
    temperature: float = 298.15
    seed: int = 1
    platform: str | None = None
    solver: Solver | None = "fast"


@dataclass(frozen=True)
class Result:
    """What became of a molecule in a phase."""

    smiles: str
    phase: Phase
    stable: bool | None
    """None if it could not be begun: no conformer, a molecule outside the model."""
    reason: str
    """Why it is not stable; empty if it is."""
    length: float
    """ps reached."""
    temperature: float | None
    """Mean of the last half, K."""
    density: float | None
    """Mean of the last half, g/cm³; None in vacuum."""
    largest_strain: float | None
    """Of a bond: largest change of length relative to its equilibrium length."""
    n_atoms: int = 0
    seconds: float = 0.0
    """Wall time."""


OnSample = Callable[[float], Any]
"""Called with the fraction of a run that is done."""


def simulate(
    run: Run, model: Model, settings: Settings, on_sample: OnSample = lambda _: None
) -> Result:
    """Simulate a molecule and judge it at a hundred moments.

    Parameters
    ----------
    run
        Molecule and phase.
    model
        Of the force field.
    settings
        How to simulate.
    on_sample
        Told how far the run is.
    """
    begin = time.monotonic()
    try:
        simulation, bonds, densest = _prepare(run, model, settings)
    except (ChemistryError, ParameterError, EngineError) as error:
        return Result(run.smiles, run.phase, None, _text(error), 0.0, None, None, None)
    frames, strains, reason = _sampled(simulation, bonds, densest, settings, on_sample)
    half = frames[len(frames) // 2 :]
    temperature = float(np.mean([frame.temperature for frame in half])) if half else math.nan
    length = simulation.currentStep * _step(simulation)
    if not reason:
        reason = temperature_fault(
            temperature, settings.temperature, _degrees_of_freedom(simulation), 0.5 * length
        )
    mass = _mass(simulation)
    densities = [_density(mass, frame.box) for frame in half if frame.box is not None]
    return Result(
        smiles=run.smiles,
        phase=run.phase,
        stable=not reason,
        reason=reason or "",
        length=length,
        temperature=temperature if math.isfinite(temperature) else None,
        density=float(np.mean(densities)) if densities else None,
        largest_strain=max((s for s in strains if math.isfinite(s)), default=None),
        n_atoms=simulation.system.getNumParticles(),
        seconds=time.monotonic() - begin,
    )


def _prepare(run: Run, model: Model, settings: Settings) -> tuple[Simulation, Bonds, float]:
    """Simulation with positions, bonds, and the density of a collapse."""
    from openff.toolkit import Molecule

    from openff_bytepol.interop.boxes import pack_box, with_conformer
    from openff_bytepol.interop.openmm_system import create_system
    from openff_bytepol.interop.simulation import make_simulation

    molecule = with_conformer(Molecule.from_smiles(run.smiles, allow_undefined_stereo=True))
    (parameters,) = model.predict([molecule])
    copies, box, pressure, densest = 1, None, None, math.inf
    topology = molecule.to_topology()
    platform: str | None = _GAS_PLATFORM
    options: dict[str, Any] = {}
    if run.phase == "liquid":
        density = expected_density([molecule], [1])
        densest = _COLLAPSED * density
        mass = sum(atom.mass.m_as("dalton") for atom in molecule.atoms)
        copies, cutoff = box_size(mass, densest, settings.n_molecules)
        topology = pack_box([molecule], [copies], density=PACKED_AT * density)
        box = np.diag(topology.box_vectors.m_as("angstrom"))
        pressure, platform = _PRESSURE, settings.platform
        options = {"box": box, "cutoff": cutoff, "switch_distance": cutoff - _SWITCH}
    starts = molecule.n_atoms * np.arange(copies)
    placements = [(0, range(start, start + molecule.n_atoms)) for start in starts.tolist()]
    simulation = make_simulation(
        create_system([parameters], placements, constraints=True, **options),
        topology.to_openmm(),
        temperature=settings.temperature,
        pressure=pressure,
        friction=FRICTION,
        platform=platform,
        seed=settings.seed,
        positions=topology.get_positions().m_as("angstrom"),
        box=box,
        solver=settings.solver,
    )
    atoms = parameters.bonds.numpy().astype(np.int64)
    lengths = parameters.bond_r0.detach().numpy().astype(np.float64)
    bonds = Bonds(
        (starts[:, None, None] + atoms[None]).reshape(-1, 2).astype(np.int64),
        np.tile(lengths, copies),
    )
    return simulation, bonds, densest


def box_size(mass: float, densest: float, n_molecules: int) -> tuple[int, float]:
    """Molecules of a box that holds a cutoff up to some density, and that cutoff.

    Parameters
    ----------
    mass
        Of a molecule, Da.
    densest
        g/cm³.
    n_molecules
        At least.

    Returns
    -------
    n_molecules
    cutoff
        Å, from 6 to 9.
    """
    volume = mass * GRAM_PER_CM3 / densest
    half = 0.49
    enough = max(n_molecules, math.ceil((_SMALLEST_CUTOFF / half) ** 3 / volume))
    return enough, min(_CUTOFF, half * float(np.cbrt(enough * volume)))


def _sampled(
    simulation: Simulation, bonds: Bonds, densest: float, settings: Settings, on_sample: OnSample
) -> tuple[list[Frame], list[float], str | None]:
    """Frames, largest strains, and the reason why the run ended early."""
    import openmm
    from openmm import unit

    mass = _mass(simulation)
    end = max(1, round(settings.time / _step(simulation)))
    every = max(1, end // _SAMPLES)
    frames: list[Frame] = []
    strains: list[float] = []
    try:
        simulation.minimizeEnergy(maxIterations=_MINIMISATION)
        simulation.context.setVelocitiesToTemperature(
            settings.temperature * unit.kelvin, settings.seed
        )
        while simulation.currentStep < end:
            simulation.step(min(every, end - simulation.currentStep))
            frame = _frame(simulation)
            if (reason := frame_fault(frame, bonds)) is not None:
                strains.append(largest_strain(frame.positions, bonds))
                return frames, strains, reason
            frames.append(frame)
            strains.append(largest_strain(frame.positions, bonds))
            if frame.box is not None and _density(mass, frame.box) > densest:
                return frames, strains, f"collapsed to {_density(mass, frame.box):.2f} g/cm³"
            on_sample(simulation.currentStep / end)
    except (BytePolError, openmm.OpenMMException, ValueError) as error:
        return frames, strains, _text(error)
    return frames, strains, None


def _frame(simulation: Simulation) -> Frame:
    from openmm import unit

    state = simulation.context.getState(positions=True, energy=True)
    box = None
    if simulation.system.usesPeriodicBoundaryConditions():
        vectors = state.getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.angstrom)
        box = np.asarray(vectors, dtype=np.float64).diagonal()
    kinetic = state.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)
    freedom = _degrees_of_freedom(simulation)
    boltzmann = BOLTZMANN * OPENMM_ENERGY
    return Frame(
        np.asarray(state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)),
        box,
        state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole),
        2.0 * kinetic / (freedom * boltzmann) if freedom > 0 else math.nan,
    )


def _degrees_of_freedom(simulation: Simulation) -> int:
    system = simulation.system
    return int(3 * system.getNumParticles() - system.getNumConstraints() - 3)


def _mass(simulation: Simulation) -> float:
    from openff_bytepol.interop.masses import particle_masses

    return float(particle_masses(simulation.system).sum())


def _density(mass: float, box: Floats) -> float:
    return float(mass * GRAM_PER_CM3 / box.prod())


def _step(simulation: Simulation) -> float:
    from openmm import unit

    return float(simulation.integrator.getStepSize().value_in_unit(unit.picosecond))


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
