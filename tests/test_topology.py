"""Pair separations against shortest paths found by networkx."""

from __future__ import annotations

import itertools

import networkx as nx
import pytest
import torch

from openff_bytepol.free_atoms import FREE_ATOMS
from openff_bytepol.topology import find_pairs
from tests.factories import ETHANE_BONDS

GRAPHS = {
    "ethane": nx.Graph(ETHANE_BONDS),
    "cyclopropane": nx.cycle_graph(3),
    "cyclobutane": nx.cycle_graph(4),
    "cyclopentane": nx.cycle_graph(5),
    "benzene": nx.cycle_graph(6),
    "cubane": nx.convert_node_labels_to_integers(nx.hypercube_graph(3)),
    "two fragments": nx.disjoint_union(nx.path_graph(6), nx.path_graph(3)),
    "random tree": nx.random_labeled_tree(60, seed=4),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_shortest_paths(name: str) -> None:
    graph = GRAPHS[name]
    lengths = dict(nx.all_pairs_shortest_path_length(graph))
    bonds = torch.tensor(list(graph.edges), dtype=torch.int64)
    for distance, pairs in enumerate(find_pairs(bonds, len(graph)), start=1):
        expected = [
            [i, j]
            for i, j in itertools.combinations(range(len(graph)), 2)
            if lengths[i].get(j) == distance
        ]
        assert pairs.tolist() == expected


def test_single_atom_has_no_pairs() -> None:
    for pairs in find_pairs(torch.zeros((0, 2), dtype=torch.int64), 1):
        assert pairs.shape == (0, 2)
        assert pairs.dtype == torch.int64


def test_free_atom_volume_scaling_is_close_to_the_ratio_of_polarizabilities() -> None:
    """Carbon: 12 bohr³ is 1.778 Å³, and C6 46.6 hartree·bohr⁶ is 642 kcal/mol·Å⁶."""
    carbon = FREE_ATOMS[6]
    assert carbon.polarizability == pytest.approx(1.77822, rel=1e-4)
    assert carbon.c6 == pytest.approx(642.1, rel=1e-3)
    assert carbon.radius == pytest.approx(1.8997, rel=1e-3)
