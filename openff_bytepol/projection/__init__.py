"""Fixed-charge force fields for engines without polarization."""

from openff_bytepol.projection.energies import FixedChargeEnergy, energy_fixed_charge
from openff_bytepol.projection.fixed_charge import FixedChargeParameters
from openff_bytepol.projection.project import project_fixed_charge

__all__ = [
    "FixedChargeEnergy",
    "FixedChargeParameters",
    "energy_fixed_charge",
    "project_fixed_charge",
]
