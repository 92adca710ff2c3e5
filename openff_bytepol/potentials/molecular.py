"""Dipole moments, polarizabilities and stability of the polarization response."""

from __future__ import annotations

import torch
from torch import Tensor

from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials.energies import DEFAULT_SOLVER, induced_dipoles
from openff_bytepol.potentials.induction import flatten_response, respond
from openff_bytepol.potentials.inputs import dipole_response, prepare, sum_by
from openff_bytepol.potentials.pairs import Pairs
from openff_bytepol.potentials.response import full_matrices, scaled_matrices
from openff_bytepol.potentials.solvers import SolverOptions


def dipole_moments(
    parameters: ParameterSet,
    coordinates: Tensor,
    system_index: Tensor | None = None,
    *,
    pairs: Pairs | None = None,
    solver: SolverOptions = DEFAULT_SOLVER,
) -> Tensor:
    """Dipole moments of charges and induced dipoles; arguments and errors as `energy`.

    Those of charged systems refer to the origin of the coordinates.

    Returns
    -------
    Tensor
        e·Å; (..., n_systems, 3).
    """
    if pairs is None:
        pairs = Pairs.from_parameters(parameters, system_index)
    induced = induced_dipoles(parameters, coordinates, pairs=pairs, solver=solver)
    parameters, xyz, _ = prepare(parameters, coordinates, None, pairs)
    moments = parameters.charges.unsqueeze(-2) * xyz + induced.transpose(-1, -2)
    return sum_by(moments, pairs.atom_system, pairs.n_systems).transpose(-1, -2)


def molecular_polarizabilities(
    parameters: ParameterSet,
    coordinates: Tensor,
    system_index: Tensor | None = None,
    *,
    pairs: Pairs | None = None,
    solver: SolverOptions = DEFAULT_SOLVER,
) -> Tensor:
    """Static polarizability tensors; arguments and errors as `energy`.

    Column b is the dipole moment that a uniform unit field along axis b induces.

    Returns
    -------
    Tensor
        Å³; (..., n_systems, 3, 3).
    """
    parameters, xyz, pairs = prepare(parameters, coordinates, system_index, pairs)
    response, _ = dipole_response(parameters, xyz, pairs)
    columns = []
    for axis in range(3):
        field = torch.zeros_like(xyz)
        field[..., axis, :] = 1.0
        _, dipoles = respond(response, field, pairs, solver)
        columns.append(sum_by(dipoles, pairs.atom_system, pairs.n_systems).transpose(-1, -2))
    return torch.stack(columns, dim=-1)


def smallest_response_eigenvalue(
    parameters: ParameterSet,
    coordinates: Tensor,
    system_index: Tensor | None = None,
    *,
    pairs: Pairs | None = None,
) -> Tensor:
    """Smallest eigenvalue of 1 + sqrt(alpha)·T·sqrt(alpha) of each system.

    1 for a lone atom; at 0 induced dipoles diverge, and below it they have no minimum.
    Differentiable. Costs O(n³) time and O(n²) memory in the atoms of a system.

    Parameters
    ----------
    parameters, coordinates, system_index, pairs
        As for `energy`.

    Returns
    -------
    Tensor
        Dimensionless; (n_systems,) or (n_conformers, n_systems), with an ensemble axis in
        front if the parameters have one.

    Raises
    ------
    ParameterError
        If the arguments do not fit together.
    """
    parameters, xyz, pairs = prepare(parameters, coordinates, system_index, pairs)
    response, _ = dipole_response(parameters, xyz, pairs)
    lead = response.c3.shape[:-1]
    flat = flatten_response(response, lead)
    smallest = flat.c3.new_zeros((flat.c3.shape[0], pairs.n_systems))
    for block in pairs.system_blocks:
        matrices = full_matrices(scaled_matrices(block, flat))
        values = torch.linalg.eigvalsh(matrices)[..., 0]
        smallest = smallest.index_copy(-1, block.groups, values)
    return smallest.reshape(*lead, pairs.n_systems)
