"""A ready-to-run OpenMM simulation."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
import openmm
from numpy.typing import ArrayLike
from openmm import app, unit

from openff_bytepol.exceptions import BytePolError, ForceFieldError
from openff_bytepol.interop.openmm_forces import FAST_GROUP, SLOW_GROUP
from openff_bytepol.interop.openmm_multipoles import is_polarizable, set_solver
from openff_bytepol.interop.openmm_polarization import (
    is_kernel,
    trial_steps,
    typed_errors,
    use_polarization_kernel,
)
from openff_bytepol.interop.periodic_box import box_vectors, check_cutoff
from openff_bytepol.interop.platforms import Precision, choose_platform
from openff_bytepol.settings import Solver
from openff_bytepol.units import OPENMM_LENGTH

if TYPE_CHECKING:
    from openff.interchange import Interchange

Polarization: TypeAlias = Literal["auto", "kernel", "openmm"]

FAILED_STATE_FILE: Final = "failed.xml"

_OUTER_STEP: Final = 2.0
_INNER_STEPS: Final = 2
_STEP: Final = 1.0
_CONSTRAINED_STEP: Final = 2.0
_BAROSTAT_INTERVAL: Final = 25
_LARGE_FOR_PROCESSORS: Final = 500
_LARGE_FOR_REFERENCE_CODE: Final = 100

logger = logging.getLogger(__name__)


class PolarizableSimulation(app.Simulation):  # type: ignore[misc]
    """Simulation that raises the polarization kernel's typed errors.

    Where overlapping atoms, dipoles that do not converge or a polarization catastrophe end a run,
    positions, velocities and box are kept in `last_state` as they are then.

    Attributes
    ----------
    last_state
        State at the error; None before.
    """

    last_state: openmm.State | None = None

    def step(self, steps: int) -> None:
        """Advance by a number of time steps."""
        with typed_errors(self._keep_state):
            super().step(steps)

    def minimizeEnergy(self, *args: Any, **kwargs: Any) -> None:  # noqa: N802
        """Minimise the energy, as ``openmm.app.Simulation`` does."""
        with typed_errors(self._keep_state), trial_steps():
            super().minimizeEnergy(*args, **kwargs)

    def _keep_state(self) -> None:
        self.last_state = self.context.getState(positions=True, velocities=True)


@contextmanager
def failed_state_saved(simulation: app.Simulation, folder: Path) -> Iterator[None]:
    """Write the state at which the polarization kernel gives up, and say so in its error.

    Parameters
    ----------
    simulation
        Made by `make_simulation`.
    folder
        Gets ``failed.xml``: positions, velocities and box as OpenMM serializes a state.
    """
    try:
        yield
    except BytePolError as error:
        state = getattr(simulation, "last_state", None)
        if state is not None:
            path = folder / FAILED_STATE_FILE
            path.write_text(openmm.XmlSerializer.serialize(state), encoding="utf-8")
            error.args = (f"{error}; positions and velocities are in {path}",)
        raise


def make_simulation(
    source: Interchange | openmm.System,
    topology: app.Topology | None = None,
    *,
    temperature: float = 298.15,
    pressure: float | None = None,
    timestep: float | None = None,
    friction: float = 1.0,
    platform: str | None = None,
    precision: Precision = "mixed",
    seed: int | None = None,
    positions: ArrayLike | None = None,
    box: ArrayLike | None = None,
    polarization: Polarization = "auto",
    solver: Solver | None = None,
    integrator: openmm.Integrator | None = None,
) -> app.Simulation:
    """Simulation with integrator, barostat and platform chosen for the force field.

    Polarizable systems take two steps of bonded and 1-4 and 1-5 terms in every step of the
    rest (``MTSLangevinIntegrator``); fixed-charge systems a ``LangevinMiddleIntegrator``.
    ``AmoebaMultipoleForce`` has no fast kernel for processors: there, charges and induced dipoles
    are left to the package's own (`openmm_polarization`).

    Parameters
    ----------
    source
        An Interchange, or a system together with its topology.
    topology
        OpenMM topology of a system, which gets its box; an Interchange has its own.
    temperature
        K.
    pressure
        atm; constant volume by default.
    timestep
        fs. By default 2 fs for polarizable systems (inner step 1 fs), 2 fs for fixed-charge
        systems with constraints and 1 fs without.
    friction
        1/ps.
    platform, precision
        As for `choose_platform`.
    seed
        Of velocities, thermostat and barostat; by chance by default.
    positions
        Å; (n_particles, 3). Those of the Interchange by default.
    box
        Edges or reduced vectors, Å. That of the source by default.
    polarization
        "kernel" replaces the multipole force by the package's own kernel, "openmm" keeps it;
        "auto" replaces it on platform CPU, for more than 100 atoms.
    solver
        "conserving" solves for induced dipoles to 1e-5 debye, "fast" to 1e-3 debye; by default
        to the tolerance of the force, which is that of "conserving" unless it was made with
        another.
    integrator
        In place of the one chosen, with its own temperature, time step and friction.

    Returns
    -------
    openmm.app.Simulation
        With positions and velocities if there are any positions.

    Raises
    ------
    CutoffError
        If a cutoff is longer than half the shortest box width.
    EngineError
        If the platform asked for cannot be used.
    ForceFieldError
        If the topology is missing or does not fit, or pressure is asked for without a box.
    """
    system, topology, positions = _prepare(source, topology, positions)
    if box is not None:
        system.setDefaultPeriodicBoxVectors(*(box_vectors(box) * OPENMM_LENGTH))
    if topology.getNumAtoms() != system.getNumParticles():
        raise ForceFieldError(
            f"the topology has {topology.getNumAtoms()} atoms, the system "
            f"{system.getNumParticles()} particles"
        )
    _check_cutoffs(system)
    if system.usesPeriodicBoundaryConditions():
        vectors = system.getDefaultPeriodicBoxVectors()
        edges = [vector.value_in_unit(unit.nanometer) for vector in vectors]
        topology.setPeriodicBoxVectors(edges * unit.nanometer)
    if pressure is not None:
        _add_barostat(system, pressure, temperature, seed)
    if integrator is None:
        integrator = _integrator(system, temperature, timestep, friction)
    if seed is not None:
        integrator.setRandomNumberSeed(seed)
    if solver is not None:
        set_solver(system, solver)
    chosen, properties = choose_platform(platform, precision=precision)
    if _wants_kernel(polarization, system, chosen):
        use_polarization_kernel(system)
    _log_speed(system, chosen)
    simulation = PolarizableSimulation(topology, system, integrator, chosen, properties)
    if positions is not None:
        simulation.context.setPositions(np.asarray(positions, dtype=np.float64) * OPENMM_LENGTH)
        velocity_seed = () if seed is None else (seed,)
        simulation.context.setVelocitiesToTemperature(temperature * unit.kelvin, *velocity_seed)
    return simulation


def _wants_kernel(
    polarization: Polarization, system: openmm.System, platform: openmm.Platform
) -> bool:
    if polarization != "auto":
        return polarization == "kernel"
    large = system.getNumParticles() > _LARGE_FOR_REFERENCE_CODE
    return large and platform.getName() == "CPU" and hasattr(openmm, "PythonForce")


def _prepare(
    source: Interchange | openmm.System,
    topology: app.Topology | None,
    positions: ArrayLike | None,
) -> tuple[openmm.System, app.Topology, ArrayLike | None]:
    """System of our own, topology, and positions in Å."""
    if isinstance(source, openmm.System):
        if topology is None:
            raise ForceFieldError("a system needs its topology: make_simulation(system, topology)")
        return copy.deepcopy(source), topology, positions
    if topology is not None:
        raise ForceFieldError("an Interchange has its own topology; leave that argument out")
    plugins = any(collection.is_plugin for collection in source.collections.values())
    system = source.to_openmm(combine_nonbonded_forces=not plugins)
    if positions is None and source.positions is not None:
        positions = source.positions.m_as("angstrom")
    return system, source.to_openmm_topology(), positions


def _check_cutoffs(system: openmm.System) -> None:
    vectors: Any = [
        vector.value_in_unit(unit.angstrom) for vector in system.getDefaultPeriodicBoxVectors()
    ]
    for force in system.getForces():
        if force.usesPeriodicBoundaryConditions() and hasattr(force, "getCutoffDistance"):
            check_cutoff(vectors, force.getCutoffDistance().value_in_unit(unit.angstrom))


def _add_barostat(
    system: openmm.System, pressure: float, temperature: float, seed: int | None
) -> None:
    if not system.usesPeriodicBoundaryConditions():
        raise ForceFieldError("constant pressure needs a periodic box; leave pressure out")
    barostat = openmm.MonteCarloBarostat(
        pressure * unit.atmosphere, temperature * unit.kelvin, _BAROSTAT_INTERVAL
    )
    if seed is not None:
        barostat.setRandomNumberSeed(seed)
    system.addForce(barostat)


def _integrator(
    system: openmm.System, temperature: float, timestep: float | None, friction: float
) -> openmm.Integrator:
    rate = friction / unit.picosecond
    step = (default_timestep(system) if timestep is None else timestep) * unit.femtosecond
    if is_polarizable(system):
        return openmm.MTSLangevinIntegrator(
            temperature * unit.kelvin,
            rate,
            step,
            [(SLOW_GROUP, 1), (FAST_GROUP, _INNER_STEPS)],
        )
    return openmm.LangevinMiddleIntegrator(temperature * unit.kelvin, rate, step)


def default_timestep(system: openmm.System) -> float:
    """Time step that `make_simulation` takes for a system, fs."""
    if is_polarizable(system):
        return _OUTER_STEP
    return _CONSTRAINED_STEP if system.getNumConstraints() else _STEP


def _log_speed(system: openmm.System, platform: openmm.Platform) -> None:
    logger.info("running on OpenMM platform %s", platform.getName())
    n_particles = system.getNumParticles()
    slow = platform.getName() in ("CPU", "Reference")
    replaced = any(is_kernel(force) for force in system.getForces())
    if not slow or replaced or not is_polarizable(system) or n_particles < _LARGE_FOR_PROCESSORS:
        return
    seconds = (n_particles / 2000) ** 1.4
    if any(isinstance(force, openmm.CustomCVForce) for force in system.getForces()):
        seconds *= 3
    logger.warning(
        "%d polarizable atoms on platform %s: OpenMM has no fast multipole kernel for "
        "processors, so expect about %.1g s per step; use CUDA, HIP or OpenCL on a GPU",
        n_particles,
        platform.getName(),
        seconds,
    )
