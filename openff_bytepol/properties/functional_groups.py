"""Functional groups, to see which kinds of molecules a force field gets wrong."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from openff_bytepol.smiles import parse_smiles

_GROUPS: Final = {
    "water": "[OX2H2]",
    "alcohol": "[OX2H][CX4]",
    "phenol": "[OX2H]c",
    "ether": "[OX2]([#6;!$(C=[O,S,N])])[#6;!$(C=[O,S,N])]",
    "aldehyde or ketone": "[#6][CX3](=O)[#6,#1]",
    "carboxylic acid": "[CX3](=O)[OX2H]",
    "ester": "[#6,#1][CX3](=O)[OX2][#6]",
    "carbonate": "[OX2][CX3](=O)[OX2]",
    "amine": "[NX3;!$(N~[C,S]=[O,S,N]);!$(N-[#7,#8])][#6]",
    "amide": "[NX3][CX3]=O",
    "nitrile": "[CX2]#[NX1]",
    "nitro": "[$([NX3](=O)=O),$([NX3+](=O)[O-])]",
    "aromatic hydrocarbon": "c1ccccc1",
    "heteroaromatic": "[a;!#6]",
    "alkene": "[CX3]=[CX3]",
    "alkyne": "[CX2]#[CX2]",
    "fluoride": "[FX1][#6]",
    "chloride": "[ClX1][#6]",
    "bromide": "[BrX1][#6]",
    "iodide": "[IX1][#6]",
    "sulfide or thiol": "[SX2]",
    "sulfoxide or sulfone": "[#16X3,#16X4]=O",
    "phosphorus": "[#15]",
    "ion": "[+,-;!$([*+]~[*-]);!$([*-]~[*+])]",
}
"""SMARTS; a molecule may belong to several."""
ALKANE: Final = "alkane"


def functional_groups(smiles: str) -> tuple[str, ...]:
    """Functional groups of a molecule, by name.

    Saturated hydrocarbons, and molecules with no other group, count as alkanes and "other".

    Parameters
    ----------
    smiles
        Ions of a salt are separated by dots.

    Raises
    ------
    ChemistryError
        If the SMILES cannot be read.
    """
    from rdkit import Chem

    molecule = Chem.AddHs(parse_smiles(smiles))
    found = tuple(name for name, query in _patterns() if molecule.HasSubstructMatch(query))
    if found:
        return found
    return (ALKANE,) if {a.GetSymbol() for a in molecule.GetAtoms()} == {"C", "H"} else ("other",)


@cache
def _patterns() -> tuple[tuple[str, Any], ...]:
    from rdkit import Chem

    return tuple((name, Chem.MolFromSmarts(smarts)) for name, smarts in _GROUPS.items())
