"""Parameter sets with arbitrary values, for tests that need structure and not physics."""

from __future__ import annotations

import networkx as nx
import torch

from openff_bytepol.parameters import ATOM_PARAMETERS, ParameterSet
from openff_bytepol.settings import NonbondedSettings

C8 = {"dispersion_damping": 3.5, "dispersion_c8": 1.8}
"""Settings of a dispersion energy with a C8 term."""


def make_parameters(
    bonds: list[tuple[int, int]], atomic_numbers: list[int], *, seed: int = 0
) -> ParameterSet:
    """Random positive parameters for one molecule with every angle and proper of its graph."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return 0.5 + torch.rand(*shape, generator=generator, dtype=torch.float64)

    graph = nx.Graph(bonds)
    graph.add_nodes_from(range(len(atomic_numbers)))
    angles = [(i, j, k) for j in graph for i in graph[j] for k in graph[j] if i < k]
    propers = [
        (i, j, k, m)
        for j, k in graph.edges
        for i in graph[j]
        for m in graph[k]
        if i != k and m != j and i != m
    ]
    impropers = [(c, *sorted(graph[c])) for c in graph if len(graph[c]) == 3]

    def index(rows: list[tuple[int, ...]], width: int) -> torch.Tensor:
        return torch.tensor(rows, dtype=torch.int64).reshape(-1, width)

    n_atoms = len(atomic_numbers)
    return ParameterSet(
        atomic_numbers=torch.tensor(atomic_numbers),
        molecule_index=torch.zeros(n_atoms, dtype=torch.int64),
        **{name: draw(n_atoms) for name in ATOM_PARAMETERS},
        bonds=index(bonds, 2),
        bond_k=draw(len(bonds)),
        bond_r0=draw(len(bonds)),
        angles=index(angles, 3),
        angle_k=draw(len(angles)),
        angle_theta0=draw(len(angles)),
        propers=index(propers, 4),
        proper_k=draw(len(propers), 4),
        impropers=index(impropers, 4),
        improper_k=draw(len(impropers)),
        settings=NonbondedSettings(),
    )


ETHANE_BONDS = [(0, 1), (0, 2), (0, 3), (0, 4), (1, 5), (1, 6), (1, 7)]


def ethane(seed: int = 0) -> ParameterSet:
    return make_parameters(ETHANE_BONDS, [6, 6, 1, 1, 1, 1, 1, 1], seed=seed)


def lithium(seed: int = 1) -> ParameterSet:
    return make_parameters([], [3], seed=seed)
