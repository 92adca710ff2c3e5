"""Masses of the particles of a system."""

from __future__ import annotations

import numpy as np
import openmm
from numpy.typing import NDArray


def particle_masses(system: openmm.System) -> NDArray[np.float64]:
    """Da; (n_particles,)."""
    particles = range(system.getNumParticles())
    return np.array([system.getParticleMass(i)._value for i in particles], dtype=np.float64)
