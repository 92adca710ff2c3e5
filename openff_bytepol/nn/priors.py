"""Simple chemistry that predictions start from.

A network whose outputs are zero gives these values, so that even an untrained model has
bonds, angles and contacts of about the right size, and training has only to learn the
differences. They are stored with the weights of a model.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from openff_bytepol.free_atoms import FREE_ATOMS
from openff_bytepol.graph.graph import MAX_CONNECTIVITY, MolecularGraph
from openff_bytepol.nn.config import ModelConfig
from openff_bytepol.nn.layers import class_mean

COVALENT_RADII: Final = {
    1: 0.31, 3: 1.28, 6: 0.76, 7: 0.71, 8: 0.66, 9: 0.57, 11: 1.66,
    15: 1.07, 16: 1.05, 17: 1.02, 19: 2.03, 35: 1.20, 53: 1.39,
}  # fmt: skip
"""Single-bond radii, Å: Cordero et al., https://doi.org/10.1039/b801115j."""

ORDER_LENGTH: Final = (1.0, 0.87, 0.78, 0.92)
"""Length of single, double, triple and aromatic bonds over the sum of radii."""

ORDER_STIFFNESS: Final = (1.0, 1.3, 1.6, 1.15)

BOND_STIFFNESS: Final = 1500.0
"""k·r0^2.5 of a single bond between heavy atoms, kcal/mol/Å² with r0 in Å."""

HYDROGEN_STIFFNESS: Final = 0.6
"""Factor on the stiffness of bonds to hydrogen."""

COORDINATION_ANGLES: Final = (109.5, 109.5, 109.5, 120.0, 109.5, 109.5, 90.0)
"""Equilibrium angle by number of neighbours of the centre, degrees."""

CENTRE_ANGLES: Final = {
    (6, 2): 180.0, (7, 2): 115.0, (7, 3): 116.0, (8, 2): 108.0, (8, 3): 112.0,
    (15, 2): 100.0, (15, 3): 100.0, (16, 2): 98.0, (16, 3): 104.0,
}  # fmt: skip
"""The same for particular elements."""

ANGLE_STIFFNESS: Final = 140.0
"""kcal/mol/rad²"""

HYDROGEN_ANGLE_STIFFNESS: Final = 80.0
"""Angles with a hydrogen at either end, kcal/mol/rad²."""

VOLUME_RATIOS: Final = {1: 0.64, 6: 0.85, 7: 0.88, 8: 0.93, 9: 0.97}
"""Usual Hirshfeld volumes in organic molecules over those of free atoms; 1 for others
(Tkatchenko and Scheffler, https://doi.org/10.1103/PhysRevLett.102.073005)."""

ELECTRONEGATIVITIES: Final = {
    1: 2.20, 3: 0.98, 6: 2.55, 7: 3.04, 8: 3.44, 9: 3.98, 11: 0.93,
    15: 2.19, 16: 2.58, 17: 3.16, 19: 0.82, 35: 2.96, 53: 2.66,
}  # fmt: skip
"""Pauling scale."""

CHARGE_INCREMENT: Final = 0.3
"""Charge that a single bond moves per unit of electronegativity difference, e."""

ORDER_INCREMENT: Final = (1.0, 2.0, 2.0, 1.3)
"""Factor on the charge increment of single, double, triple and aromatic bonds."""

REPULSION_DECAY: Final = 3.7
"""1/Å; lambda is this times the van der Waals radius."""

CHARGE_TRANSFER: Final = (0.5, 0.9)
"""Prior ct_epsilon (kcal/mol·Å⁴) and ct_lambda: little charge transfer."""


def nonbonded_priors(config: ModelConfig) -> dict[str, Tensor]:
    """Volume ratio, epsilon, lambda, ct_epsilon and ct_lambda by element, (n_elements,) each.

    Chemical: epsilon puts the minimum of the curve of two equal atoms at twice their
    Tkatchenko-Scheffler radius. Constant: the values of ByteFF-Pol.
    """
    n = len(config.elements)
    if config.priors == "constant":
        ones = torch.ones(n)
        return {
            "volume_ratio": ones,
            "epsilon": ones.clone(),
            "lambda": 5.0 * ones,
            "ct_epsilon": ones.clone(),
            "ct_lambda": ones.clone(),
        }
    damping = config.settings.dispersion_damping
    ratios, epsilons, lambdas = [], [], []
    for number in config.elements:
        atom = FREE_ATOMS[number]
        ratio = VOLUME_RATIOS.get(number, 1.0)
        c6, radius = atom.c6 * ratio**2, atom.radius * ratio ** (4 / 21)
        steepness = REPULSION_DECAY * radius
        r = 2.0 * radius
        slope = 6.0 * c6 * r**5 / (damping * radius**6 + r**6) ** 2
        eighth = damping ** (4 / 3) * radius**8 + r**8
        slope += 8.0 * config.settings.dispersion_c8 * c6 * radius**2 * r**7 / eighth**2
        ratios.append(ratio)
        lambdas.append(steepness)
        epsilons.append(slope * radius * math.exp(steepness) / (6.0 * steepness))
    return {
        "volume_ratio": torch.tensor(ratios),
        "epsilon": torch.tensor(epsilons),
        "lambda": torch.tensor(lambdas),
        "ct_epsilon": torch.full((n,), CHARGE_TRANSFER[0]),
        "ct_lambda": torch.full((n,), CHARGE_TRANSFER[1]),
    }


def bonded_tables(config: ModelConfig) -> dict[str, Tensor]:
    """Tables of the bonded head; empty for constant priors.

    Covalent radius by element (n_elements,) in Å and equilibrium angle by element and
    connectivity of the centre (n_elements, 7) in rad.
    """
    if config.priors == "constant":
        return {}
    angles = [
        [
            math.radians(CENTRE_ANGLES.get((number, n), COORDINATION_ANGLES[n]))
            for n in range(MAX_CONNECTIVITY + 1)
        ]
        for number in config.elements
    ]
    return {
        "covalent_radius": torch.tensor([COVALENT_RADII[n] for n in config.elements]),
        "centre_angle": torch.tensor(angles),
    }


def charge_tables(config: ModelConfig) -> dict[str, Tensor]:
    """Electronegativity by element (n_elements,); empty for constant priors."""
    if config.priors == "constant":
        return {}
    return {"electronegativity": torch.tensor([ELECTRONEGATIVITIES[n] for n in config.elements])}


def charge_prior(graph: MolecularGraph, elements: Tensor, electronegativity: Tensor) -> Tensor:
    """Charge that the first atom of every bond gives electrons for, e; (n_bonds,)."""
    ends = electronegativity[elements[graph.bonds]]
    order = _by_order(graph, ORDER_INCREMENT, ends.dtype)
    return CHARGE_INCREMENT * order * (ends[:, 1] - ends[:, 0])


def bond_prior(graph: MolecularGraph, elements: Tensor, radii: Tensor) -> tuple[Tensor, Tensor]:
    """Force constant (kcal/mol/Å²) and length (Å) of every bond, (n_bonds,) each."""
    length = _by_order(graph, ORDER_LENGTH, radii.dtype)
    stiffness = _by_order(graph, ORDER_STIFFNESS, radii.dtype)
    r0 = radii[elements[graph.bonds]].sum(dim=1) * length
    hydrogen = (graph.atomic_numbers[graph.bonds] == 1).any(dim=1)
    stiffness = torch.where(hydrogen, HYDROGEN_STIFFNESS * stiffness, stiffness)
    return BOND_STIFFNESS * stiffness / r0**2.5, r0


def _by_order(graph: MolecularGraph, factors: tuple[float, ...], dtype: torch.dtype) -> Tensor:
    """Factor of every bond's order, averaged over equivalent bonds: resonance; (n_bonds,)."""
    table = torch.tensor(factors, dtype=dtype, device=graph.device)
    orders = table[graph.bond_orders].unsqueeze(0)
    return class_mean(orders, graph.bond_classes, graph.n_bond_classes).squeeze(0)


def angle_prior(graph: MolecularGraph, elements: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """Force constant (kcal/mol/rad²) and angle (rad) of every angle, (n_angles,) each."""
    centre = graph.angles[:, 1]
    theta0 = table[elements[centre], graph.connectivities[centre]]
    hydrogen = (graph.atomic_numbers[graph.angles[:, [0, 2]]] == 1).any(dim=1)
    k = torch.where(hydrogen, HYDROGEN_ANGLE_STIFFNESS, ANGLE_STIFFNESS).to(theta0.dtype)
    return k, theta0


def springs(k: Tensor, minimum: Tensor, anchors: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """k1 and k2 of two springs that end at the anchors and together have k and the minimum."""
    k2 = k * (minimum - anchors[0]) / (anchors[1] - anchors[0])
    return k - k2, k2
