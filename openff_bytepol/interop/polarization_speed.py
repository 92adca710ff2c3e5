"""How much faster the polarization kernel is than ``AmoebaMultipoleForce`` on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import openmm
from openmm import app, unit

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.interop.openmm_multipoles import MULTIPOLES, multipole_parts
from openff_bytepol.interop.openmm_polarization import (
    polarization_force,
    recorded_results,
)
from openff_bytepol.interop.simulation import make_simulation
from openff_bytepol.units import NM_PER_ANGSTROM, OPENMM_ENERGY

if TYPE_CHECKING:
    from openff_bytepol.interop.layout import Floats

_WARM_UP: Final = 6
"""Steps before the timing, which fill the predictor's history."""
_REFERENCE_CALLS: Final = 2


@dataclass(frozen=True)
class PolarizationSpeed:
    """Times of one force call, in one process, on the frames of one short trajectory.

    Seconds are those on the clock (``_wall``) or of all processor cores together (``_cpu``), the
    best of all calls. On a machine that is busy with other work, compare the latter.
    """

    n_atoms: int
    mutual_tolerance: float
    """debye"""
    threads: int
    kernel_wall: float
    kernel_cpu: float
    kernel_median_cpu: float
    """Of typical calls; neighbour lists and lucky guesses included in their proportion."""
    amoeba_wall: float
    amoeba_cpu: float
    iterations: float
    """Mean number of conjugate-gradient steps."""
    energy_difference: float
    """Of the two, relative."""
    force_difference: float
    """Root mean square, relative."""

    @property
    def speedup(self) -> float:
        """Ratio of the times on the clock."""
        return self.amoeba_wall / self.kernel_wall

    @property
    def cpu_speedup(self) -> float:
        """Ratio of the processor times of typical calls."""
        return self.amoeba_cpu / self.kernel_median_cpu


def compare_speed(
    system: openmm.System, topology: app.Topology, positions: Floats, *, steps: int = 20
) -> PolarizationSpeed:
    """Time kernel and ``AmoebaMultipoleForce`` on the last frames of a short trajectory.

    Parameters
    ----------
    system
        Made by `create_system` or from an Interchange, with its multipole force still in place.
    topology
        Of the system.
    positions
        Å; (n_particles, 3).
    steps
        Of 2 fs, at 298 K.

    Raises
    ------
    ForceFieldError
        If the system has no multipole force of stock OpenMM.
    """
    import numba

    stock = [f for f in system.getForces() if f.getName() == MULTIPOLES]
    if not stock or isinstance(stock[0], openmm.PythonForce):
        raise ForceFieldError("the system has no AmoebaMultipoleForce to compare with")
    frames = short_trajectory(system, topology, positions, steps + _WARM_UP)
    kernel = _alone(system, polarization_force(stock[0]))
    times, iterations = [], []
    for number, frame in enumerate(frames):
        kernel.setPositions(frame)
        with recorded_results() as results:
            elapsed = _timed(lambda: kernel.getState(energy=True, forces=True))
        if number >= _WARM_UP:
            times.append(elapsed)
            iterations.append(results[-1].iterations)
    reference = _alone(system, openmm.XmlSerializer.clone(stock[0]))
    slow = []
    for shift in range(_REFERENCE_CALLS):
        reference.setPositions(frames[-1 - shift])
        slow.append(_timed(lambda: reference.getState(energy=True, forces=True)))
    reference.setPositions(frames[-1])
    energy, forces = _energy_and_forces(kernel)
    expected, right = _energy_and_forces(reference)
    wall, cpu = np.array(times).T
    return PolarizationSpeed(
        n_atoms=system.getNumParticles(),
        mutual_tolerance=float(multipole_parts(stock[0])[0].getMutualInducedTargetEpsilon()),
        threads=numba.get_num_threads(),
        kernel_wall=float(wall.min()),
        kernel_cpu=float(cpu.min()),
        kernel_median_cpu=float(np.median(cpu)),
        amoeba_wall=min(wall for wall, _ in slow),
        amoeba_cpu=min(cpu for _, cpu in slow),
        iterations=float(np.mean(iterations)),
        energy_difference=abs(energy - expected) / abs(expected),
        force_difference=float(np.sqrt(((forces - right) ** 2).sum() / (right**2).sum())),
    )


def short_trajectory(
    system: openmm.System, topology: app.Topology, positions: Floats, steps: int
) -> list[Any]:
    """Positions (OpenMM quantities) after every step of 2 fs from a relaxed start at 298 K.

    Parameters
    ----------
    system, topology, positions
        As for `compare_speed`.
    steps
        Frames.
    """
    simulation = make_simulation(
        system, topology, positions=positions, seed=1, platform="CPU", polarization="kernel"
    )
    simulation.minimizeEnergy(maxIterations=30)
    simulation.context.setVelocitiesToTemperature(298.15 * unit.kelvin, 1)
    frames = []
    for _ in range(steps):
        simulation.step(1)
        frames.append(simulation.context.getState(positions=True).getPositions(asNumpy=True))
    return frames


def _alone(system: openmm.System, force: openmm.Force) -> openmm.Context:
    made = openmm.System()
    for index in range(system.getNumParticles()):
        made.addParticle(system.getParticleMass(index))
    made.setDefaultPeriodicBoxVectors(*system.getDefaultPeriodicBoxVectors())
    made.addForce(force)
    integrator = openmm.VerletIntegrator(0.001)
    return openmm.Context(made, integrator, openmm.Platform.getPlatformByName("CPU"))


def _timed(call: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def _energy_and_forces(context: openmm.Context) -> tuple[float, Floats]:
    state = context.getState(energy=True, forces=True)
    energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole) / OPENMM_ENERGY
    per_length = unit.kilojoule_per_mole / unit.nanometer
    forces = state.getForces(asNumpy=True).value_in_unit(per_length)
    return energy, NM_PER_ANGSTROM / OPENMM_ENERGY * forces
