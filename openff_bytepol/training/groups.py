"""Functional groups of a molecule, to see where a model errs (counted by RDKit's Fragments)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from rdkit import Chem
from rdkit.Chem import Fragments

_GROUPS: Final = {
    "alcohol": "fr_Al_OH",
    "phenol": "fr_Ar_OH",
    "ether": "fr_ether",
    "aldehyde": "fr_aldehyde",
    "ketone": "fr_ketone",
    "carboxylic acid": "fr_COO",
    "ester": "fr_ester",
    "amide": "fr_amide",
    "primary amine": "fr_NH2",
    "secondary amine": "fr_NH1",
    "nitrile": "fr_nitrile",
    "nitro": "fr_nitro",
    "halogen": "fr_halogen",
    "thiol": "fr_SH",
    "sulfide": "fr_sulfide",
    "sulfone": "fr_sulfone",
    "benzene ring": "fr_benzene",
    "pyridine ring": "fr_pyridine",
    "imidazole ring": "fr_imidazole",
}


@lru_cache(maxsize=10_000)
def functional_groups(smiles: str) -> tuple[str, ...]:
    """Names of the groups that a molecule has; ``water``, ``ion`` or ``other`` without one.

    Parameters
    ----------
    smiles
        May carry hydrogens and map numbers.
    """
    mol = Chem.RemoveHs(Chem.MolFromSmiles(smiles))
    found = [name for name, counter in _GROUPS.items() if getattr(Fragments, counter)(mol)]
    if mol.GetNumAtoms() == 1 and mol.GetAtomWithIdx(0).GetAtomicNum() == 8:
        found.append("water")
    if Chem.GetFormalCharge(mol):
        found.append("ion")
    return tuple(found) or ("other",)
