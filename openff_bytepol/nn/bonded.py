"""Atom and bond vectors → bonded parameters."""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor, nn

from openff_bytepol.graph.graph import MolecularGraph
from openff_bytepol.nn.chain import ChainPerceptron
from openff_bytepol.nn.config import ModelConfig, Range
from openff_bytepol.nn.layers import Perceptron, sizes_of, straight_through_clamp
from openff_bytepol.nn.priors import angle_prior, bond_prior, bonded_tables, springs

TERM_WIDTHS: Final = {"bond": 2, "angle": 3, "proper": 4, "improper": 2}
"""Atoms in the chain that a term's perceptron sees; an improper sees one arm at a time."""

TERM_OUTPUTS: Final = {
    "bond": {"bond_k1": 1, "bond_k2": 1},
    "angle": {"angle_k1": 1, "angle_k2": 1},
    "proper": {"proper_k": 4},
    "improper": {"improper_k": 1},
}


class BondedHead(nn.Module):
    """Bonds and angles as two springs (k1, k2), propers n = 1…4, impropers n = 2.

    Each term's perceptron sums over the directions of the chain (over the three arms of an
    improper), which makes it symmetric.
    """

    def __init__(self, config: ModelConfig, widths: tuple[int, int], n_members: int) -> None:
        super().__init__()
        self.covalent_radius: Tensor
        self.centre_angle: Tensor
        self.chemical = config.priors == "chemical"
        self.config = config.bonded
        self.trefoil = config.impropers == "trefoil"
        sizes, pooled, output = self.config.term, self.config.pooled, self.config.output
        activation = self.config.activation
        self.chain = nn.ModuleDict(
            {
                term: ChainPerceptron(n_members, widths, length, sizes, activation)
                for term, length in TERM_WIDTHS.items()
            }
        )
        self.pooled = nn.ModuleDict(
            {
                term: Perceptron(
                    n_members,
                    sizes_of(sizes.out, pooled.hidden, pooled.out, pooled.layers),
                    activation,
                )
                for term in TERM_WIDTHS
            }
        )
        self.output = nn.ModuleDict(
            {
                name: Perceptron(
                    n_members,
                    sizes_of(pooled.out, output.hidden, size, output.layers),
                    activation,
                    small_start=self.chemical,
                )
                for outputs in TERM_OUTPUTS.values()
                for name, size in outputs.items()
            }
        )
        for name, table in bonded_tables(config).items():
            self.register_buffer(name, table)

    def forward(
        self, graph: MolecularGraph, elements: Tensor, atoms: Tensor, bonds: Tensor
    ) -> dict[str, Tensor]:
        """`ParameterSet` fields ``bond_k`` … ``improper_k``, (m, n_terms) or (m, n, 4)."""
        raw = self._outputs(graph, atoms, bonds)
        centres = self._centres(graph, elements)
        values = {}
        for name, x in raw.items():
            span: Range = getattr(self.config, name)
            centre = centres.get(name, span.mean)
            values[name] = straight_through_clamp(x * span.std + centre, span.minimum, span.maximum)
        bond_k, bond_r0 = _combine(values["bond_k1"], values["bond_k2"], self.config.bond_anchors)
        angle_k, angle_theta0 = _combine(
            values["angle_k1"], values["angle_k2"], self.config.angle_anchors
        )
        return {
            "bond_k": bond_k,
            "bond_r0": bond_r0,
            "angle_k": angle_k,
            "angle_theta0": angle_theta0,
            "proper_k": values["proper_k"] * ~graph.proper_linear[:, None],
            "improper_k": values["improper_k"] / (3.0 if self.trefoil else 1.0),
        }

    def _outputs(self, graph: MolecularGraph, atoms: Tensor, bonds: Tensor) -> dict[str, Tensor]:
        """Dimensionless outputs of every head."""
        outputs = {}
        for term, chains in _chains(graph).items():
            chain = cast(ChainPerceptron, self.chain[term])
            projected = chain.project(atoms, bonds)
            summed = torch.stack([chain(projected, *rows) for rows in chains]).sum(dim=0)
            pooled = self.pooled[term](summed)
            for name, size in TERM_OUTPUTS[term].items():
                x = self.output[name](pooled)
                if self.config.tanh_scale > 0.0:
                    x = self.config.tanh_scale * torch.tanh(x)
                outputs[name] = x if size > 1 else x.squeeze(-1)
        return outputs

    def _centres(self, graph: MolecularGraph, elements: Tensor) -> dict[str, Tensor]:
        if not self.chemical:
            return {}
        bond = bond_prior(graph, elements, self.covalent_radius)
        angle = angle_prior(graph, elements, self.centre_angle)
        bond_k1, bond_k2 = springs(*bond, self.config.bond_anchors)
        angle_k1, angle_k2 = springs(*angle, self.config.angle_anchors)
        return {
            "bond_k1": bond_k1, "bond_k2": bond_k2, "angle_k1": angle_k1, "angle_k2": angle_k2,
        }  # fmt: skip


def _chains(graph: MolecularGraph) -> dict[str, list[tuple[Tensor, Tensor]]]:
    """Atoms and bonds of the chains that each kind of term sums over."""
    bond_rows = torch.arange(graph.n_bonds, device=graph.device)[:, None]
    both_directions = {
        term: [(atoms, bonds), (atoms.flip(1), bonds.flip(1))]
        for term, atoms, bonds in (
            ("bond", graph.bonds, bond_rows),
            ("angle", graph.angles, graph.angle_bonds),
            ("proper", graph.propers, graph.proper_bonds),
        )
    }
    arms = [(graph.impropers[:, [0, arm + 1]], graph.improper_bonds[:, [arm]]) for arm in range(3)]
    return both_directions | {"improper": arms}


def _combine(k1: Tensor, k2: Tensor, anchors: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Force constant and minimum of two springs."""
    k = k1 + k2
    return k, (k1 * anchors[0] + k2 * anchors[1]) / k.clamp(min=1e-9)
