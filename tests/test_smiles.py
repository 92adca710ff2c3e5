"""One canonical text for a molecule, however it is written."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from openff_bytepol.exceptions import ChemistryError
from openff_bytepol.smiles import canonical_smiles
from openff_bytepol.training.datasets.geometry import skeleton

SMILES = [
    "O", "[Li+]", "[H][H]", "[2H]O[2H]", "CC(=O)[O-]", "C[NH3+]", "O=[N+]([O-])c1ccccc1",
    "F[P-](F)(F)(F)(F)F", "F/C=C/F", "F/C=C\\F", "[H]/N=C/C", "N[C@@H](C)C(=O)O",
    "N[C@H](C)C(=O)O", "C[S@](=O)CC", "C1CC[C@@H]2CCCC[C@H]2C1", "c1c[nH]cn1",
]  # fmt: skip


@pytest.mark.parametrize("smiles", SMILES)
def test_order_map_numbers_and_hydrogens_do_not_matter(smiles: str) -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    generator = np.random.default_rng(1)
    for _ in range(5):
        mol = Chem.RenumberAtoms(mol, generator.permutation(mol.GetNumAtoms()).tolist())
        for atom in mol.GetAtoms():
            atom.SetAtomMapNum(atom.GetIdx() + 1)
        mapped = Chem.MolToSmiles(mol)
        assert canonical_smiles(mapped) == canonical_smiles(smiles) == Chem.CanonSmiles(smiles)
        assert skeleton(mapped).smiles == canonical_smiles(smiles)


def test_different_molecules_differ() -> None:
    assert len(set(map(canonical_smiles, SMILES))) == len(SMILES)


def test_species_are_kept_in_one_order() -> None:
    assert canonical_smiles("[Na+].[Cl-]") == canonical_smiles("[Cl-:2].[Na+:1]") == "[Cl-].[Na+]"


def test_text_that_is_no_smiles_is_refused() -> None:
    with pytest.raises(ChemistryError, match="'C1C' is no SMILES that can be read"):
        canonical_smiles("C1C")
