"""The functional form written out for one geometry, with no code of the package.

Dense matrices, a direct solve and shortest paths by networkx: an independent check,
and the straightforward implementation that benchmarks compare with.
"""

from __future__ import annotations

import networkx as nx
import torch
from torch import Tensor

from openff_bytepol.parameters import ParameterSet

COULOMB = 332.0637141491396


def separations(parameters: ParameterSet) -> Tensor:
    """Bonds on the shortest path between atoms, 99 where there is no path."""
    graph = nx.Graph(parameters.bonds.tolist())
    graph.add_nodes_from(range(parameters.n_atoms))
    steps = torch.full((parameters.n_atoms, parameters.n_atoms), 99)
    for i, row in nx.all_pairs_shortest_path_length(graph):
        for j, n in row.items():
            steps[i, j] = n
    return steps


def _scale(steps: Tensor, factor: float) -> Tensor:
    scale = (steps > 2).double()
    scale[steps == 3] = factor
    return scale


def response_parts(p: ParameterSet, x: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
    """Full 3n×3n response matrix and the field of the charges."""
    n = p.n_atoms
    v = x[None] - x[:, None]
    eye = torch.eye(n, dtype=x.dtype)
    r = (v.square().sum(-1) + eye).sqrt()
    u = p.settings.thole * r**3 / (p.dampings[:, None] * p.dampings[None]).sqrt()
    lambda3 = 1 - torch.exp(-u)
    lambda5 = 1 - (1 + u) * torch.exp(-u)
    outer = v[..., :, None] * v[..., None, :]
    tensor = (lambda3 / r**3)[..., None, None] * torch.eye(3, dtype=x.dtype)
    tensor = tensor - 3 * (lambda5 / r**5)[..., None, None] * outer
    tensor = tensor * (1 - eye)[..., None, None]
    matrix = tensor.permute(0, 2, 1, 3).reshape(3 * n, 3 * n)
    matrix = matrix + torch.diag((1 / p.polarizabilities).repeat_interleave(3))
    scale = _scale(steps, p.settings.induction_14)
    field = -((scale * lambda3 / r**3 * p.charges[None])[..., None] * v).sum(1)
    return matrix, field.reshape(-1)


def nonbonded_energies(
    p: ParameterSet, x: Tensor, steps: Tensor | None = None
) -> dict[str, Tensor]:
    """Repulsion, dispersion, charge transfer, permanent and induction energy, kcal/mol."""
    steps = separations(p) if steps is None else steps
    upper = torch.triu(torch.ones_like(steps, dtype=torch.bool), 1)
    eye = torch.eye(p.n_atoms, dtype=x.dtype)
    r = ((x[None] - x[:, None]).square().sum(-1) + eye).sqrt()

    def geometric(values: Tensor) -> Tensor:
        return (values[:, None] * values[None]).sqrt()

    radius = (p.radii[:, None] + p.radii[None]) / 2
    s = p.settings
    repulsion = 6 * geometric(p.epsilons) * torch.exp(geometric(p.lambdas) * (1 - r / radius))
    repulsion = repulsion + (s.repulsion_s12 / r) ** 12
    dispersion = -geometric(p.c6) / (s.dispersion_damping * radius**6 + r**6)
    c8 = s.dispersion_c8 * geometric(p.c6) * radius**2
    dispersion = dispersion - c8 / (s.dispersion_damping ** (4 / 3) * radius**8 + r**8)
    transfer = -geometric(p.ct_epsilons) / r**4
    transfer = transfer * torch.exp(-((geometric(p.ct_lambdas) * r / radius) ** 3))
    permanent = COULOMB * p.charges[:, None] * p.charges[None] / r
    matrix, field = response_parts(p, x, steps)
    dipoles = torch.linalg.solve(matrix, field)

    def total(values: Tensor, scale: Tensor) -> Tensor:
        return (values * scale)[upper].sum()

    return {
        "repulsion": total(repulsion, _scale(steps, s.vdw_14)),
        "dispersion": total(dispersion, _scale(steps, s.vdw_14)),
        "charge_transfer": total(transfer, (steps > 4).double()),
        "permanent": total(permanent, _scale(steps, s.charge_14)),
        "induction": -0.5 * COULOMB * (field * dipoles).sum(),
    }


def frozen_dipole_energy(
    p: ParameterSet, x: Tensor, dipoles: Tensor, *, lambda3_for_5: bool
) -> Tensor:
    """Charge-dipole and dipole-dipole energy, all of it scaled like the field of charges.

    The original implementation's electrostatic energy of frozen dipoles; it passes
    lambda3 for lambda5 where it subtracts that of the separate molecules.
    """
    steps = separations(p)
    total = torch.zeros((), dtype=x.dtype)
    scale = _scale(steps, p.settings.induction_14)
    for i in range(p.n_atoms):
        for j in range(i):
            v = x[i] - x[j]
            r = v.norm()
            u = p.settings.thole * r**3 / (p.dampings[i] * p.dampings[j]).sqrt()
            l3 = 1 - torch.exp(-u)
            l5 = l3 if lambda3_for_5 else 1 - (1 + u) * torch.exp(-u)
            a, b = dipoles[i], dipoles[j]
            pair = (p.charges[i] * (b @ v) - p.charges[j] * (a @ v)) * l3 / r**3
            pair = pair + (a @ b) * l3 / r**3 - 3 * (a @ v) * (b @ v) * l5 / r**5
            total = total + scale[i, j] * pair
    return COULOMB * total
