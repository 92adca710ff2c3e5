"""Graphs against direct readings of the molecule, and against other drawings of it."""

import random

import pytest
import torch
from rdkit import Chem

from openff_bytepol.graph import GraphOptions, batch_graphs, build_graph
from openff_bytepol.graph.graph import BOND_ORDERS
from tests.graph import brute_force
from tests.graph.smiles import DRUG_LIKE, RINGS, SUPPORTED, UNUSUAL

ALL_ANGLES = GraphOptions(symmetry="canonical_rank", impropers="single", trans_angles=True)
UNCHANGED = tuple(
    s for s in SUPPORTED if "S(=O)C" not in s and not s.startswith(("[O-]Cl", "CS(=O)C"))
)


def tuples(tensor):
    return [tuple(row) for row in tensor.tolist()]


def equal_graphs(a, b):
    """All fields equal, classes as partitions."""
    for name, value in vars(a).items():
        other = getattr(b, name)
        if name.endswith("_classes") and isinstance(value, torch.Tensor):
            assert brute_force.partition(value.tolist()) == brute_force.partition(other.tolist())
        elif isinstance(value, torch.Tensor):
            assert torch.equal(value, other), name
        else:
            assert value == other, name
    return True


@pytest.mark.parametrize("smiles", UNCHANGED)
def test_features_and_terms_match_brute_force(smiles):
    mol = brute_force.rdkit_mol(smiles)
    skeleton = brute_force.networkx_graph(mol)
    in_ring, smallest = brute_force.rings(skeleton)
    graph = build_graph(smiles, ALL_ANGLES)
    assert graph.atomic_numbers.tolist() == [a.GetAtomicNum() for a in mol.GetAtoms()]
    assert graph.connectivities.tolist() == [skeleton.degree[i] for i in range(len(skeleton))]
    assert graph.formal_charges.tolist() == [a.GetFormalCharge() for a in mol.GetAtoms()]
    assert tuples(graph.bonds) == sorted(tuple(sorted(edge)) for edge in skeleton.edges)
    assert graph.bond_in_ring.tolist() == [bond in in_ring for bond in tuples(graph.bonds)]
    assert graph.ring_sizes.tolist() == smallest
    assert graph.ring_bonds.tolist() == [
        sum(i in bond for bond in in_ring) for i in range(len(skeleton))
    ]
    assert tuples(graph.angles) == brute_force.angles(skeleton)
    assert tuples(graph.propers) == brute_force.propers(skeleton)
    linear = brute_force.linear_propers(mol)
    assert graph.proper_linear.tolist() == [p in linear for p in tuples(graph.propers)]
    for bond, order in zip(tuples(graph.bonds), graph.bond_orders.tolist(), strict=True):
        assert mol.GetBondBetweenAtoms(*bond).GetBondType().name.lower() == BOND_ORDERS[order]


@pytest.mark.parametrize("smiles", DRUG_LIKE + UNUSUAL)
def test_bonds_of_terms_join_their_atoms(smiles):
    graph = build_graph(smiles)
    for atoms, bonds in (
        (graph.angles, graph.angle_bonds),
        (graph.propers, graph.proper_bonds),
    ):
        for i in range(bonds.shape[1]):
            ends = torch.sort(atoms[:, i : i + 2], dim=1).values
            assert torch.equal(graph.bonds[bonds[:, i]], ends)
    for arm in range(3):
        ends = torch.sort(graph.impropers[:, [0, arm + 1]], dim=1).values
        assert torch.equal(graph.bonds[graph.improper_bonds[:, arm]], ends)


def test_impropers():
    single = build_graph("CC(=O)N(C)C", GraphOptions(impropers="single"))
    assert single.impropers.tolist() == [[1, 0, 2, 3], [3, 1, 4, 5]]
    trefoil = build_graph("CC(=O)N(C)C")
    assert trefoil.impropers.tolist() == [
        [1, 0, 2, 3], [1, 2, 3, 0], [1, 3, 0, 2], [3, 1, 4, 5], [3, 4, 5, 1], [3, 5, 1, 4],
    ]  # fmt: skip
    assert len(build_graph("C[S+](C)C").impropers) == 0


def test_opposite_neighbours_of_octahedral_centres_have_no_angle():
    general = build_graph("FS(F)(F)(F)(F)F")
    neighbours = [0, 2, 3, 4, 5, 6]
    opposite = {(neighbours[i], 1, neighbours[i + 3]) for i in range(3)}
    assert (
        set(tuples(general.angles))
        == set(
            brute_force.angles(brute_force.networkx_graph(brute_force.rdkit_mol("FS(F)(F)(F)(F)F")))
        )
        - opposite
    )
    kept = GraphOptions(trans_angles=True, fixed_molecules=("F[P-](F)(F)(F)(F)F",))
    assert len(build_graph("FS(F)(F)(F)(F)F", kept).angles) == 15
    hexafluorophosphate = build_graph("F[P-](F)(F)(F)(F)F", kept)
    assert len(hexafluorophosphate.angles) == 12
    assert hexafluorophosphate.fixed_terms.tolist() == [0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Cc1ccccc1C", "CC1=CC=CC=C1C"),
        ("Cc1ccccc1C", "CC=1C=CC=CC=1C"),
        ("Cc1ccc2ccccc2c1", "CC1=CC=C2C=CC=CC2=C1"),
        ("c1ccc2cccc-2cc1", "C1=CC=C2C=CC=C2C=C1"),
        ("CS(=O)C", "C[S+]([O-])C"),
        ("CN(=O)=O", "C[N+]([O-])=O"),
        ("CN=[N+]=[N-]", "C[N-][N+]#N"),
        ("CN=S(C)(=O)[O-]", "C[N-]S(C)(=O)=O"),
    ],
)
def test_drawings_of_one_molecule_give_one_graph(one, other):
    assert equal_graphs(build_graph(one), build_graph(other))


def test_resonance_structures_share_classes():
    graph = build_graph("CC(=O)[O-]")
    oxygens = (graph.atomic_numbers == 8).nonzero().flatten()
    assert len(set(graph.atom_classes[oxygens].tolist())) == 1
    assert (
        len(set(graph.bond_classes[graph.connectivities[graph.bonds].amin(1) == 1].tolist())) == 2
    )


@pytest.mark.parametrize("smiles", DRUG_LIKE[:6] + RINGS[:4] + UNUSUAL[:8])
def test_rdkit_and_openff_molecules_give_the_graph_of_their_smiles(smiles):
    toolkit = pytest.importorskip("openff.toolkit")
    expected = build_graph(smiles)
    mol = brute_force.rdkit_mol(smiles)
    kekule = Chem.Mol(mol)
    Chem.Kekulize(kekule, clearAromaticFlags=True)
    mdl = Chem.Mol(kekule)
    Chem.SetAromaticity(mdl, Chem.AromaticityModel.AROMATICITY_MDL)
    openff = toolkit.Molecule.from_rdkit(
        mol, allow_undefined_stereo=True, hydrogens_are_explicit=True
    )
    for molecule in (mol, kekule, mdl, openff):
        assert equal_graphs(build_graph(molecule), expected)


def test_mapped_smiles_set_the_atom_order():
    graph = build_graph("[O:1]([H:4])[C:2]([H:3])([H:5])[H:6]")
    assert graph.atomic_numbers.tolist() == [8, 6, 1, 1, 1, 1]
    partly = build_graph("[CH3:7][OH:2]")
    assert partly.atomic_numbers.tolist() == [6, 8, 1, 1, 1, 1]


def test_input_molecule_is_not_changed():
    mol = brute_force.rdkit_mol("CS(=O)c1ccccc1")
    mol.GetAtomWithIdx(0).SetAtomMapNum(5)
    before = mol.ToBinary(Chem.PropertyPickleOptions.AllProps)
    build_graph(mol)
    assert mol.ToBinary(Chem.PropertyPickleOptions.AllProps) == before


@pytest.mark.parametrize("smiles", DRUG_LIKE[:6] + RINGS)
def test_atom_order_only_renumbers(smiles):
    mol = brute_force.rdkit_mol(smiles)
    order = list(range(mol.GetNumAtoms()))
    random.Random(3).shuffle(order)
    graph, shuffled = build_graph(mol), build_graph(Chem.RenumberAtoms(mol, order))
    for name in ("atomic_numbers", "formal_charges", "ring_bonds", "ring_sizes"):
        assert torch.equal(getattr(graph, name)[order], getattr(shuffled, name))
    assert brute_force.partition(graph.atom_classes[order].tolist()) == brute_force.partition(
        shuffled.atom_classes.tolist()
    )
    assert graph.n_bond_classes == shuffled.n_bond_classes
    assert int(graph.proper_linear.sum()) == int(shuffled.proper_linear.sum())


def test_batch_shifts_every_index():
    smiles = ["CCO", "[Li+]", "F[P-](F)(F)(F)(F)F", "c1ccccc1C#N"]
    options = GraphOptions(fixed_molecules=("F[P-](F)(F)(F)(F)F",))
    graphs = [build_graph(s, options) for s in smiles]
    batch = batch_graphs(graphs)
    assert batch.n_molecules == 4
    assert batch.n_atoms == sum(g.n_atoms for g in graphs)
    assert batch.fixed_terms.tolist() == [-1, -1, 0, -1]
    assert batch.n_atom_classes == sum(g.n_atom_classes for g in graphs)
    assert int(batch.atom_classes.max()) + 1 == batch.n_atom_classes
    first_atom = first_bond = 0
    for position, graph in enumerate(graphs):
        mine = batch.molecule_index == position
        assert torch.equal(batch.atomic_numbers[mine], graph.atomic_numbers)
        propers = batch.propers[mine[batch.propers[:, 0]]]
        assert torch.equal(propers - first_atom, graph.propers)
        along = batch.proper_bonds[mine[batch.propers[:, 0]]]
        assert torch.equal(along - first_bond, graph.proper_bonds)
        first_atom += graph.n_atoms
        first_bond += graph.n_bonds
