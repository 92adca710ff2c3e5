"""Edge-augmented graph transformer over the bonds of a molecule.

Hussain et al., arXiv:2108.03348, in the local form of ByteFF-Pol (arXiv:2508.08575):
attention runs along bonds only, in both directions, and every directed bond has its own
features, which bias and gate the attention and are updated with it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from openff_bytepol.graph.message_passing import MessagePassing
from openff_bytepol.nn.config import TransformerConfig
from openff_bytepol.nn.layers import ACTIVATIONS, LayerNorm, Linear, Perceptron, sizes_of


class TransformerLayer(nn.Module):
    """One round of attention and feed-forward on atoms and directed bonds."""

    def __init__(self, config: TransformerConfig, n_members: int) -> None:
        super().__init__()
        width, heads = config.hidden, config.heads
        inner = heads * config.channels
        self.heads, self.channels = heads, config.channels
        self.scale_by_degree = config.scale_by_degree
        self.dropout = config.dropout
        self.norm = LayerNorm(n_members, width)
        self.query = Linear(n_members, width, inner)
        self.key = Linear(n_members, width, inner)
        self.value = Linear(n_members, width, inner)
        self.project = Linear(n_members, inner, width)
        self.edge_norm = LayerNorm(n_members, width)
        self.edge_gate = Linear(n_members, width, heads)
        self.edge_bias = Linear(n_members, width, heads)
        self.edge_project = Linear(n_members, heads, width)
        sizes = sizes_of(width, config.feed_forward.hidden, width, config.feed_forward.layers)
        self.feed_forward_norm = LayerNorm(n_members, width)
        self.feed_forward = Perceptron(n_members, sizes, config.activation)
        self.edge_feed_forward_norm = LayerNorm(n_members, width)
        self.edge_feed_forward = Perceptron(n_members, sizes, config.activation)

    def forward(
        self, atoms: Tensor, edges: Tensor, passing: MessagePassing, in_degree: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(m, n_atoms, width), (m, 2·n_bonds, width) → the same shapes."""
        x = self.norm(atoms)
        heads = (*x.shape[:2], self.heads, self.channels)
        query, key, value = (f(x).view(heads) for f in (self.query, self.key, self.value))
        e = self.edge_norm(edges)
        scores = passing.scores(query, key) / math.sqrt(self.channels) + self.edge_bias(e)
        weights = functional.dropout(passing.softmax(scores), self.dropout, self.training)
        if self.scale_by_degree:
            weights = weights * in_degree[:, None]
        weights = weights * torch.sigmoid(self.edge_gate(e))
        message = passing.aggregate(value, weights).reshape(*x.shape[:2], -1)
        atoms = atoms + self.project(message)
        atoms = atoms + self.feed_forward(self.feed_forward_norm(atoms))
        edges = edges + self.edge_project(scores)
        edges = edges + self.edge_feed_forward(self.edge_feed_forward_norm(edges))
        return atoms, edges


class GraphTransformer(nn.Module):
    """Layers of attention with jumping knowledge (Xu et al., arXiv:1806.03536)."""

    def __init__(self, config: TransformerConfig, bond_width: int, n_members: int) -> None:
        super().__init__()
        self.mode = config.jumping_knowledge
        self.dropout = config.dropout
        self.activation = ACTIVATIONS[config.activation]
        self.bond_in = Linear(n_members, bond_width, config.hidden)
        self.layers = nn.ModuleList(
            TransformerLayer(config, n_members) for _ in range(config.layers)
        )
        self.bond_out = Linear(n_members, config.out, bond_width)
        if self.mode is not None:
            width = config.hidden * (config.layers if self.mode == "cat" else 1)
            self.join = Linear(n_members, width, config.out)

    def forward(
        self, atoms: Tensor, bonds: Tensor, passing: MessagePassing, in_degree: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Refine vectors of atoms (m, n_atoms, width) and bonds (m, n_bonds, bond width).

        ``in_degree`` is the number of bonds of the target of each directed bond.
        """
        edges = self.bond_in(bonds).repeat_interleave(2, dim=1)
        outputs = []
        for i, layer in enumerate(self.layers):
            atoms, edges = layer(atoms, edges, passing, in_degree)
            if self.mode is not None or i + 1 < len(self.layers):
                atoms = functional.dropout(self.activation(atoms), self.dropout, self.training)
                outputs.append(atoms)
        if self.mode == "cat":
            atoms = self.join(torch.cat(outputs, dim=-1))
        elif self.mode == "max":
            atoms = self.join(torch.stack(outputs).amax(dim=0))
        elif self.mode == "last":
            atoms = self.join(atoms)
        both_directions = edges.unflatten(1, (-1, 2))
        return atoms, self.bond_out(both_directions.mean(dim=2))
