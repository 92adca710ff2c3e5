"""Internal units and the only conversions between them and the outside world.

Inside the package every number is in ångström, kcal/mol, elementary charge and
radian. Constants are CODATA 2018 (https://doi.org/10.1103/RevModPhys.93.025010).
"""

from __future__ import annotations

from typing import Final

from openff_bytepol.exceptions import UnitError

KJ_PER_KCAL: Final = 4.184
"""kJ/mol in one (thermochemical) kcal/mol."""

NM_PER_ANGSTROM: Final = 0.1

BOHR_IN_ANGSTROM: Final = 0.529177210903

HARTREE_IN_KCAL: Final = 627.5094740631

EV_IN_KCAL: Final = 23.060547830619
"""kcal/mol in one electronvolt per particle."""

DEBYE_IN_E_ANGSTROM: Final = 0.20819433442462576
"""Elementary charge times ångström in one debye."""

WAVENUMBER_IN_KCAL: Final = 0.0028591435382097755
"""kcal/mol in one photon per particle of 1/cm."""

COULOMB: Final = 332.0637141491396
"""1/(4 pi eps0) in kcal/mol·Å/e², the value of the ByteFF-Pol reference code.

CODATA 2018 gives 332.063713299; the relative difference, 2.6e-9, is far below
every tolerance used here.
"""

BOLTZMANN: Final = 0.0019872042586408316
"""Gas constant in kcal/mol/K."""

GRAM_PER_CM3: Final = 1.66053906660
"""g/cm³ in one dalton per Å³."""

AVOGADRO: Final = 6.02214076e23
"""Molecules in one mole."""

ATMOSPHERE: Final = 101325.0 * AVOGADRO * 1e-30 / 4184.0
"""kcal/mol/Å³ in one atmosphere."""

ATMOSPHERE_IN_PASCAL: Final = 101325.0

MPA_S: Final = ATMOSPHERE_IN_PASCAL * 1e-12 * 1e3
"""mPa·s in one atm·ps."""

SQUARE_METER_PER_SECOND: Final = 1e-8
"""m²/s in one Å²/ps."""

SIEMENS_PER_METER: Final = 1.602176634e-19**2 * AVOGADRO / (1e-10 * 1e-12 * 4184.0)
"""S/m in one e²/(Å·ps·kcal/mol)."""

OPENMM_ENERGY: Final = KJ_PER_KCAL
OPENMM_LENGTH: Final = NM_PER_ANGSTROM
OPENMM_POLARIZABILITY: Final = NM_PER_ANGSTROM**3
OPENMM_C6: Final = KJ_PER_KCAL * NM_PER_ANGSTROM**6
OPENMM_CT_EPSILON: Final = KJ_PER_KCAL * NM_PER_ANGSTROM**4
OPENMM_BOND_K: Final = KJ_PER_KCAL / NM_PER_ANGSTROM**2
OPENMM_ANGLE_K: Final = KJ_PER_KCAL
OPENMM_S12: Final = NM_PER_ANGSTROM * KJ_PER_KCAL ** (1.0 / 12.0)
OPENMM_FORCE: Final = KJ_PER_KCAL / NM_PER_ANGSTROM
"""Multiply an internal value by an ``OPENMM_*`` factor to get OpenMM's (nm, kJ/mol)."""

_ENERGY_UNITS: Final = {
    "kcal/mol": 1.0,
    "kj/mol": 1.0 / KJ_PER_KCAL,
    "hartree": HARTREE_IN_KCAL,
    "millihartree": HARTREE_IN_KCAL / 1000.0,
    "ev": EV_IN_KCAL,
}
_LENGTH_UNITS: Final = {
    "angstrom": 1.0,
    "å": 1.0,
    "bohr": BOHR_IN_ANGSTROM,
    "nm": 1.0 / NM_PER_ANGSTROM,
}


def energy_in_kcal(unit: str) -> float:
    """kcal/mol in one unit of energy given by name.

    Raises
    ------
    UnitError
        If the unit is not known.
    """
    return _named(unit, _ENERGY_UNITS)


def length_in_angstrom(unit: str) -> float:
    """Å in one unit of length given by name.

    Raises
    ------
    UnitError
        If the unit is not known.
    """
    return _named(unit, _LENGTH_UNITS)


def _named(unit: str, known: dict[str, float]) -> float:
    try:
        return known[unit.lower()]
    except KeyError:
        raise UnitError(f"unit '{unit}' is not one of {', '.join(known)}") from None
