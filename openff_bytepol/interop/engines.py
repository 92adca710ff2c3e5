"""Single-point energies from OpenMM, GROMACS and AMBER in one schema.

All engines are given the same PME screening, mesh and spline order, so that they compute
the same sums and any difference is one of the files.
"""

from openff_bytepol.interop.amber_energies import amber_energy, amber_file_energy
from openff_bytepol.interop.energies import EnergyReport
from openff_bytepol.interop.gromacs_energies import gromacs_energy, gromacs_file_energy
from openff_bytepol.interop.openmm_energies import openmm_energy, polarizable_energy

__all__ = [
    "EnergyReport",
    "amber_energy",
    "amber_file_energy",
    "gromacs_energy",
    "gromacs_file_energy",
    "openmm_energy",
    "polarizable_energy",
]
