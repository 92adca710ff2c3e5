"""Checks and layout shared by all energy functions."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from openff_bytepol.exceptions import ParameterError
from openff_bytepol.parameters import ATOM_PARAMETERS, TERM_PARAMETERS, ParameterSet
from openff_bytepol.potentials.geometry import norms, pair_vectors
from openff_bytepol.potentials.mixing import geometric
from openff_bytepol.potentials.pairs import Pairs
from openff_bytepol.potentials.response import Response
from openff_bytepol.potentials.thole import damped_powers


def prepare(
    parameters: ParameterSet,
    coordinates: Tensor,
    system_index: Tensor | None,
    pairs: Pairs | None,
) -> tuple[ParameterSet, Tensor, Pairs]:
    """Check the arguments of an energy function and lay them out.

    Returns
    -------
    parameters
        With an axis for conformers after the ensemble axis, where both are present.
    xyz
        Coordinates as (..., 3, n_atoms).
    pairs
        Made here unless given.

    Raises
    ------
    ParameterError
        If shapes, float types or the numbers of atoms do not fit together, or if both
        ``system_index`` and ``pairs`` are given.
    """
    shape = tuple(coordinates.shape)
    if len(shape) not in (2, 3) or shape[-2:] != (parameters.n_atoms, 3):
        raise ParameterError(
            f"coordinates have shape {shape}; ({parameters.n_atoms}, 3) or "
            f"(n_conformers, {parameters.n_atoms}, 3) is needed"
        )
    if coordinates.dtype != parameters.charges.dtype:
        raise ParameterError(
            f"coordinates are {coordinates.dtype} and parameters {parameters.charges.dtype}; "
            "convert one with .to(dtype=...)"
        )
    if pairs is None:
        pairs = Pairs.from_parameters(parameters, system_index)
    elif system_index is not None:
        raise ParameterError("give system_index or pairs, not both: pairs already hold it")
    elif pairs.n_atoms != parameters.n_atoms:
        raise ParameterError(
            f"pairs were made for {pairs.n_atoms} atoms, the parameters have {parameters.n_atoms}"
        )
    if parameters.n_members is not None and len(shape) == 3:
        names = [*ATOM_PARAMETERS, *(n for term in TERM_PARAMETERS.values() for n in term)]
        parameters = replace(parameters, **{n: getattr(parameters, n).unsqueeze(1) for n in names})
    return parameters, coordinates.transpose(-1, -2).contiguous(), pairs


def dipole_response(parameters: ParameterSet, xyz: Tensor, pairs: Pairs) -> tuple[Response, Tensor]:
    """Response matrix of all pairs, and their distances (..., n_pairs) in Å."""
    vectors = pair_vectors(xyz, pairs.first, pairs.second)
    distances = norms(vectors)
    volumes = geometric(parameters.dampings, pairs.first, pairs.second)
    c3, c5 = damped_powers(distances, volumes, parameters.settings.thole)
    response = Response(pairs.first, pairs.second, c3, c5, vectors, parameters.polarizabilities)
    return response, distances


def scale_14(n_pairs: int, n_14: int, factor: float, like: Tensor) -> Tensor:
    """``factor`` for the first ``n_14`` of the pairs, 1 for the others; (n_pairs,)."""
    scale = torch.ones(n_pairs, dtype=like.dtype, device=like.device)
    scale[:n_14] = factor
    return scale


def sum_by(values: Tensor, index: Tensor, size: int) -> Tensor:
    """Sum the last axis by index; (..., n) to (..., size)."""
    return values.new_zeros((*values.shape[:-1], size)).index_add(-1, index, values)
