"""Closed-shell molecules as quantum chemistry sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from openff_bytepol.exceptions import DataError

Coordinates = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fragment:
    """One closed-shell molecule or ion.

    Attributes
    ----------
    symbols
        Element of each atom.
    coordinates
        (n_atoms, 3), Å.
    charge
        Total charge, e.
    """

    symbols: tuple[str, ...]
    coordinates: Coordinates
    charge: int = 0

    def __post_init__(self) -> None:
        xyz = np.array(self.coordinates, dtype=np.float64)
        if xyz.shape != (len(self.symbols), 3) or not len(xyz) or not np.isfinite(xyz).all():
            raise DataError(
                f"{' '.join(self.symbols)}: coordinates must be finite, of shape "
                f"({len(self.symbols)}, 3), in Å; got {xyz.shape}"
            )
        if self.electrons < 0 or self.electrons % 2:
            raise DataError(
                f"{' '.join(self.symbols)} with charge {self.charge}: {self.electrons} "
                "electrons; only closed shells can be computed"
            )
        object.__setattr__(self, "coordinates", xyz)

    @property
    def atomic_numbers(self) -> tuple[int, ...]:
        """Of each atom."""
        table = Chem.GetPeriodicTable()
        return tuple(table.GetAtomicNumber(symbol) for symbol in self.symbols)

    @property
    def electrons(self) -> int:
        """Number of electrons."""
        return sum(self.atomic_numbers) - self.charge

    @classmethod
    def from_mapped_smiles(cls, smiles: str, coordinates: Coordinates) -> Fragment:
        """Fragment whose atoms follow the map numbers 1…n of a SMILES.

        Parameters
        ----------
        smiles
            Every atom, hydrogens too, mapped.
        coordinates
            (n_atoms, 3), Å, in map order.

        Raises
        ------
        DataError
            If the SMILES cannot be read, is not fully mapped, or does not fit.
        """
        molecule = _mapped_molecule(smiles)
        atoms = sorted(molecule.GetAtoms(), key=lambda atom: int(atom.GetAtomMapNum()))
        return cls(
            tuple(atom.GetSymbol() for atom in atoms),
            coordinates,
            Chem.GetFormalCharge(molecule),
        )


def split_coordinates(smiles: Sequence[str], coordinates: Coordinates) -> tuple[Fragment, ...]:
    """Fragments of a cluster whose molecules' atoms follow one another.

    Parameters
    ----------
    smiles
        Mapped SMILES of each molecule.
    coordinates
        (n_atoms, 3), Å.

    Raises
    ------
    DataError
        As `Fragment.from_mapped_smiles`, and if the number of atoms differs.
    """
    molecules = [_mapped_molecule(text) for text in smiles]
    ends = np.cumsum([molecule.GetNumAtoms() for molecule in molecules])
    if len(coordinates) != ends[-1]:
        raise DataError(f"{tuple(smiles)} has {ends[-1]} atoms, the coordinates {len(coordinates)}")
    parts = np.split(np.asarray(coordinates, dtype=np.float64), ends[:-1])
    return tuple(
        Fragment.from_mapped_smiles(text, part) for text, part in zip(smiles, parts, strict=True)
    )


def _mapped_molecule(smiles: str) -> Chem.Mol:
    options = Chem.SmilesParserParams()
    options.removeHs = False  # type: ignore[assignment]
    molecule = Chem.MolFromSmiles(smiles, options)
    if molecule is None:
        raise DataError(f"{smiles}: RDKit cannot read this SMILES")
    numbers = sorted(atom.GetAtomMapNum() for atom in molecule.GetAtoms())
    hidden = any(atom.GetTotalNumHs() for atom in molecule.GetAtoms())
    if hidden or numbers != list(range(1, len(numbers) + 1)):
        raise DataError(
            f"{smiles}: map numbers must be 1…{len(numbers)}, one for each atom, hydrogens too"
        )
    return molecule


def merge(fragments: Sequence[Fragment]) -> Fragment:
    """All fragments as one, in their order."""
    return Fragment(
        tuple(symbol for fragment in fragments for symbol in fragment.symbols),
        np.concatenate([fragment.coordinates for fragment in fragments]),
        sum(fragment.charge for fragment in fragments),
    )
