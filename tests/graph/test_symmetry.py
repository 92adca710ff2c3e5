"""Symmetry classes against the automorphism group and against RDKit's ranks."""

import pytest

from openff_bytepol.graph import GraphOptions, build_graph
from tests.graph import brute_force
from tests.graph.smiles import DRUG_LIKE, RINGS, SUPPORTED

SMALL = (
    "CCO", "CC(C)O", "CC(=O)[O-]", "c1ccccc1", "c1ccncc1", "C1CC1", "C1CCC1",
    "c1ccc2ccccc2c1", "c1ccc2c(c1)c1ccccc1-2", "C1CC1C1CC1", "FS(F)(F)(F)(F)F", "OCC(O)CO", "C1=CC2=CC=CC2=C1",
)  # fmt: skip


def heavy_skeleton(smiles):
    """Graph without hydrogens, whose counts are added to the elements."""
    mol = brute_force.rdkit_mol(smiles)
    graph = brute_force.networkx_graph(mol)
    elements = []
    heavy = [a.GetIdx() for a in mol.GetAtoms() if a.GetAtomicNum() > 1]
    for i in heavy:
        hydrogens = sum(mol.GetAtomWithIdx(j).GetAtomicNum() == 1 for j in graph[i])
        elements.append(100 * mol.GetAtomWithIdx(i).GetAtomicNum() + hydrogens)
    return graph.subgraph(heavy).copy(), elements


@pytest.mark.parametrize("smiles", SMALL + RINGS)
def test_refined_classes_are_the_orbits_of_the_automorphism_group(smiles):
    skeleton, elements = heavy_skeleton(smiles)
    classes = build_graph(smiles).atom_classes[: len(skeleton)].tolist()
    orbits = brute_force.orbits(skeleton, elements)
    assert brute_force.partition(classes) == brute_force.partition(orbits)


def test_refined_bond_classes_separate_rings_from_links():
    graph = build_graph("c1ccc2c(c1)c1ccccc1-2")  # biphenylene
    fused = {3, 4, 6, 11}
    inner = [i for i, bond in enumerate(graph.bonds.tolist()) if set(bond) <= fused]
    classes = {}
    for i in inner:
        classes.setdefault(int(graph.bond_classes[i]), []).append(int(graph.bond_orders[i]))
    assert sorted(map(len, classes.values())) == [2, 2]
    assert all(len(set(orders)) == 1 for orders in classes.values())


@pytest.mark.parametrize("smiles", SUPPORTED)
def test_canonical_rank_classes_are_rdkit_ranks_of_the_skeleton(smiles):
    graph = build_graph(smiles, GraphOptions(symmetry="canonical_rank"))
    ranks = brute_force.rank_classes(brute_force.rdkit_mol(smiles))
    assert brute_force.partition(graph.atom_classes.tolist()) == brute_force.partition(ranks)
    pairs = [tuple(sorted((ranks[i], ranks[j]))) for i, j in graph.bonds.tolist()]
    assert brute_force.partition(graph.bond_classes.tolist()) == brute_force.partition(pairs)


def test_refinement_separates_what_canonical_ranks_merge():
    smiles = "C1CN(CCOCCN2CCOCC2)CCO1"
    ranks = build_graph(smiles, GraphOptions(symmetry="canonical_rank"))
    refined = build_graph(smiles)
    assert (ranks.n_atom_classes, refined.n_atom_classes) == (6, 11)


@pytest.mark.parametrize("smiles", DRUG_LIKE)
def test_both_definitions_agree_on_ordinary_molecules(smiles):
    ranks = build_graph(smiles, GraphOptions(symmetry="canonical_rank"))
    assert brute_force.partition(ranks.atom_classes.tolist()) == brute_force.partition(
        build_graph(smiles).atom_classes.tolist()
    )
