"""Dipole moments, electrostatic potentials, polarizabilities and stability of their response."""

from __future__ import annotations

import torch
from torch import Tensor

from openff_bytepol.exceptions import ParameterError
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials.energies import DEFAULT_SOLVER, induced_dipoles
from openff_bytepol.potentials.geometry import norms
from openff_bytepol.potentials.induction import flatten_response, respond
from openff_bytepol.potentials.inputs import dipole_response, prepare, sum_by
from openff_bytepol.potentials.pairs import Pairs
from openff_bytepol.potentials.response import full_matrices, scaled_matrices
from openff_bytepol.potentials.solvers import SolverOptions
from openff_bytepol.units import COULOMB


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


def electrostatic_potentials(
    parameters: ParameterSet,
    coordinates: Tensor,
    points: Tensor,
    point_system: Tensor | None = None,
    system_index: Tensor | None = None,
    *,
    pairs: Pairs | None = None,
    solver: SolverOptions = DEFAULT_SOLVER,
) -> Tensor:
    """Electrostatic potential of charges and induced dipoles, not damped at the points.

    With v from an atom to a point, V = k·sum(q/v + mu·v/v³). Differentiable like `energy`.

    Parameters
    ----------
    parameters, coordinates, system_index, pairs, solver
        As for `energy`.
    points
        Å; (n_points, 3), or (n_conformers, n_points, 3) if coordinates have conformers.
    point_system
        System whose potential each point feels; (n_points,). The only one by default.

    Returns
    -------
    Tensor
        kcal/mol/e; (n_points,) or (n_conformers, n_points), with an ensemble axis in front if
        the parameters have one.

    Raises
    ------
    ParameterError
        If the arguments do not fit together.
    ConvergenceError, PolarizationCatastropheError
        As `energy`.
    """
    laid_out, xyz, pairs = prepare(parameters, coordinates, system_index, pairs)
    point_system = _check_points(points, point_system, coordinates, pairs)
    induced = induced_dipoles(parameters, coordinates, pairs=pairs, solver=solver)
    point, atom = (point_system[:, None] == pairs.atom_system).nonzero(as_tuple=True)
    vectors = points.transpose(-1, -2).index_select(-1, point) - xyz.index_select(-1, atom)
    distances = norms(vectors)
    moments = induced.transpose(-1, -2).index_select(-1, atom)
    charges = laid_out.charges.index_select(-1, atom)
    values = charges / distances + (moments * vectors).sum(-2) / distances**3
    return COULOMB * sum_by(values, point, points.shape[-2])


def _check_points(
    points: Tensor, point_system: Tensor | None, coordinates: Tensor, pairs: Pairs
) -> Tensor:
    shape = tuple(points.shape)
    lead = tuple(coordinates.shape[:-2])
    if shape[-1:] != (3,) or len(shape) < 2 or shape[:-2] not in {(), lead}:
        raise ParameterError(
            f"points have shape {shape}; (n_points, 3) is needed, or with the conformers of the "
            "coordinates in front"
        )
    if points.dtype != coordinates.dtype:
        raise ParameterError(
            f"points are {points.dtype} and coordinates {coordinates.dtype}; "
            "convert one with .to(dtype=...)"
        )
    if point_system is None:
        if pairs.n_systems > 1:
            raise ParameterError(
                f"there are {pairs.n_systems} systems; say with point_system which one each "
                "point belongs to"
            )
        return pairs.atom_system.new_zeros(shape[-2])
    point_system = point_system.to(pairs.atom_system)
    if point_system.shape != shape[-2:-1]:
        raise ParameterError(
            f"point_system has shape {tuple(point_system.shape)}; "
            f"one value for each of the {shape[-2]} points is needed"
        )
    if ((point_system < 0) | (point_system >= pairs.n_systems)).any():
        raise ParameterError(f"point_system must lie between 0 and {pairs.n_systems - 1}")
    return point_system


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
