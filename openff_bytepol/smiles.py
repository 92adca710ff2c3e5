"""Molecules as text: read, and written one way however they came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openff_bytepol.exceptions import ChemistryError

if TYPE_CHECKING:
    from rdkit import Chem


def parse_smiles(smiles: str) -> Chem.Mol:
    """Molecule of a SMILES.

    Raises
    ------
    ChemistryError
        If it cannot be read.
    """
    from rdkit import Chem

    mol = Chem.MolFromSmiles(smiles)
    if mol is None:
        raise ChemistryError(f"{smiles!r} is no SMILES that can be read")
    return mol


def canonical_smiles(smiles: str) -> str:
    """Canonical SMILES without map numbers, hydrogens implicit.

    Formal charges, isotopes and stereochemistry stay, and so do several species, in an order of
    their own. Splits, pairs of molecules and duplicates go by this text. RDKit has more than one,
    by the order of the atoms, for a few cages whose stereocentres depend on one another.

    Parameters
    ----------
    smiles
        With or without map numbers and explicit hydrogens.

    Raises
    ------
    ChemistryError
        If it cannot be read.
    """
    from rdkit import Chem

    mol = parse_smiles(smiles)
    for atom in mol.GetAtoms():
        atom.SetAtomMapNum(0)
    return str(Chem.MolToSmiles(Chem.RemoveHs(mol)))
