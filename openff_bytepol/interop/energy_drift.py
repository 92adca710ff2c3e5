"""How well a polarizable simulation without thermostat conserves its energy."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import openmm
from openmm import app, unit

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.interop.layout import Floats
from openff_bytepol.interop.openmm_forces import FAST_GROUP, SLOW_GROUP
from openff_bytepol.interop.openmm_polarization import recorded_results, use_polarization_kernel
from openff_bytepol.interop.simulation import make_simulation
from openff_bytepol.polarization import PolarizationResult
from openff_bytepol.units import COULOMB, NM_PER_ANGSTROM, OPENMM_ENERGY

_WARM_UP: Final = 50
"""Steps before the first record, which fill the predictor's history."""
_INTERVAL: Final = 5
"""Steps between records of the energy."""
_BLOCKS: Final = 10
"""Parts of the trajectory whose mean energies the line is fitted to."""


@dataclass(frozen=True)
class EnergyDrift:
    """Total energy of a simulation without thermostat and barostat."""

    n_atoms: int
    time_ps: float
    drift: float
    """Slope of the total energy, kJ/mol/ps per 1,000 atoms."""
    standard_error: float
    """Of the slope, from the means of ten blocks."""
    dipole_drift: float
    """The part of it that dipoles make which are not quite at the minimum, from their work."""
    dipole_standard_error: float
    """Of that part, from the means of ten blocks."""
    fluctuation: float
    """Standard deviation of the total energy about the line, kJ/mol per 1,000 atoms."""
    temperature: float
    """Mean, K."""
    iterations: float
    """Mean number of conjugate-gradient steps a force call."""
    residual: float
    """Mean error of the dipoles that is left, debye (root mean square)."""
    milliseconds: float
    """Processor time of a whole step, ms."""


def energy_drift(
    system: openmm.System,
    topology: app.Topology,
    positions: Floats,
    *,
    length: float = 10.0,
    equilibration: float = 2.0,
    temperature: float = 298.15,
    timestep: float = 2.0,
    seed: int = 1,
    **options: Any,
) -> EnergyDrift:
    """Simulate at constant energy with the polarization kernel, and fit a line.

    The integrator is that of `make_simulation` without its thermostat: bonded terms and near
    pairs in steps of half the time step.

    Parameters
    ----------
    system
        Made by `create_system`, best with a ``switch_distance``: a van der Waals energy that ends
        abruptly is not conserved, whatever the dipoles do.
    topology
        Of the system.
    positions
        Å; (n_particles, 3), in the default box of the system.
    length
        ps.
    equilibration
        With a thermostat after a minimisation, ps; 0 for neither.
    temperature
        Of equilibration and initial velocities, K.
    timestep
        fs.
    seed
        Of velocities and thermostat.
    options
        Fields of `polarization.KernelOptions`.

    Raises
    ------
    ForceFieldError
        If the system has no multipole force of stock OpenMM.
    """
    work = _Work()
    replaced = copy.deepcopy(system)
    if not use_polarization_kernel(replaced, **options):
        raise ForceFieldError("the system has no AmoebaMultipoleForce to put the kernel in for")
    groups = [(SLOW_GROUP, 1), (FAST_GROUP, 2)]
    integrator = openmm.MTSIntegrator(timestep * unit.femtosecond, groups)
    platform = openmm.Platform.getPlatformByName("CPU")
    simulation = app.Simulation(topology, replaced, integrator, platform)
    if equilibration > 0.0:
        positions = _equilibrated(system, topology, positions, equilibration, temperature, seed)
    simulation.context.setPositions(positions * NM_PER_ANGSTROM)
    simulation.context.setVelocitiesToTemperature(temperature * unit.kelvin, seed)
    simulation.step(_WARM_UP)
    n_atoms = replaced.getNumParticles()
    records, iterations, residuals = [], [], []
    n_records = max(2 * _BLOCKS, round(1000.0 * length / (timestep * _INTERVAL)))
    start = time.process_time()
    for _ in range(n_records):
        with recorded_results() as results:
            simulation.step(_INTERVAL)
        iterations += [result.iterations for result in results]
        residuals += [result.residual for result in results]
        for result in results:
            work.add(result)
        state = simulation.context.getState(energy=True)
        kinetic, potential = state.getKineticEnergy(), state.getPotentialEnergy()
        energies = (kinetic, kinetic + potential)
        records.append([energy.value_in_unit(unit.kilojoule_per_mole) for energy in energies])
    seconds = time.process_time() - start
    kinetic_energies: Floats = np.array([record[0] for record in records])
    totals: Floats = np.array([record[1] for record in records])
    times = np.linspace(0.0, 1e-3 * timestep * _INTERVAL * (n_records - 1), n_records)
    slope, error, spread = _line(times, 1000.0 / n_atoms * totals)
    done = np.array([block.mean() for block in np.array_split(work.done, _BLOCKS)])
    done *= 1000.0 / n_atoms / (1e-3 * timestep)
    gas_constant = unit.MOLAR_GAS_CONSTANT_R.value_in_unit(unit.kilojoule_per_mole / unit.kelvin)
    return EnergyDrift(
        n_atoms=n_atoms,
        time_ps=float(times[-1]),
        drift=slope,
        standard_error=error,
        dipole_drift=float(done.mean()),
        dipole_standard_error=float(done.std(ddof=1) / np.sqrt(_BLOCKS)),
        fluctuation=spread,
        temperature=float(kinetic_energies.mean() / (1.5 * n_atoms * gas_constant)),
        iterations=float(np.mean(iterations)),
        residual=float(np.mean(residuals)),
        milliseconds=1e3 * seconds / (n_records * _INTERVAL),
    )


def _equilibrated(  # noqa: PLR0917
    system: openmm.System,
    topology: app.Topology,
    positions: Floats,
    length: float,
    temperature: float,
    seed: int,
) -> Floats:
    simulation = make_simulation(
        system, topology, positions=positions, temperature=temperature, friction=5.0, seed=seed,
        platform="CPU", polarization="kernel", solver="fast",
    )  # fmt: skip
    simulation.minimizeEnergy(maxIterations=100)
    simulation.context.setVelocitiesToTemperature(temperature * unit.kelvin, seed)
    step = simulation.integrator.getStepSize().value_in_unit(unit.picosecond)
    simulation.step(round(length / step))
    found = simulation.context.getState(positions=True).getPositions(asNumpy=True)
    return np.asarray(found.value_in_unit(unit.angstrom))


class _Work:
    """Work of dipoles that are not at the minimum, which forces at constant dipoles leave out."""

    def __init__(self) -> None:
        self.done: list[float] = []
        self._last: PolarizationResult | None = None

    def add(self, result: PolarizationResult) -> None:
        """Add what the dipoles did since the last step, kJ/mol."""
        last = self._last
        if result is last:
            return
        if last is not None:
            imbalance = 0.5 * (last.imbalance + result.imbalance)
            energy = -COULOMB * float((imbalance * (result.dipoles - last.dipoles)).sum())
            self.done.append(OPENMM_ENERGY * energy)
        self._last = result


def _line(times: Floats, energies: Floats) -> tuple[float, float, float]:
    """Slope, its standard error from block means, and the spread about the line."""
    blocks = np.array_split(np.arange(len(times)), _BLOCKS)
    t, e = (np.array([values[block].mean() for block in blocks]) for values in (times, energies))
    centred = t - t.mean()
    slope = float(centred @ e / (centred @ centred))
    left = e - e.mean() - slope * centred
    error = float(np.sqrt(left @ left / (_BLOCKS - 2) / (centred @ centred)))
    line = energies - slope * times
    return slope, error, float(line.std())
