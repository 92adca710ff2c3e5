"""Quantum chemistry: levels of theory, programs in this process, energy decomposition.

Nothing here needs torch. `Fragment` holds one molecule, `Level` a level of theory,
`decompose` makes an ALMO-EDA of two or more fragments with PySCF, `single_point` an
energy with gradient and dipole of one molecule with PySCF or tblite.
"""

from openff_bytepol.qm.fragments import Fragment
from openff_bytepol.qm.levels import LEVELS, Level, find_level
from openff_bytepol.qm.results import EnergyDecomposition, SinglePoint

__all__ = [
    "LEVELS",
    "EnergyDecomposition",
    "Fragment",
    "Level",
    "SinglePoint",
    "find_level",
]
