"""Atom and bond vectors → parameters, symmetric under every permutation a term allows."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from openff_bytepol.free_atoms import FREE_ATOMS
from openff_bytepol.graph.graph import MolecularGraph
from openff_bytepol.graph.message_passing import scatter_sum
from openff_bytepol.nn.config import ModelConfig, PerceptronSizes, Range
from openff_bytepol.nn.layers import (
    Perceptron,
    class_mean,
    sizes_of,
    straight_through_clamp,
)
from openff_bytepol.nn.priors import (
    angle_prior,
    bond_prior,
    bonded_tables,
    charge_prior,
    charge_tables,
    nonbonded_priors,
    springs,
)

TERM_WIDTHS: Final = {"bond": 2, "angle": 3, "proper": 4, "improper": 2}
"""Atoms in the chain that a term's perceptron sees; an improper sees one arm at a time."""

TERM_OUTPUTS: Final = {
    "bond": {"bond_k1": 1, "bond_k2": 1},
    "angle": {"angle_k1": 1, "angle_k2": 1},
    "proper": {"proper_k": 4},
    "improper": {"improper_k": 1},
}

SMALL_START: Final = 0.1
"""Factor on the last map of each head at initialization: start near the priors."""


class ChainPerceptron(nn.Module):
    """Perceptron on the vectors along a chain of atoms, [x0, e01, x1, …].

    The first map is applied to all atoms and bonds once and then gathered, which is the
    same as mapping the concatenation and cheaper, since there are more terms than atoms.
    """

    def __init__(
        self, n_members: int, widths: tuple[int, int], length: int, sizes: PerceptronSizes,
        activation: str,
    ) -> None:  # fmt: skip
        super().__init__()
        self.slots = [widths[i % 2] for i in range(2 * length - 1)]
        self.perceptron = Perceptron(
            n_members,
            sizes_of(sum(self.slots), sizes.hidden, sizes.out, sizes.layers),
            activation,
        )

    def project(self, atoms: Tensor, bonds: Tensor) -> list[Tensor]:
        """First map of each position of the chain, for all atoms or bonds."""
        pieces = self.perceptron.layers[0].weight.split(self.slots, dim=2)
        return [torch.bmm(bonds if i % 2 else atoms, piece.mT) for i, piece in enumerate(pieces)]

    def forward(self, projected: list[Tensor], atom_rows: Tensor, bond_rows: Tensor) -> Tensor:
        """Chains given by atoms (n, length) and bonds (n, length - 1) → (m, n, out)."""
        total = self.perceptron.layers[0].bias.unsqueeze(1)
        for i, values in enumerate(projected):
            rows = (bond_rows if i % 2 else atom_rows)[:, i // 2]
            total = total + values.index_select(1, rows)
        return self.perceptron.after_first(total)


class BondedHead(nn.Module):
    """Bonds and angles as two springs (k1, k2), propers n = 1…4, impropers n = 2.

    Each term's perceptron sums over the directions of the chain (over the three arms of an
    improper), which makes it symmetric.
    """

    def __init__(self, config: ModelConfig, widths: tuple[int, int], n_members: int) -> None:
        super().__init__()
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
                )
                for outputs in TERM_OUTPUTS.values()
                for name, size in outputs.items()
            }
        )
        if config.priors == "chemical":
            for head in self.output.values():
                head.shrink_last(SMALL_START)
        for name, table in bonded_tables(config).items():
            self.register_buffer(name, table)
        self.chemical = config.priors == "chemical"

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
        bond_rows = torch.arange(graph.n_bonds, device=graph.device)[:, None]
        chains = {
            "bond": ((graph.bonds, bond_rows),),
            "angle": ((graph.angles, graph.angle_bonds),),
            "proper": ((graph.propers, graph.proper_bonds),),
            "improper": tuple(
                (graph.impropers[:, [0, arm + 1]], graph.improper_bonds[:, [arm]])
                for arm in range(3)
            ),
        }
        outputs = {}
        for term, rows in chains.items():
            chain: ChainPerceptron = self.chain[term]  # type: ignore[assignment]
            projected = chain.project(atoms, bonds)
            if term != "improper":
                rows = (*rows, tuple(index.flip(1) for index in rows[0]))  # noqa: PLW2901
            pooled = self.pooled[term](sum(chain(projected, *pair) for pair in rows))
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


def _combine(k1: Tensor, k2: Tensor, anchors: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Force constant and minimum of two springs."""
    k = k1 + k2
    return k, (k1 * anchors[0] + k2 * anchors[1]) / k.clamp(min=1e-9)


class ChargeVolumeHead(nn.Module):
    """Charges as formal charge plus bond increments, and volumes relative to free atoms."""

    def __init__(self, config: ModelConfig, widths: tuple[int, int], n_members: int) -> None:
        super().__init__()
        self.config = config.charge_volume
        increment, output = self.config.increment, self.config.output
        self.chain = ChainPerceptron(n_members, widths, 2, increment, self.config.activation)
        self.increment = Perceptron(
            n_members,
            sizes_of(increment.out, output.hidden, 1, output.layers),
            "tanh",
            bias=False,
        )
        self.volume = Perceptron(
            n_members,
            sizes_of(widths[0], output.hidden, 1, output.layers),
            self.config.activation,
        )
        self.chemical = config.priors == "chemical"
        if self.chemical:
            self.increment.shrink_last(SMALL_START)
            self.volume.shrink_last(SMALL_START)
        for name, table in charge_tables(config).items():
            self.register_buffer(name, table)

    def forward(
        self, graph: MolecularGraph, elements: Tensor, atoms: Tensor, bonds: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Charges in e, and logarithms of volume ratios; (m, n_atoms) each.

        The increments of a bond are opposite by construction, so charges sum to the
        molecule's formal charge.
        """
        bond_rows = torch.arange(graph.n_bonds, device=graph.device)[:, None]
        projected = self.chain.project(atoms, bonds)
        forward = self.chain(projected, graph.bonds, bond_rows)
        backward = self.chain(projected, graph.bonds.flip(1), bond_rows)
        difference = self.increment(forward - backward).squeeze(-1)
        moved = torch.tanh(difference) * self.config.increment_range
        if self.chemical:
            moved = moved + charge_prior(graph, elements, self.electronegativity)
        formal = graph.formal_charges.to(atoms.dtype).expand(atoms.shape[0], -1)
        charges = class_mean(formal, graph.atom_classes, graph.n_atom_classes)
        charges = charges + scatter_sum(
            torch.cat([moved, -moved], dim=1),
            torch.cat([graph.bonds[:, 0], graph.bonds[:, 1]]),
            graph.n_atoms,
        )
        return charges, self.volume(atoms).squeeze(-1)


class NonbondedHead(nn.Module):
    """Tkatchenko-Scheffler scaling of trainable free-atom values, repulsion and charge
    transfer."""

    def __init__(self, config: ModelConfig, width: int, n_members: int) -> None:
        super().__init__()
        self.config = config.nonbonded
        output = self.config.output
        self.logarithm = nn.ModuleDict(
            {
                name: Perceptron(
                    n_members,
                    sizes_of(width, output.hidden, 1, output.layers),
                    self.config.activation,
                )
                for name in ("epsilon", "lambda", "ct_epsilon", "ct_lambda")
            }
        )
        for name, prior in nonbonded_priors(config).items():
            self.register_buffer(f"prior_{name}", prior)
        if config.priors == "chemical":
            for head in self.logarithm.values():
                head.shrink_last(SMALL_START)
        free = [FREE_ATOMS[number] for number in config.elements]
        volumes = torch.tensor([atom.volume for atom in free])
        self.register_buffer("reference_volume", volumes)
        self.free_volume = _per_member(volumes, n_members)
        self.free_polarizability = _per_member(
            torch.tensor([atom.polarizability for atom in free]), n_members
        )
        self.free_c6 = _per_member(
            torch.tensor([atom.c6 for atom in free]) / self.config.c6_scale, n_members
        )
        self.free_radius = _per_member(torch.tensor([atom.radius for atom in free]), n_members)
        self.overrides = {
            config.elements.index(number): override
            for number, override in config.element_overrides.items()
            if number in config.elements
        }

    def forward(self, elements: Tensor, atoms: Tensor, log_volumes: Tensor) -> dict[str, Tensor]:
        """`ParameterSet` fields of atoms other than charges, (m, n_atoms) each."""
        reference = (self.prior_volume_ratio * self.reference_volume)[elements]
        volumes = reference * torch.exp(log_volumes)
        for element, override in self.overrides.items():
            if override.volume is not None:
                volumes = torch.where(elements == element, override.volume, volumes)
        ratio = volumes / self.free_volume[:, elements]
        minimum = self.config.minimum
        alpha = (self.free_polarizability[:, elements] * ratio ** (4 / 3)).clamp(min=minimum)
        for element, override in self.overrides.items():
            if override.polarizability is not None:
                alpha = torch.where(elements == element, override.polarizability, alpha)
        damping = alpha
        for element, override in self.overrides.items():
            if override.minimum_damping is not None:
                raised = damping.clamp(min=override.minimum_damping)
                damping = torch.where(elements == element, raised, damping)
        learned = {
            name: getattr(self, f"prior_{name}")[elements] * torch.exp(head(atoms).squeeze(-1))
            for name, head in self.logarithm.items()
        }
        c6 = self.free_c6[:, elements] * ratio**2 * self.config.c6_scale
        return {
            "polarizabilities": alpha,
            "dampings": damping.clamp(min=self.config.minimum_damping),
            "c6": c6.clamp(min=minimum),
            "radii": self.free_radius[:, elements] * ratio ** (4 / 21),
            "epsilons": learned["epsilon"],
            "lambdas": learned["lambda"],
            "ct_epsilons": learned["ct_epsilon"],
            "ct_lambdas": learned["ct_lambda"],
        }


def _per_member(values: Tensor, n_members: int) -> nn.Parameter:
    return nn.Parameter(values.expand(n_members, -1).clone())
