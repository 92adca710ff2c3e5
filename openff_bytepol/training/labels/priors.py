"""Physical priors of one molecule: dispersion, polarizabilities, bonded terms.

Sources: OpenFF Sage 2.2.1
(Boothroyd et al., J. Chem. Theory Comput. 19, 3251 (2023)), DFT-D4 atomic C6 and
polarizabilities (Caldeweyher et al., J. Chem. Phys. 150, 154122 (2019)).
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from openff_bytepol.exceptions import MissingDependencyError
from openff_bytepol.units import BOHR_IN_ANGSTROM, HARTREE_IN_KCAL

SAGE: Final = "openff-2.2.1.offxml"
Values = dict[str, NDArray[Any]]


@cache
def _sage() -> Any:
    from openff.toolkit import ForceField

    return ForceField(SAGE)


def openff_molecule(mol: Chem.Mol) -> Any:
    """OpenFF molecule in the atom order of an RDKit molecule; undefined stereo allowed."""
    from openff.toolkit import Molecule

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Molecule.from_rdkit(mol, allow_undefined_stereo=True, hydrogens_are_explicit=True)


def bonded_priors(molecule: Any) -> Values:
    """Sage's bonds, angles and propers as arrays in internal units.

    ``bonds`` (n, 2), ``bond_k`` (kcal/mol/Å²), ``bond_r0`` (Å); ``angles`` (n, 3),
    ``angle_k`` (kcal/mol/rad²), ``angle_theta0`` (rad); ``propers`` (n, 4),
    ``proper_k`` (n, 4) in the sign convention of `ParameterSet`.
    """
    labels = _sage().label_molecules(molecule.to_topology())[0]
    bonds, angles, propers = labels["Bonds"], labels["Angles"], labels["ProperTorsions"]
    rows = []
    for parameter in propers.values():
        row = np.zeros(4)
        for k, n, phase, divisor in zip(
            parameter.k, parameter.periodicity, parameter.phase, parameter.idivf, strict=True
        ):
            if n <= 4:
                standard = 0.0 if n % 2 else np.pi
                sign = np.cos(phase.m_as("radian") - standard)
                row[n - 1] += sign * k.m_as("kilocalorie/mole") / float(divisor)
        rows.append(row)
    return {
        "bonds": _indices(bonds, 2),
        "bond_k": _column(bonds, "k", "kilocalorie/mole/angstrom**2"),
        "bond_r0": _column(bonds, "length", "angstrom"),
        "angles": _indices(angles, 3),
        "angle_k": _column(angles, "k", "kilocalorie/mole/radian**2"),
        "angle_theta0": _column(angles, "angle", "radian"),
        "propers": _indices(propers, 4),
        "proper_k": np.array(rows).reshape(-1, 4),
    }


def _indices(labels: Any, width: int) -> NDArray[np.int64]:
    return np.array(list(labels), dtype=np.int64).reshape(-1, width)


def _column(labels: Any, name: str, unit: str) -> NDArray[np.float64]:
    return np.array([getattr(parameter, name).m_as(unit) for parameter in labels.values()])


def dispersion_priors(
    atomic_numbers: NDArray[np.int64], coordinates: NDArray[np.float64], charge: int
) -> Values:
    """Static DFT-D4 ``c6`` (kcal/mol·Å⁶) and ``polarizabilities`` (Å³) of the atoms.

    Parameters
    ----------
    atomic_numbers
        (n_atoms,).
    coordinates
        (n_atoms, 3), Å.
    charge
        Total charge, e.

    Raises
    ------
    MissingDependencyError
        If DFT-D4 is not installed.
    """
    properties = _dispersion(atomic_numbers, coordinates, charge)
    return {
        "c6": np.diagonal(properties["c6 coefficients"]) * HARTREE_IN_KCAL * BOHR_IN_ANGSTROM**6,
        "polarizabilities": properties["polarizabilities"] * BOHR_IN_ANGSTROM**3,
    }


def molecular_c6(
    atomic_numbers: NDArray[np.int64], coordinates: NDArray[np.float64], charge: int
) -> float:
    """C6 of two equal molecules by DFT-D4: the sum over all pairs of their atoms, kcal/mol·Å⁶.

    Parameters, errors: `dispersion_priors`.
    """
    coefficients = _dispersion(atomic_numbers, coordinates, charge)["c6 coefficients"]
    return float(coefficients.sum()) * HARTREE_IN_KCAL * BOHR_IN_ANGSTROM**6


def _dispersion(
    atomic_numbers: NDArray[np.int64], coordinates: NDArray[np.float64], charge: int
) -> Values:
    """Properties by DFT-D4 in atomic units."""
    try:
        from dftd4.interface import DispersionModel
    except ImportError as error:
        raise MissingDependencyError("C6 and polarizabilities: pip install dftd4") from error
    positions = coordinates / BOHR_IN_ANGSTROM
    model = DispersionModel(atomic_numbers, positions, charge=float(charge))
    properties: Values = model.get_properties()
    return properties
