"""Flow under a periodic acceleration, for viscosities out of equilibrium.

Every particle is accelerated by A·cos(2πz/L_z) along x (Hess, J. Chem. Phys. 2002, 116, 209).
No potential has that force, so that it belongs into the integrator. The Langevin thermostat
acts along y and z only: along x it would brake the flow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import openmm
from openmm import unit

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.interop.masses import particle_masses
from openff_bytepol.interop.openmm_forces import FAST_GROUP, SLOW_GROUP
from openff_bytepol.interop.openmm_multipoles import is_polarizable
from openff_bytepol.properties.flow import Flow, steady_flow
from openff_bytepol.properties.observables import Floats
from openff_bytepol.units import BOLTZMANN, GRAM_PER_CM3, NM_PER_ANGSTROM, OPENMM_ENERGY

_ACCELERATION: Final = "acceleration"
_INNER_STEPS: Final = 2


def periodic_perturbation_integrator(
    system: openmm.System,
    acceleration: float,
    *,
    temperature: float = 298.15,
    timestep: float = 1.0,
    friction: float = 1.0,
) -> openmm.CustomIntegrator:
    """Langevin dynamics along y and z with an acceleration A·cos(2πz/L) along x.

    The splitting is that of ``LangevinMiddleIntegrator`` (Zhang et al., J. Phys. Chem. A 2019,
    123, 6056) for fixed charges, and of ``MTSLangevinIntegrator`` for polarizable systems.

    Parameters
    ----------
    system
        Whose box gives L = L_z, and whose forces tell whether there are several time steps.
    acceleration
        A, Å/ps². Around 0.05 to 1 for most liquids in a box of 30 Å: the shear rate
        must stay below the inverse of the molecules' relaxation time.
    temperature
        K.
    timestep
        fs: the outer one of polarizable systems.
    friction
        1/ps. It raises the viscosity by about friction·mD/kT; little of it lets the flow heat the
        liquid.

    Raises
    ------
    ForceFieldError
        If the box is missing or not rectangular.
    """
    box = _rectangular_box(system)
    inner = _INNER_STEPS if is_polarizable(system) else 1
    step = timestep * 1e-3 / inner
    integrator = openmm.CustomIntegrator(timestep * 1e-3)
    integrator.addGlobalVariable(_ACCELERATION, acceleration * NM_PER_ANGSTROM)
    integrator.addGlobalVariable("wavenumber", 2.0 * math.pi / (box[2] * NM_PER_ANGSTROM))
    integrator.addGlobalVariable("kept", math.exp(-friction * step))
    integrator.addGlobalVariable("kT", BOLTZMANN * OPENMM_ENERGY * temperature)
    integrator.addPerDofVariable("before", 0.0)
    integrator.addUpdateContextState()
    push = f"vector({_ACCELERATION}*cos(wavenumber*_z(x)), 0, 0)"
    if inner > 1:
        integrator.addComputePerDof("v", f"v + dt*(f{SLOW_GROUP}/m + {push})")
    for _ in range(inner):
        kick = f"{step!r}*f{FAST_GROUP}/m" if inner > 1 else f"dt*(f/m + {push})"
        integrator.addComputePerDof("v", f"v + {kick}")
        integrator.addConstrainVelocities()
        integrator.addComputePerDof("x", f"x + {0.5 * step!r}*v")
        integrator.addComputePerDof(
            "v",
            "vector(_x(v), _y(kicked), _z(kicked)); "
            "kicked=kept*v + sqrt(kT*(1-kept*kept)/m)*gaussian",
        )
        integrator.addComputePerDof("x", f"x + {0.5 * step!r}*v")
        integrator.addComputePerDof("before", "x")
        integrator.addConstrainPositions()
        integrator.addComputePerDof("v", f"v + (x-before)/{step!r}")
    return integrator


def flow_amplitude(context: openmm.Context, masses: Floats) -> float:
    """V of the velocity profile v_x = V·cos(2πz/L_z), Å/ps.

    V = 2 Σ_i m_i v_ix cos(2πz_i/L_z) / Σ_i m_i

    Parameters
    ----------
    context
        In a rectangular box.
    masses
        Of the particles; (n_particles,).
    """
    state = context.getState(positions=True, velocities=True)
    length = state.getPeriodicBoxVectors(asNumpy=True)._value[2, 2]
    z = state.getPositions(asNumpy=True)._value[:, 2]
    velocities = state.getVelocities(asNumpy=True)._value[:, 0]
    weights = 2.0 * masses * np.cos(2.0 * math.pi * z / length) / masses.sum()
    return float(weights @ velocities) / NM_PER_ANGSTROM


def sample_flow(
    context: openmm.Context,
    *,
    n_steps: int,
    every: int = 20,
    on_frame: Callable[[int], None] | None = None,
) -> Flow:
    """Drive a liquid and record its velocity profile.

    Parameters
    ----------
    context
        Equilibrated, with a `periodic_perturbation_integrator`, at constant volume.
    n_steps
        Time steps in all. The first fifth, and what pymbar takes for equilibration of the
        flow, is left out.
    every
        Steps between frames.
    on_frame
        Called with the number of steps done after every frame.

    Returns
    -------
    Flow
        For `periodic_perturbation_viscosity`.

    Raises
    ------
    ForceFieldError
        If the integrator is another one, or the box not rectangular.
    SamplingError
        If the run is too short.
    """
    integrator = context.getIntegrator()
    system = context.getSystem()
    if not _accelerates(integrator):
        raise ForceFieldError("the context's integrator is no periodic_perturbation_integrator")
    box = _rectangular_box(context.getState())
    masses = particle_masses(system)
    amplitudes, temperatures = [], []
    degrees = _degrees_of_freedom(system)
    for step in range(every, n_steps + 1, every):
        integrator.step(every)
        amplitudes.append(flow_amplitude(context, masses))
        velocities = context.getState(velocities=True).getVelocities(asNumpy=True)._value
        flowing = 0.25 * masses.sum() * (amplitudes[-1] * NM_PER_ANGSTROM) ** 2
        thermal = 0.5 * float(masses @ (velocities**2).sum(axis=1)) - flowing
        temperatures.append(2.0 * thermal / (degrees * BOLTZMANN * OPENMM_ENERGY))
        if on_frame is not None:
            on_frame(step)
    temperature = integrator.getGlobalVariableByName("kT") / (BOLTZMANN * OPENMM_ENERGY)
    return steady_flow(
        np.array(amplitudes),
        interval=every * integrator.getStepSize().value_in_unit(unit.picosecond),
        acceleration=integrator.getGlobalVariableByName(_ACCELERATION) / NM_PER_ANGSTROM,
        wavelength=box[2],
        density=masses.sum() * GRAM_PER_CM3 / math.prod(box),
        temperature=temperature,
        heating=float(np.mean(temperatures[len(temperatures) // 5 :])) - temperature,
    )


def _degrees_of_freedom(system: openmm.System) -> int:
    massive = int((particle_masses(system) > 0.0).sum())
    fixed_center = any(isinstance(f, openmm.CMMotionRemover) for f in system.getForces())
    return int(3 * massive - system.getNumConstraints() - 3 * fixed_center)


def _accelerates(integrator: openmm.Integrator) -> bool:
    if not isinstance(integrator, openmm.CustomIntegrator):
        return False
    n = integrator.getNumGlobalVariables()
    return _ACCELERATION in [integrator.getGlobalVariableName(i) for i in range(n)]


def _rectangular_box(source: openmm.System | openmm.State) -> list[float]:
    """Edges, Å."""
    if isinstance(source, openmm.System):
        vectors = source.getDefaultPeriodicBoxVectors()
        periodic = source.usesPeriodicBoundaryConditions()
    else:
        vectors, periodic = source.getPeriodicBoxVectors(), True
    box = np.array([vector.value_in_unit(unit.angstrom) for vector in vectors])
    if not periodic or np.abs(box - np.diag(np.diag(box))).max() > 1e-6:
        raise ForceFieldError("periodic perturbation needs a rectangular periodic box")
    edges: list[float] = np.diag(box).tolist()
    return edges
