"""Molecules from bare coordinates: connectivity by distance, bond orders by valence."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, RDLogger
from rdkit.Chem import rdDetermineBonds

from openff_bytepol.exceptions import DataError
from openff_bytepol.free_atoms import FREE_ATOMS

_TOLERANCE = 1.25
"""Bonded if closer than this times the sum of covalent radii."""


def connectivity(
    atomic_numbers: NDArray[np.int64], coordinates: NDArray[np.float64]
) -> tuple[tuple[int, int], ...]:
    """Pairs (i < j) closer than 1.25 times the sum of their covalent radii.

    Parameters
    ----------
    atomic_numbers
        (n_atoms,).
    coordinates
        (n_atoms, 3), Å.
    """
    table = Chem.GetPeriodicTable()
    radii = np.array([table.GetRcovalent(int(z)) for z in atomic_numbers])
    distances = np.linalg.norm(coordinates[:, None] - coordinates[None], axis=-1)
    bonded = np.triu(distances < _TOLERANCE * (radii[:, None] + radii[None]), k=1)
    return tuple((int(i), int(j)) for i, j in zip(*np.nonzero(bonded), strict=True))


def mapped_smiles(
    atomic_numbers: NDArray[np.int64], coordinates: NDArray[np.float64], charge: int
) -> str:
    """Mapped SMILES of one closed-shell molecule, atoms in the given order.

    Cached by elements, connectivity and charge, so that geometries of one molecule
    are perceived once. Stereochemistry is not assigned.

    Raises
    ------
    DataError
        If an element is unsupported, the atoms are not one molecule, or no closed-shell
        bond orders fit.
    """
    smiles = _perceive(
        tuple(int(z) for z in atomic_numbers), connectivity(atomic_numbers, coordinates), charge
    )
    if smiles.startswith("!"):
        raise DataError(smiles[1:])
    return smiles


@lru_cache(maxsize=100_000)
def _perceive(numbers: tuple[int, ...], bonds: tuple[tuple[int, int], ...], charge: int) -> str:
    RDLogger.DisableLog("rdApp.*")  # type: ignore[attr-defined]
    if not set(numbers) <= FREE_ATOMS.keys():
        return "!unsupported element"
    mol = Chem.RWMol()
    for number in numbers:
        atom = Chem.Atom(number)
        atom.SetNoImplicit(True)
        mol.AddAtom(atom)
    for i, j in bonds:
        mol.AddBond(i, j, Chem.BondType.SINGLE)
    if len(Chem.GetMolFrags(mol)) != 1:
        return "!not one molecule"
    try:
        if len(numbers) == 1:
            mol.GetAtomWithIdx(0).SetFormalCharge(charge)
        else:
            rdDetermineBonds.DetermineBondOrders(
                mol, charge=charge, embedChiral=False, maxIterations=5000
            )
        Chem.SanitizeMol(mol)
    except (ValueError, RuntimeError):
        return "!no bond orders fit"
    if any(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()):
        return "!radical"
    if Chem.GetFormalCharge(mol) != charge:
        return "!formal charges do not add up"
    for atom in mol.GetAtoms():
        atom.SetAtomMapNum(atom.GetIdx() + 1)
    return str(Chem.MolToSmiles(mol))
