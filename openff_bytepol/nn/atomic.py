"""Atom and bond vectors → charges, volumes and nonbonded parameters of atoms."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from openff_bytepol.free_atoms import FREE_ATOMS
from openff_bytepol.graph.graph import MolecularGraph
from openff_bytepol.graph.message_passing import scatter_sum
from openff_bytepol.nn.chain import ChainPerceptron
from openff_bytepol.nn.config import ModelConfig
from openff_bytepol.nn.layers import Perceptron, class_mean, sizes_of
from openff_bytepol.nn.priors import charge_prior, charge_tables, nonbonded_priors


class ChargeVolumeHead(nn.Module):
    """Charges as formal charge plus bond increments, and volumes relative to free atoms."""

    def __init__(self, config: ModelConfig, widths: tuple[int, int], n_members: int) -> None:
        super().__init__()
        self.electronegativity: Tensor
        self.chemical = config.priors == "chemical"
        self.config = config.charge_volume
        increment, output = self.config.increment, self.config.output
        self.chain = ChainPerceptron(n_members, widths, 2, increment, self.config.activation)
        self.increment = Perceptron(
            n_members,
            sizes_of(increment.out, output.hidden, 1, output.layers),
            "tanh",
            bias=False,
            small_start=self.chemical,
        )
        self.volume = Perceptron(
            n_members,
            sizes_of(widths[0], output.hidden, 1, output.layers),
            self.config.activation,
            small_start=self.chemical,
        )
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
    """Tkatchenko-Scheffler scaling of free atoms, repulsion and charge transfer."""

    def __init__(self, config: ModelConfig, width: int, n_members: int) -> None:
        super().__init__()
        self.prior_volume_ratio: Tensor
        self.reference_volume: Tensor
        self.config = config.nonbonded
        output = self.config.output
        names = ["epsilon", "lambda", "ct_epsilon", "ct_lambda"]
        if self.config.own_polarizability:
            names.append("polarizability")
        self.logarithm = nn.ModuleDict(
            {
                name: Perceptron(
                    n_members,
                    sizes_of(width, output.hidden, 1, output.layers),
                    self.config.activation,
                    small_start=config.priors == "chemical",
                )
                for name in names
            }
        )
        for name, prior in nonbonded_priors(config).items():
            self.register_buffer(f"prior_{name}", prior)
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
        factors = {
            name: torch.exp(head(atoms).squeeze(-1)) for name, head in self.logarithm.items()
        }
        alpha = self.free_polarizability[:, elements] * ratio ** (4 / 3)
        if "polarizability" in factors:
            alpha = alpha * factors.pop("polarizability")
        alpha = alpha.clamp(min=minimum)
        for element, override in self.overrides.items():
            if override.polarizability is not None:
                alpha = torch.where(elements == element, override.polarizability, alpha)
        damping = alpha
        for element, override in self.overrides.items():
            if override.minimum_damping is not None:
                raised = damping.clamp(min=override.minimum_damping)
                damping = torch.where(elements == element, raised, damping)
        learned = {
            name: getattr(self, f"prior_{name}")[elements] * factor
            for name, factor in factors.items()
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
