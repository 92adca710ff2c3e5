"""What calculations give: one schema, whichever program made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.exceptions import DataError

SUM_TOLERANCE = 0.01
"""Largest difference between the total and the sum of the terms, kcal/mol."""


@dataclass(frozen=True, eq=False)
class SinglePoint:
    """Energy and first derivatives of one molecule.

    Attributes
    ----------
    energy
        kcal/mol, absolute.
    gradient
        dE/dx, kcal/mol/Å, (n_atoms, 3).
    dipole
        e·Å, (3,), about the mean position of the atoms.
    program, version, method, basis
        What computed it.
    basis_functions
        Their number.
    """

    energy: float
    gradient: NDArray[np.float64]
    dipole: NDArray[np.float64]
    program: str
    version: str
    method: str
    basis: str | None
    basis_functions: int | None = None


@dataclass(frozen=True)
class EnergyDecomposition:
    """Second-generation ALMO-EDA of an interaction energy; energies in kcal/mol.

    ``total`` = ``electrostatics`` + ``pauli`` + ``dispersion`` + ``polarization`` +
    ``charge_transfer``; the first three make up ``frozen``.

    Attributes
    ----------
    electrostatics
        Coulomb interaction of the orthogonally decomposed frozen densities.
    classical_electrostatics
        Coulomb interaction of the isolated fragments' densities (Q-Chem's "cls_elec").
    pauli
        Frozen energy without ``electrostatics`` and ``dispersion``.
    dispersion
        Difference to the dispersion-free functional, with any D3 or D4 correction.
    polarization
        Relaxation within each fragment's occupied orbitals and field-response functions.
    charge_transfer
        Relaxation of the rest.
    total
        Interaction energy for frozen monomer geometries.
    superposition_error
        Counterpoise correction (positive) that ``charge_transfer`` and ``total`` contain;
        0 if they are not corrected.
    fragment_energies, system_energy
        Absolute energies, hartree.
    program, version, method, basis
        What computed it.
    basis_functions
        Their number in the whole system.
    """

    electrostatics: float
    classical_electrostatics: float
    pauli: float
    dispersion: float
    polarization: float
    charge_transfer: float
    total: float
    superposition_error: float
    fragment_energies: tuple[float, ...]
    system_energy: float
    program: str
    version: str
    method: str
    basis: str
    basis_functions: int | None = None

    def __post_init__(self) -> None:
        terms = (
            self.electrostatics, self.pauli, self.dispersion, self.polarization,
            self.charge_transfer,
        )  # fmt: skip
        if not np.isfinite([*terms, self.total, self.classical_electrostatics]).all():
            raise DataError(f"{self.program}: an energy term is not finite")
        if abs(sum(terms) - self.total) > SUM_TOLERANCE:
            raise DataError(
                f"{self.program}: the terms add up to {sum(terms):.4f}, the total is "
                f"{self.total:.4f} kcal/mol"
            )

    @property
    def frozen(self) -> float:
        """Energy of the frozen fragments together, kcal/mol."""
        return self.electrostatics + self.pauli + self.dispersion

    @property
    def modified_pauli(self) -> float:
        """Pauli term that goes with ``classical_electrostatics``, kcal/mol."""
        return self.frozen - self.classical_electrostatics - self.dispersion

    def to_dict(self) -> dict[str, Any]:
        """JSON values; `from_dict` reads them."""
        return asdict(self) | {"fragment_energies": list(self.fragment_energies)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EnergyDecomposition:
        """Inverse of `to_dict`.

        Raises
        ------
        DataError
            If a field is missing, unknown or inconsistent.
        """
        try:
            energies = tuple(float(x) for x in values["fragment_energies"])
            return cls(**{**values, "fragment_energies": energies})
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"not an energy decomposition: {error}") from error
