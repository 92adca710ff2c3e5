"""Does the model run? Short constant-energy simulations of droplets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import openmm
from openmm import unit

from active_learning.config import StabilityConfig
from openff_bytepol.exceptions import BytePolError
from openff_bytepol.units import OPENMM_ENERGY

_STEP: Final = 0.5
"""fs"""
_WARM_UP: Final = 50
_DENSITY: Final = 0.6
_SAMPLES: Final = 20


@dataclass(frozen=True)
class StabilityRun:
    """One droplet."""

    smiles: str
    drift: float | None
    """Of the total energy, kcal/mol per atom and ps; None if the run broke down."""
    passed: bool
    reason: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def run_stability(
    force_field: Path, config: StabilityConfig, *, seed: int = 1
) -> list[StabilityRun]:
    """Simulate every liquid of the configuration as a droplet.

    Parameters
    ----------
    force_field
        OFFXML file of the model.
    config
        Molecules, lengths and the largest drift.
    seed
        Of velocities.
    """
    return [_run(smiles, force_field, config, seed) for smiles in config.liquids]


def _run(smiles: str, force_field: Path, config: StabilityConfig, seed: int) -> StabilityRun:
    try:
        drift = energy_drift(smiles, force_field, config, seed)
    except (BytePolError, openmm.OpenMMException, ValueError) as error:
        return StabilityRun(smiles, None, False, f"broke down: {error}")
    passed = bool(np.isfinite(drift) and abs(drift) <= config.max_drift)
    return StabilityRun(smiles, drift, passed, f"{drift:+.2g} kcal/mol per atom and ps")


def energy_drift(smiles: str, force_field: Path, config: StabilityConfig, seed: int) -> float:
    """Slope of the total energy of a droplet at constant energy, kcal/mol per atom and ps."""
    from openff.toolkit import ForceField, Molecule

    from openff_bytepol.interop.boxes import pack_box
    from openff_bytepol.interop.simulation import make_simulation

    molecule = Molecule.from_smiles(smiles, allow_undefined_stereo=True)
    topology = pack_box([molecule], [config.copies], density=_DENSITY)
    topology.box_vectors = None
    interchange = ForceField(str(force_field)).create_interchange(topology)
    warm = make_simulation(interchange, temperature=298.15, timestep=_STEP, seed=seed)
    warm.minimizeEnergy(maxIterations=100)
    warm.context.setVelocitiesToTemperature(298.15 * unit.kelvin, seed)
    warm.step(_WARM_UP)
    state = warm.context.getState(getPositions=True, getVelocities=True)
    integrator = openmm.VerletIntegrator(_STEP * unit.femtosecond)
    context = openmm.Context(
        warm.system, integrator, warm.context.getPlatform(),
        {n: warm.context.getPlatform().getPropertyValue(warm.context, n)
         for n in warm.context.getPlatform().getPropertyNames() if n == "Threads"},
    )  # fmt: skip
    context.setPositions(state.getPositions())
    context.setVelocities(state.getVelocities())
    times, energies = [], []
    every = max(1, config.steps // _SAMPLES)
    for sample in range(config.steps // every + 1):
        now = context.getState(getEnergy=True)
        total = now.getPotentialEnergy() + now.getKineticEnergy()
        energies.append(total.value_in_unit(unit.kilojoule_per_mole) / OPENMM_ENERGY)
        times.append(1e-3 * _STEP * every * sample)
        integrator.step(every)
    if not np.isfinite(energies).all():
        return float("nan")
    slope = float(np.polyfit(times, energies, 1)[0])
    return slope / int(topology.n_atoms)
