"""Slow, direct readings of a molecule, to compare graphs with."""

from __future__ import annotations

import itertools
from collections import defaultdict

import networkx as nx
from rdkit import Chem

LINEAR = ("[*:1]~[#6X2;!r5;!r6:2]~[*:3]~[*:4]", "[!$([#7H1]):1]~[#7X2+:2]~[!$([#7H1]):3]~[*:4]")


def rdkit_mol(smiles: str) -> Chem.Mol:
    return Chem.AddHs(Chem.MolFromSmiles(smiles))


def networkx_graph(mol: Chem.Mol) -> nx.Graph:
    graph = nx.Graph()
    graph.add_nodes_from(range(mol.GetNumAtoms()))
    graph.add_edges_from((b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds())
    return graph


def rings(graph: nx.Graph) -> tuple[set[tuple[int, int]], list[int]]:
    """Bonds in cycles of at most eight atoms, and the smallest such cycle of each atom."""
    in_ring, smallest = set(), [0] * len(graph)
    for cycle in nx.simple_cycles(graph, length_bound=8):
        for a, b in itertools.pairwise([*cycle, cycle[0]]):
            in_ring.add((min(a, b), max(a, b)))
        for a in cycle:
            smallest[a] = min(smallest[a] or len(cycle), len(cycle))
    return in_ring, smallest


def angles(graph: nx.Graph) -> list[tuple[int, ...]]:
    found = [
        (min(a, b), centre, max(a, b))
        for centre in graph
        for a, b in itertools.combinations(graph[centre], 2)
    ]
    return sorted(found)


def propers(graph: nx.Graph) -> list[tuple[int, ...]]:
    found = set()
    for b, c in graph.edges:
        for a, d in itertools.product(graph[b], graph[c]):
            if a != c and d != b and a != d:
                found.add((a, b, c, d) if a < d else (d, c, b, a))
    return sorted(found)


def linear_propers(mol: Chem.Mol) -> set[tuple[int, ...]]:
    found = set()
    for smarts in LINEAR:
        pattern = Chem.MolFromSmarts(smarts)
        for match in mol.GetSubstructMatches(pattern, uniquify=False, maxMatches=100_000):
            found.add(match if match[0] < match[3] else match[::-1])
    return found


def rank_classes(mol: Chem.Mol) -> list[int]:
    """RDKit canonical ranks of the skeleton, ties kept, on the parsed molecule itself."""
    mol = Chem.Mol(mol)
    for bond in mol.GetBonds():
        bond.SetBondType(Chem.BondType.SINGLE)
        bond.SetIsAromatic(False)
        bond.SetIsConjugated(False)
    for atom in mol.GetAtoms():
        atom.SetFormalCharge(0)
        atom.SetIsAromatic(False)
        atom.SetIsotope(0)
        atom.SetHybridization(Chem.HybridizationType.S)
    return list(Chem.CanonicalRankAtoms(mol, breakTies=False, includeChirality=False))


def orbits(graph: nx.Graph, elements: list[int]) -> list[int]:
    """Orbits of the automorphism group, found by trying all automorphisms."""
    for node, element in enumerate(elements):
        graph.nodes[node]["element"] = element
    representative = list(range(len(graph)))
    matcher = nx.isomorphism.GraphMatcher(
        graph, graph, node_match=lambda a, b: a["element"] == b["element"]
    )
    for mapping in matcher.isomorphisms_iter():
        for a, b in mapping.items():
            low = min(representative[a], representative[b])
            representative[a] = representative[b] = low
    return [representative[representative[a]] for a in range(len(graph))]


def partition(labels: list[int]) -> list[list[int]]:
    """Classes as sorted lists of members, whatever their labels."""
    members = defaultdict(list)
    for index, label in enumerate(labels):
        members[label].append(index)
    return sorted(members.values())
