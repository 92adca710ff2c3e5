"""Every molecule that a model cannot describe is refused by name, reason and remedy."""

import pytest
from rdkit import Chem

from openff_bytepol.exceptions import (
    ChemistryError,
    DisconnectedMoleculeError,
    MissingHydrogensError,
    RadicalError,
    UnsupportedElementError,
    UnsupportedValenceError,
)
from openff_bytepol.graph import GraphOptions, build_graph


@pytest.mark.parametrize(
    ("smiles", "error", "words"),
    [
        ("C[Si](C)(C)C", UnsupportedElementError, ("Si", "supports H, Li", "another model")),
        ("[Fe+3]", UnsupportedElementError, ("Fe", "another model")),
        ("CC(C)(C)(C)C", UnsupportedValenceError, ("CC(C)(C)(C)C", "valence", "correct")),
        ("[N+4]", UnsupportedValenceError, ("charge +4", "±2")),
        ("C.O", DisconnectedMoleculeError, ("C.O", "each as its own")),
        ("[Na+].[Cl-]", DisconnectedMoleculeError, ("[Na+]", "each as its own")),
        ("[CH3]", RadicalError, ("[CH3]", "1 unpaired", "check")),
        ("C[O]", RadicalError, ("unpaired", "check")),
        ("[Na]", RadicalError, ("[Na]", "unpaired")),
        ("[C]([C])[O]", MissingHydrogensError, ("hydrogens", "AddHs")),
        ("c1ccccc", ChemistryError, ("c1ccccc", "not a valid SMILES")),
        ("not a smiles", ChemistryError, ("not a smiles", "correct it")),
        ("", ChemistryError, ("not a valid SMILES",)),
        ("c1cccc1", UnsupportedValenceError, ("c1cccc1", "correct")),
    ],
)
def test_refused_smiles(smiles, error, words, capfd):
    with pytest.raises(error) as caught:
        build_graph(smiles)
    assert type(caught.value) is error
    for word in words:
        assert word in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_refused_elements_depend_on_the_model():
    build_graph("[Na+]")
    with pytest.raises(UnsupportedElementError, match=r"supports H, C: "):
        build_graph("[Na+]", GraphOptions(elements=(1, 6)))


def test_implicit_hydrogens_of_rdkit_molecules():
    with pytest.raises(MissingHydrogensError, match=r"'CCO' has implicit hydrogens.*Chem\.AddHs"):
        build_graph(Chem.MolFromSmiles("CCO"))


def test_lost_hydrogen_of_an_aromatic_ring():
    ring = Chem.RWMol(Chem.AddHs(Chem.MolFromSmiles("c1ccccc1")))
    ring.RemoveAtom(6)
    for atom in ring.GetAtoms():
        atom.SetNoImplicit(True)
    with pytest.raises(RadicalError, match="check charges and hydrogens"):
        build_graph(ring)


def test_openff_molecule_without_hydrogens():
    toolkit = pytest.importorskip("openff.toolkit")
    molecule = toolkit.Molecule()
    for element in (6, 6, 8):
        molecule.add_atom(element, 0, False)
    molecule.add_bond(0, 1, 1, False)
    molecule.add_bond(1, 2, 1, False)
    with pytest.raises(MissingHydrogensError, match=r"lacks about 6 hydrogens"):
        build_graph(molecule)


def test_too_many_neighbours():
    mol = Chem.RWMol(Chem.MolFromSmiles("FS(F)(F)(F)(F)F"))
    mol.AddBond(1, mol.AddAtom(Chem.Atom(9)), Chem.BondType.SINGLE)
    with pytest.raises(UnsupportedValenceError, match=r"atom 1 \(S\) has 7 bonds; at most 6"):
        build_graph(mol)


def test_dative_bonds():
    mol = Chem.RWMol(Chem.AddHs(Chem.MolFromSmiles("N.[Li+]")))
    mol.AddBond(0, 1, Chem.BondType.DATIVE)
    with pytest.raises(UnsupportedValenceError, match="only single, double, triple and aromatic"):
        build_graph(mol)


def test_other_objects():
    with pytest.raises(ChemistryError, match="cannot read a molecule from int; give a SMILES"):
        build_graph(7)
