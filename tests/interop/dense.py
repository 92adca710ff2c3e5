"""Charges and induced dipoles by dense linear algebra in numpy, nm and kJ/mol.

Shares no code with the package: topology by networkx, all pairs in full matrices.
"""

from __future__ import annotations

import networkx as nx
import numpy as np

COULOMB = 138.93545764
"""kJ/mol·nm/e²"""


def separations(bonds, n_atoms):
    """Bonds between every two atoms; 9 where more, or another molecule."""
    graph = nx.Graph()
    graph.add_nodes_from(range(n_atoms))
    graph.add_edges_from(bonds)
    matrix = np.full((n_atoms, n_atoms), 9)
    for i, lengths in nx.all_pairs_shortest_path_length(graph):
        for j, length in lengths.items():
            matrix[i, j] = min(length, 9)
    return matrix


def solve(x, charges, alphas, dampings, bonds, *, charge_14, induction_14, thole=0.39):
    """Permanent and induction energy, and the induced dipoles in e·nm."""
    n = len(x)
    apart = separations(bonds, n)

    def scale(scale_14):
        return np.where(apart <= 2, 0.0, np.where(apart == 3, scale_14, 1.0))

    rij = x[:, None] - x[None, :]
    r = np.sqrt((rij**2).sum(-1)) + np.eye(n)
    u = thole * r**3 / np.sqrt(dampings[:, None] * dampings[None, :])
    l3 = 1.0 - np.exp(-u)
    l5 = 1.0 - (1.0 + u) * np.exp(-u)
    permanent = 0.5 * COULOMB * (scale(charge_14) * np.outer(charges, charges) / r).sum()
    field = ((scale(induction_14) * l3 / r**3)[..., None] * rij * charges[None, :, None]).sum(1)
    off = 1.0 - np.eye(n)
    tensor = np.einsum("ij,ijk,ijl->ikjl", off * 3.0 * l5 / r**5, rij, rij)
    tensor -= np.einsum("ij,kl->ikjl", off * l3 / r**3, np.eye(3))
    response = np.diag(np.repeat(1.0 / alphas, 3)) - tensor.reshape(3 * n, 3 * n)
    dipoles = np.linalg.solve(response, field.ravel())
    induction = -0.5 * COULOMB * dipoles @ field.ravel()
    return permanent, induction, dipoles.reshape(n, 3)
