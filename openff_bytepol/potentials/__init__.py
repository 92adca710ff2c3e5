"""Energies and forces of the functional form in PyTorch.

Pure functions of a `ParameterSet` and coordinates, batched over conformers, systems and
ensemble members, differentiable with respect to coordinates and parameters.
"""

from openff_bytepol.potentials.decomposition import (
    InteractionComponents,
    interaction_components,
    polarization_energies,
)
from openff_bytepol.potentials.energies import (
    EnergyComponents,
    energy,
    energy_and_forces,
    forces,
    induced_dipoles,
)
from openff_bytepol.potentials.molecular import (
    dipole_moments,
    electrostatic_potentials,
    molecular_polarizabilities,
    smallest_response_eigenvalue,
)
from openff_bytepol.potentials.pairs import Pairs
from openff_bytepol.potentials.solvers import SolverOptions

__all__ = [
    "EnergyComponents",
    "InteractionComponents",
    "Pairs",
    "SolverOptions",
    "dipole_moments",
    "electrostatic_potentials",
    "energy",
    "energy_and_forces",
    "forces",
    "induced_dipoles",
    "interaction_components",
    "molecular_polarizabilities",
    "polarization_energies",
    "smallest_response_eigenvalue",
]
