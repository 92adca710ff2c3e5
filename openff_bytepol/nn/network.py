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
from openff_bytepol.parameters import TERM_PARAMETERS, ParameterSet


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
        elements, atoms, bonds = self._embed(graph, backend)
        bonded = self.bonded(graph, elements, atoms, bonds)
        return ParameterSet(
            atomic_numbers=graph.atomic_numbers,
            molecule_index=graph.molecule_index,
            **{name: getattr(graph, name) for name in TERM_PARAMETERS},
            settings=self.config.settings,
            **self._atomic(graph, elements, atoms, bonds),
            **self._set_fixed_terms(graph, bonded),
        )

    def without_terms(self, graph: MolecularGraph, backend: Backend = "auto") -> ParameterSet:
        """Like `forward`, but only the parameters of atoms, with no bonded terms: faster."""
        embedded = self._embed(graph, backend)
        atomic = self._atomic(graph, *embedded)
        lead = atomic["charges"].shape[:-1]
        terms: dict[str, Tensor] = {}
        for index, names in TERM_PARAMETERS.items():
            terms[index] = getattr(graph, index)[:0]
            for name in names:
                shape = (*lead, 0, 4) if name == "proper_k" else (*lead, 0)
                terms[name] = atomic["charges"].new_zeros(shape)
        return ParameterSet(
            atomic_numbers=graph.atomic_numbers,
            molecule_index=graph.molecule_index,
            settings=self.config.settings,
            **atomic,
            **terms,
        )

    def _embed(self, graph: MolecularGraph, backend: Backend) -> tuple[Tensor, Tensor, Tensor]:
        """Element positions, and vectors of atoms and bonds."""
        elements = self.element_position[graph.atomic_numbers]
        passing = message_passing(graph, backend)
        in_degree = graph.connectivities[graph.bonds.flip(1).reshape(-1)]
        atoms, bonds = self.embedding(graph, elements)
        return elements, *self.transformer(atoms, bonds, passing, in_degree)

    def _atomic(
        self, graph: MolecularGraph, elements: Tensor, atoms: Tensor, bonds: Tensor
    ) -> dict[str, Tensor]:
        charges, log_volumes = self.charge_volume(graph, elements, atoms, bonds)
        return {"charges": charges, **self.nonbonded(elements, atoms, log_volumes)}

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
