"""The whole network: `MolecularGraph` → `ParameterSet`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from openff_bytepol.graph.graph import MolecularGraph
from openff_bytepol.graph.message_passing import Backend, message_passing
from openff_bytepol.nn.atomic import ChargeVolumeHead, NonbondedHead
from openff_bytepol.nn.bonded import BondedHead
from openff_bytepol.nn.config import ModelConfig
from openff_bytepol.nn.embedding import FeatureEmbedding
from openff_bytepol.nn.transformer import GraphTransformer
from openff_bytepol.parameters import ParameterSet


class Network(nn.Module):
    """Embedding, graph transformer and heads of all ensemble members at once.

    Parameters
    ----------
    config
        Model configuration.
    n_members
        Ensemble members; every parameter has this leading axis.
    """

    def __init__(self, config: ModelConfig, n_members: int = 1) -> None:
        super().__init__()
        self.element_position: Tensor
        self.config = config
        self.n_members = n_members
        widths = (config.transformer.out, config.features.bond.out)
        self.embedding = FeatureEmbedding(config.features, len(config.elements), n_members)
        self.transformer = GraphTransformer(config.transformer, widths[1], n_members)
        self.bonded = BondedHead(config, widths, n_members)
        self.charge_volume = ChargeVolumeHead(config, widths, n_members)
        self.nonbonded = NonbondedHead(config, widths[0], n_members)
        positions = torch.full((max(config.elements) + 1,), -1)
        positions[list(config.elements)] = torch.arange(len(config.elements))
        self.register_buffer("element_position", positions, persistent=False)

    def forward(self, graph: MolecularGraph, backend: Backend = "auto") -> ParameterSet:
        """Parameters with a leading ensemble axis, also for a single member."""
        elements = self.element_position[graph.atomic_numbers]
        passing = message_passing(graph, backend)
        in_degree = graph.connectivities[graph.bonds.flip(1).reshape(-1)]
        atoms, bonds = self.embedding(graph, elements)
        atoms, bonds = self.transformer(atoms, bonds, passing, in_degree)
        charges, log_volumes = self.charge_volume(graph, elements, atoms, bonds)
        bonded = self.bonded(graph, elements, atoms, bonds)
        return ParameterSet(
            atomic_numbers=graph.atomic_numbers,
            molecule_index=graph.molecule_index,
            bonds=graph.bonds,
            angles=graph.angles,
            propers=graph.propers,
            impropers=graph.impropers,
            settings=self.config.settings,
            charges=charges,
            **self.nonbonded(elements, atoms, log_volumes),
            **self._set_fixed_terms(graph, bonded),
        )

    def _set_fixed_terms(
        self, graph: MolecularGraph, bonded: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Replace bond and angle terms of molecules whose terms are configured."""
        fixed = graph.fixed_terms[graph.molecule_index]
        for position, terms in enumerate(self.config.fixed_terms):
            in_bond = fixed[graph.bonds[:, 0]] == position
            in_angle = fixed[graph.angles[:, 0]] == position
            for name, where in (
                ("bond_k", in_bond),
                ("bond_r0", in_bond),
                ("angle_k", in_angle),
                ("angle_theta0", in_angle),
            ):
                bonded[name] = torch.where(where, getattr(terms, name), bonded[name])
        return bonded
