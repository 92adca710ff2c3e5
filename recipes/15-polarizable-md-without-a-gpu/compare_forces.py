"""Density of a run with the polarization kernel, had OpenMM's own force been used instead.

Frames of a constant-pressure run are weighted by exp(-ΔU/kT), ΔU the difference of the two
polarization energies, which is exact and needs few evaluations of the slow force.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import mdtraj
import numpy as np
import openmm
from openmm import unit

from openff_bytepol.interop.openmm_multipoles import MULTIPOLES
from openff_bytepol.interop.openmm_polarization import polarization_force
from openff_bytepol.smirnoff.reading import read_interchange

GRAM_PER_CM3 = 1.66053906660e-3
"""g/cm³ in one dalton/nm³."""
GAS_CONSTANT = 8.31446261815324e-3
"""kJ/mol/K"""


def alone(system: openmm.System, force: openmm.Force) -> openmm.Context:
    """Context of the particles of a system and one force."""
    bare = openmm.System()
    for index in range(system.getNumParticles()):
        bare.addParticle(system.getParticleMass(index))
    bare.setDefaultPeriodicBoxVectors(*system.getDefaultPeriodicBoxVectors())
    bare.addForce(force)
    platform = openmm.Platform.getPlatformByName("CPU")
    return openmm.Context(bare, openmm.VerletIntegrator(0.001), platform)


def energy(context: openmm.Context, positions: np.ndarray, box: np.ndarray) -> float:
    """kJ/mol, of positions and box in nm."""
    context.setPeriodicBoxVectors(*box.astype(float))
    context.setPositions(positions.astype(float))
    state = context.getState(energy=True)
    return float(state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole))


def main() -> None:
    """Print densities and how far the two energies agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="directory of bytepol simulate")
    parser.add_argument("--frames", type=int, default=20, help="of its second half")
    arguments = parser.parse_args()
    interchange = read_interchange(arguments.run / "interchange.json")
    system = interchange.to_openmm(combine_nonbonded_forces=False)
    temperature = json.loads((arguments.run / "liquid.json").read_text("utf-8"))["temperature"]
    trajectory = mdtraj.load(arguments.run / "trajectory.dcd", top=arguments.run / "box.pdb")
    force = next(f for f in system.getForces() if f.getName() == MULTIPOLES)
    contexts = [
        alone(system, made)
        for made in (polarization_force(force), openmm.XmlSerializer.clone(force))
    ]
    chosen = np.linspace(len(trajectory) // 2, len(trajectory) - 1, arguments.frames).astype(int)
    frames = [(trajectory.xyz[i], trajectory.unitcell_vectors[i]) for i in np.unique(chosen)]
    energies = np.array([[energy(c, x, box) for c in contexts] for x, box in frames])
    masses = [system.getParticleMass(i)._value for i in range(system.getNumParticles())]
    volumes = np.array([np.linalg.det(box.astype(float)) for _, box in frames])
    densities = GRAM_PER_CM3 * sum(masses) / volumes
    difference = energies[:, 1] - energies[:, 0]
    weights = np.exp(-(difference - difference.mean()) / (GAS_CONSTANT * temperature))
    weights /= weights.sum()
    print(f"{len(frames)} frames; polarization energies differ by {difference.mean():.4f} ± "
          f"{difference.std():.4f} kJ/mol")  # fmt: skip
    print(f"density, kernel {densities.mean():.5f} g/cm³")
    print(f"density, AmoebaMultipoleForce {weights @ densities:.5f} g/cm³")
    print(f"effective samples {1.0 / (weights**2).sum():.1f}")


if __name__ == "__main__":
    main()
