"""Charges and mutually induced dipoles on processors: particle-mesh Ewald in numpy and numba."""

from openff_bytepol.polarization.kernel import PolarizationKernel, PolarizationResult
from openff_bytepol.polarization.options import KernelOptions
from openff_bytepol.polarization.sites import Sites

__all__ = ["KernelOptions", "PolarizationKernel", "PolarizationResult", "Sites"]
