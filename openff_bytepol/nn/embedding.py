"""Discrete features of atoms and bonds → vectors, equal for equivalent atoms and bonds."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from openff_bytepol.graph.graph import (
    BOND_ORDERS,
    MAX_CONNECTIVITY,
    MAX_FORMAL_CHARGE,
    MAX_RING_SIZE,
    MolecularGraph,
)
from openff_bytepol.nn.config import FeatureConfig
from openff_bytepol.nn.layers import Embedding, Perceptron, class_mean, sizes_of


class FeatureEmbedding(nn.Module):
    """Embedding tables, mixed by perceptrons and averaged over symmetry classes."""

    def __init__(self, config: FeatureConfig, n_elements: int, n_members: int) -> None:
        super().__init__()
        self.element = Embedding(n_members, n_elements, config.element)
        self.connectivity = Embedding(n_members, MAX_CONNECTIVITY + 1, config.connectivity)
        self.formal_charge = Embedding(n_members, 2 * MAX_FORMAL_CHARGE + 1, config.formal_charge)
        self.ring_bonds = Embedding(n_members, MAX_CONNECTIVITY + 1, config.ring_bonds)
        self.ring_size = Embedding(n_members, MAX_RING_SIZE + 1, config.ring_size)
        self.bond_in_ring = Embedding(n_members, 2, config.bond_in_ring)
        self.bond_order = Embedding(n_members, len(BOND_ORDERS), config.bond_order)
        atom_width = (
            config.element
            + config.connectivity
            + config.formal_charge
            + config.ring_bonds
            + config.ring_size
        )
        self.atom = Perceptron(
            n_members,
            sizes_of(atom_width, config.atom.hidden, config.atom.out, config.atom.layers),
            config.activation,
            activate_last=True,
        )
        self.bond = Perceptron(
            n_members,
            sizes_of(
                config.bond_in_ring + config.bond_order,
                config.bond.hidden,
                config.bond.out,
                config.bond.layers,
            ),
            config.activation,
            activate_last=True,
        )

    def forward(self, graph: MolecularGraph, elements: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors of atoms (m, n_atoms, width) and bonds (m, n_bonds, width).

        ``elements`` holds each atom's position in the model's element list.
        """
        charges = graph.formal_charges + MAX_FORMAL_CHARGE
        atoms = torch.cat(
            [
                self.element(elements),
                self.connectivity(graph.connectivities),
                self.formal_charge(charges.clamp(0, 2 * MAX_FORMAL_CHARGE)),
                self.ring_bonds(graph.ring_bonds),
                self.ring_size(graph.ring_sizes),
            ],
            dim=-1,
        )
        bonds = torch.cat(
            [self.bond_in_ring(graph.bond_in_ring.long()), self.bond_order(graph.bond_orders)],
            dim=-1,
        )
        return (
            class_mean(self.atom(atoms), graph.atom_classes, graph.n_atom_classes),
            class_mean(self.bond(bonds), graph.bond_classes, graph.n_bond_classes),
        )
