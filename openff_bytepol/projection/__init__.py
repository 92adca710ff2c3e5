"""Fixed-charge force fields for engines without polarization."""

from openff_bytepol.projection.compare import MoleculeComparison, compare, plot_comparison
from openff_bytepol.projection.energies import FixedChargeEnergy, energy_fixed_charge
from openff_bytepol.projection.fixed_charge import FixedChargeParameters
from openff_bytepol.projection.project import project_fixed_charge

__all__ = [
    "FixedChargeEnergy",
    "FixedChargeParameters",
    "MoleculeComparison",
    "compare",
    "energy_fixed_charge",
    "plot_comparison",
    "project_fixed_charge",
]
