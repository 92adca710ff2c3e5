"""Whether molecules stay whole in molecular dynamics, in vacuum and as liquids."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.exceptions import (
    BytePolError,
    ChemistryError,
    DataError,
    EngineError,
    ParameterError,
)
from openff_bytepol.nn.model import Model
from openff_bytepol.properties.box import PACKED_AT, expected_density
from openff_bytepol.properties.folder import claim, storage, write_text
from openff_bytepol.properties.observables import Floats
from openff_bytepol.settings import Solver
from openff_bytepol.training.labels.pool import pick_diverse, read_smiles, supported
from openff_bytepol.units import BOLTZMANN, GRAM_PER_CM3, OPENMM_ENERGY

if TYPE_CHECKING:
    from openff.toolkit import Molecule
    from openmm.app import Simulation

Phase: TypeAlias = Literal["gas", "liquid"]
PHASES: Final[tuple[Phase, ...]] = ("gas", "liquid")
RUNS: Final = "stability"
SUMMARY_FILE: Final = "summary.json"

_SAMPLES: Final = 100
"""Frames of a run that are judged."""
_FRICTION: Final = 1.0
"""1/ps"""
_LARGEST_STRAIN: Final = 0.3
"""Of a bond, relative to its equilibrium length."""
_CLOSEST: Final = 1.0
"""Of atoms without a bond, Å; a hydrogen bond is never below 1.2 Å."""
_TEMPERATURE: Final = 0.2
"""Of the mean temperature, relative, and four standard errors."""
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


class Frame(NamedTuple):
    """A moment of a run."""

    positions: Floats
    """(n_atoms, 3), molecules whole, Å."""
    box: Floats | None
    """Edges (3,), Å; None in vacuum."""
    energy: float
    """Potential, kJ/mol."""
    temperature: float
    """K; NaN for a single atom in vacuum."""


class Bonds(NamedTuple):
    """Bonds of all molecules."""

    atoms: NDArray[np.int64]
    """(n_bonds, 2)"""
    lengths: Floats
    """At equilibrium, (n_bonds,), Å."""


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
OnRun = Callable[[int, Run, float], Any]
"""Called with the number of runs done, the present run and its fraction done."""


def choose_runs(
    pool: Path, *, count: int, max_heavy_atoms: int, phases: Sequence[Phase], seed: int
) -> list[Run]:
    """Diverse molecules of a pool in each phase; ions in vacuum alone.

    Parameters
    ----------
    pool
        SMILES: a ``.smi`` file, or a CSV file with a ``smiles`` column.
    count
        Molecules; all that the model covers if there are fewer.
    max_heavy_atoms
        Of a molecule.
    phases
        To simulate.
    seed
        Of the choice.

    Raises
    ------
    DataError
        If the file cannot be read or holds no molecule that the model covers.
    """
    usable = sorted({c for s in read_smiles(pool) if (c := supported(s, max_heavy_atoms))})
    if not usable:
        raise DataError(
            f"{pool}: no molecule of up to {max_heavy_atoms} heavy atoms that the model covers"
        )
    chosen = pick_diverse(usable, count, seed)
    return [
        Run(smiles, phase)
        for phase in dict.fromkeys(phases)
        for smiles in chosen
        if phase == "gas" or _net_charge(smiles) == 0
    ]


def run_stability(
    runs: Sequence[Run],
    model: Model,
    settings: Settings,
    folder: Path,
    *,
    worker: int = 0,
    n_workers: int = 1,
    overwrite: bool = False,
    on_run: OnRun = lambda *_: None,
) -> list[Result]:
    """Simulate and judge; an interrupted call goes on, and results on disk are kept.

    Parameters
    ----------
    runs
        From `choose_runs`.
    model
        Of the force field, with bonds to hydrogen constrained as in ``bytepol.offxml``.
    settings
        How to simulate.
    folder
        Gets a file for each run.
    worker, n_workers
        This process takes every ``n_workers``-th run, starting at ``worker``.
    overwrite
        Make this process's results again, and replace those of other settings.
    on_run
        Told how far the work is.

    Returns
    -------
    list of Result
        Of all runs that are finished, those of other processes included.

    Raises
    ------
    EngineError
        If the platform asked for cannot be used.
    OutputExistsError
        If the folder holds results of other settings, or anything else.
    StorageError
        If the folder cannot be written.
    """
    from filelock import FileLock

    from openff_bytepol.interop.platforms import choose_platform

    choose_platform(settings.platform)
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
    request = {"model": model.sha256, **asdict(replace(settings, platform=None))}
    with FileLock(folder / ".lock"):
        claim(folder, request, overwrite=overwrite)
        (folder / RUNS).mkdir(exist_ok=True)
    mine = runs[worker::n_workers]
    for done, run in enumerate(mine):
        on_run(done, run, 0.0)
        path = _result_path(folder, run)
        if overwrite or not path.is_file():
            result = simulate(run, model, settings, partial(on_run, done, run))
            write_text(path, json.dumps(asdict(result), indent=2) + "\n")
    if mine:
        on_run(len(mine), mine[-1], 1.0)
    paths = [_result_path(folder, run) for run in runs]
    return [Result(**json.loads(path.read_text("utf-8"))) for path in paths if path.is_file()]


def summarize(runs: Sequence[Run], results: Sequence[Result]) -> dict[str, Any]:
    """Counts by phase, and all results, for JSON."""
    phases: dict[str, Any] = {}
    for phase in dict.fromkeys(run.phase for run in runs):
        found = [result for result in results if result.phase == phase]
        strains = [r.largest_strain for r in found if r.stable and r.largest_strain is not None]
        phases[phase] = {
            "stable": sum(result.stable is True for result in found),
            "unstable": sum(result.stable is False for result in found),
            "not_begun": sum(result.stable is None for result in found),
            "unfinished": sum(run.phase == phase for run in runs) - len(found),
            "largest_strain": max(strains, default=None),
            "seconds": sum(result.seconds for result in found),
        }
    return {"phases": phases, "results": [asdict(result) for result in results]}


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
    mass = float(_masses(simulation).sum())
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


def frame_fault(frame: Frame, bonds: Bonds) -> str | None:
    """Why a frame is impossible, or None.

    Parameters
    ----------
    frame
        Of a run.
    bonds
        Of its molecules.
    """
    if not (math.isfinite(frame.energy) and np.isfinite(frame.positions).all()):
        return "energy or positions are not finite"
    if (strain := largest_strain(frame.positions, bonds)) > _LARGEST_STRAIN:
        return f"a bond changed its length by {100 * strain:.0f} %"
    if (gap := closest_contact(frame.positions, bonds.atoms, frame.box)) < _CLOSEST:
        return f"atoms without a bond came to {gap:.2f} Å"
    return None


def largest_strain(positions: Floats, bonds: Bonds) -> float:
    """Largest relative change of a bond's length; 0 without bonds.

    Parameters
    ----------
    positions
        (n_atoms, 3), molecules whole, Å.
    bonds
        Of the molecules.
    """
    ends = positions[bonds.atoms]
    lengths = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=-1)
    return float(np.abs(lengths / bonds.lengths - 1.0).max(initial=0.0))


def closest_contact(
    positions: Floats, bonded: NDArray[np.int64], box: Floats | None, reach: float = _CLOSEST
) -> float:
    """Smallest distance of two atoms without a bond, Å; infinite beyond the reach.

    Parameters
    ----------
    positions
        (n_atoms, 3), Å.
    bonded
        Pairs of atoms, (n_bonds, 2).
    box
        Edges (3,), Å; None in vacuum.
    reach
        Å, less than half an edge.
    """
    from scipy.spatial import cKDTree

    wrapped = positions
    if box is not None:
        wrapped = positions % box
        wrapped = np.where(wrapped >= box, 0.0, wrapped)
    pairs = cKDTree(wrapped, boxsize=box).query_pairs(reach, output_type="ndarray")
    known = {(min(pair), max(pair)) for pair in bonded.tolist()}
    others = np.array([p for p in pairs.tolist() if tuple(p) not in known]).reshape(-1, 2)
    if not len(others):
        return math.inf
    gaps = wrapped[others[:, 0].astype(int)] - wrapped[others[:, 1].astype(int)]
    if box is not None:
        gaps = gaps - box * np.round(gaps / box)
    return float(np.linalg.norm(gaps, axis=-1).min())


def temperature_fault(mean: float, wanted: float, freedom: int, length: float) -> str | None:
    """Why a mean temperature is impossible, or None.

    Parameters
    ----------
    mean, wanted
        Found, and of the thermostat, K.
    freedom
        Number of degrees of freedom.
    length
        Over which the mean is taken, ps.
    """
    if freedom <= 0:
        return None
    independent = 1.0 + _FRICTION * length
    allowed = _TEMPERATURE + 4.0 * math.sqrt(2.0 / (freedom * independent))
    if abs(mean / wanted - 1.0) <= allowed:
        return None
    return f"the temperature is {mean:.0f} instead of {wanted:.0f} K"


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
        copies, cutoff = box_size(_mass(molecule), densest, settings.n_molecules)
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
        friction=_FRICTION,
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

    mass = float(_masses(simulation).sum())
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


def _masses(simulation: Simulation) -> Floats:
    system = simulation.system
    return np.array([system.getParticleMass(i)._value for i in range(system.getNumParticles())])


def _mass(molecule: Molecule) -> float:
    return float(sum(atom.mass.m_as("dalton") for atom in molecule.atoms))


def _density(mass: float, box: Floats) -> float:
    return float(mass * GRAM_PER_CM3 / box.prod())


def _step(simulation: Simulation) -> float:
    from openmm import unit

    return float(simulation.integrator.getStepSize().value_in_unit(unit.picosecond))


def _net_charge(smiles: str) -> int:
    from rdkit import Chem

    return int(Chem.GetFormalCharge(Chem.MolFromSmiles(smiles)))


def _result_path(folder: Path, run: Run) -> Path:
    name = hashlib.sha256(run.smiles.encode()).hexdigest()[:16]
    return folder / RUNS / f"{name}-{run.phase}.json"


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
