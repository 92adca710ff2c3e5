"""Mutual induced dipoles of point charges, and their energy.

The dipoles minimize E(mu) = mu·A·mu/2 - mu·F, with F the damped field of the permanent
charges, so the energy is E = -F·A⁻¹·F/2. First derivatives need no further solution of
the equations, since E is stationary; each higher order needs one, with the same matrix.
Solutions are never differentiated through: factorization and conjugate gradients give
the same derivatives, of any order, with respect to coordinates and parameters.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from openff_bytepol.potentials.pairs import Pairs
from openff_bytepol.potentials.response import Response
from openff_bytepol.potentials.solvers import ResponseSolver, SolverOptions
from openff_bytepol.units import COULOMB


def respond(
    response: Response,
    field: Tensor,
    pairs: Pairs,
    options: SolverOptions,
    *,
    within_molecules: bool = False,
) -> tuple[Tensor, Tensor]:
    """Dipoles that a field induces, and the energy gained.

    Parameters
    ----------
    response
        Of all pairs, or of the pairs `Pairs.within` molecules; leading axes may broadcast.
    field
        e/Å²; (..., 3, n_atoms).
    pairs
        Which atoms belong together.
    options
        How to solve.
    within_molecules
        Molecules respond one by one, instead of systems.

    Returns
    -------
    energy
        -F·mu/2 of each system, kcal/mol; (..., n_systems).
    dipoles
        e·Å; (..., 3, n_atoms).

    Raises
    ------
    ConvergenceError
        If conjugate gradients did not converge.
    PolarizationCatastropheError
        If a response matrix is not positive definite.
    """
    lead = torch.broadcast_shapes(  # type: ignore[no-untyped-call]
        field.shape[:-2], response.c3.shape[:-1], response.polarizabilities.shape[:-1]
    )
    flat = flatten_response(response, lead)
    flat_field = _flatten(field, lead, 2)
    blocks = pairs.molecule_blocks if within_molecules else pairs.system_blocks
    with torch.no_grad():
        group = "molecule" if within_molecules else "system"
        solver = ResponseSolver(blocks, flat, options, group)
    energy, dipoles = _LinearResponse.apply(solver, pairs, *flat, flat_field)  # type: ignore[no-untyped-call]
    return (
        COULOMB * energy.reshape(*lead, pairs.n_systems),
        dipoles.reshape(*lead, *dipoles.shape[-2:]),
    )


def flatten_response(response: Response, lead: torch.Size) -> Response:
    """Expand the leading axes of all tensors to ``lead`` and make one axis of them."""
    return Response(
        response.first,
        response.second,
        _flatten(response.c3, lead, 1),
        _flatten(response.c5, lead, 1),
        _flatten(response.vectors, lead, 2),
        _flatten(response.polarizabilities, lead, 1),
    )


def _flatten(values: Tensor, lead: torch.Size, n_own: int) -> Tensor:
    own = values.shape[-n_own:]
    return values.expand(*lead, *own).reshape(lead.numel(), *own)


class _LinearResponse(torch.autograd.Function):
    """-F·A⁻¹·F/2 of each system and A⁻¹·F, differentiated implicitly.

    With mu = A⁻¹·F and a gradient g with respect to mu, the adjoint is lambda = A⁻¹·g;
    then dF gets lambda and dA gets -lambda⊗mu. The energy adds -w·mu to dF and
    w·mu⊗mu/2 to dA, w its own gradient. A is known pair by pair, so dA is contracted
    with the derivatives of T = c3·1 - c5·v⊗v there.
    """

    @staticmethod
    def forward(  # noqa: PLR0917
        ctx: Any,
        solver: ResponseSolver,
        pairs: Pairs,
        first: Tensor,
        second: Tensor,
        c3: Tensor,
        c5: Tensor,
        vectors: Tensor,
        polarizabilities: Tensor,
        field: Tensor,
    ) -> tuple[Tensor, Tensor]:
        dipoles = solver(field)
        values = -0.5 * (field * dipoles).sum(-2)
        energy = values.new_zeros((values.shape[0], pairs.n_systems))
        energy.index_add_(-1, pairs.atom_system, values)
        ctx.solver, ctx.pairs = solver, pairs
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(first, second, c3, c5, vectors, polarizabilities, dipoles)
        return energy, dipoles

    @staticmethod
    def backward(
        ctx: Any, energy_grad: Tensor | None, dipole_grad: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        *operands, dipoles = ctx.saved_tensors
        first, second, _, c5, vectors, polarizabilities = operands
        field_grad: Tensor | None = None
        adjoint: Tensor | None = None
        if dipole_grad is not None:
            adjoint = field_grad = _LinearResponse.apply(  # type: ignore[no-untyped-call]
                ctx.solver, ctx.pairs, *operands, dipole_grad
            )[1]
        if energy_grad is not None:
            weighted = energy_grad.index_select(-1, ctx.pairs.atom_system).unsqueeze(-2) * dipoles
            field_grad = -weighted if field_grad is None else field_grad - weighted
            adjoint = -0.5 * weighted if adjoint is None else adjoint - 0.5 * weighted
        if adjoint is None:
            return (None,) * 9
        lambda_i, lambda_j = adjoint.index_select(-1, first), adjoint.index_select(-1, second)
        mu_i, mu_j = dipoles.index_select(-1, first), dipoles.index_select(-1, second)
        c3_grad = -(lambda_i * mu_j + lambda_j * mu_i).sum(-2)
        a_i, a_j = (vectors * lambda_i).sum(-2), (vectors * lambda_j).sum(-2)
        b_i, b_j = (vectors * mu_i).sum(-2), (vectors * mu_j).sum(-2)
        c5_grad = a_i * b_j + a_j * b_i
        vectors_grad = c5.unsqueeze(-2) * (
            lambda_i * b_j.unsqueeze(-2)
            + lambda_j * b_i.unsqueeze(-2)
            + mu_i * a_j.unsqueeze(-2)
            + mu_j * a_i.unsqueeze(-2)
        )
        polarizability_grad = (adjoint * dipoles).sum(-2) / polarizabilities.square()
        return (
            *(None,) * 4,
            c3_grad,
            c5_grad,
            vectors_grad,
            polarizability_grad,
            field_grad,
        )
