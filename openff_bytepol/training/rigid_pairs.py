"""Pairs of rigid molecules: placed by chance, and minima of their interaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import Pairs, interaction_components

FloatArray = NDArray[np.float64]
Surface: TypeAlias = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From coordinates of all atoms of some pairs, one after another, (n_atoms, 3), Å, to interaction
energies, (n_pairs,), kcal/mol, and the gradient of their sum, (n_atoms, 3), kcal/mol/Å."""

_FAR: Final = 30.0
_APPROACH: Final = 0.02
"""Å; the approach starts at the one and goes on by the other."""
_CLOSENESS: Final = 0.95
_RATES: Final = (0.06,) * 110 + (0.015,) * 50
"""Of each step of the descent, Å and radians."""
_STEEPEST: Final = 20.0
"""Larger components of forces and torques count as this, kcal/mol/Å."""
_TOGETHER: Final = 400


class Molecule(NamedTuple):
    """A rigid molecule with a model's parameters."""

    parameters: ParameterSet
    coordinates: FloatArray
    """(n_atoms, 3), Å."""
    radii: FloatArray
    """Bondi's van der Waals radii, (n_atoms,), Å."""


class BoundPair(NamedTuple):
    """Two molecules at a minimum of their interaction energy."""

    coordinates: tuple[FloatArray, FloatArray]
    """(n_atoms, 3) each, Å."""
    energy: float
    """kcal/mol"""


def place(
    a: FloatArray,
    b: FloatArray,
    radius_sums: FloatArray,
    closeness: float,
    generator: np.random.Generator,
) -> FloatArray:
    """Both molecules turned at random, touching from a random side.

    Parameters
    ----------
    a, b
        (n_a, 3) and (n_b, 3), Å.
    radius_sums
        Of each pair of atoms, (n_a, n_b), Å.
    closeness
        The smallest distance as a part of its radius sum.
    generator
        Source of chance.

    Returns
    -------
    ndarray
        (n_a + n_b, 3), Å.
    """
    turned = [
        (x - x.mean(0)) @ Rotation.random(random_state=generator).as_matrix().T for x in (a, b)
    ]
    direction = generator.normal(size=3)
    direction /= np.linalg.norm(direction)
    shift = _FAR
    while shift > 0:
        moved = turned[1] + shift * direction
        distances = np.linalg.norm(turned[0][:, None] - moved[None], axis=-1)
        if (distances / radius_sums).min() <= closeness:
            break
        shift -= _APPROACH
    return np.concatenate([turned[0], turned[1] + shift * direction])


def bound_pairs(
    pairs: Sequence[tuple[Molecule, Molecule]], *, n_starts: int = 8, seed: int = 0
) -> list[list[BoundPair]]:
    """Minima of the interaction energies of pairs of rigid molecules, from random contacts.

    Parameters
    ----------
    pairs
        Molecules, of any kind.
    n_starts
        Random contacts of each pair, in which the closest atoms are at 0.95 of the sum of their
        van der Waals radii.
    seed
        Of the contacts.

    Returns
    -------
    list of list of BoundPair
        ``n_starts`` of each pair, the most strongly bound first.
    """
    generator = np.random.default_rng(seed)
    starts = [pair for pair in pairs for _ in range(n_starts)]
    placed = [
        place(a.coordinates, b.coordinates, np.add.outer(a.radii, b.radii), _CLOSENESS, generator)
        for a, b in starts
    ]
    minima: list[BoundPair] = []
    for start in range(0, len(starts), _TOGETHER):
        part = slice(start, start + _TOGETHER)
        split = [
            (xyz[: len(a.coordinates)], xyz[len(a.coordinates) :])
            for (a, _), xyz in zip(starts[part], placed[part], strict=True)
        ]
        minima += descend(split, _model_surface(starts[part]))
    return [
        sorted(minima[i : i + n_starts], key=lambda minimum: minimum.energy)
        for i in range(0, len(minima), n_starts)
    ]


def descend(placed: Sequence[tuple[FloatArray, FloatArray]], surface: Surface) -> list[BoundPair]:
    """Minima of the interaction energies of pairs of rigid molecules, down from where they are.

    Steepest descent with momentum (Adam) in the second molecule's place and orientation: near a
    minimum within some 0.1 kcal/mol, and into whatever holes there are in the walls between them.

    Parameters
    ----------
    placed
        Coordinates of the two molecules of each pair, (n_atoms, 3) each, Å.
    surface
        Of these pairs, in their order.

    Returns
    -------
    list of BoundPair
        One of each.
    """
    pairs = [np.concatenate(pair) for pair in placed]
    sizes = [len(xyz) for xyz in pairs]
    dimers = torch.repeat_interleave(torch.arange(len(pairs)), torch.tensor(sizes))
    second = torch.cat(
        [torch.arange(n) >= len(first) for n, (first, _) in zip(sizes, placed, strict=True)]
    )[:, None]
    start = torch.from_numpy(np.concatenate(pairs))
    centres = torch.tensor(np.stack([other.mean(0) for _, other in placed]))
    shifts = torch.zeros(len(pairs), 3, dtype=start.dtype, requires_grad=True)
    turns = torch.zeros(len(pairs), 3, dtype=start.dtype, requires_grad=True)

    def moved() -> Tensor:
        about = (start - centres[dimers])[:, :, None]
        turned = (_rotations(turns)[dimers] @ about)[:, :, 0]
        return torch.where(second, turned + (centres + shifts)[dimers], start)

    moving = [shifts, turns]
    optimizer = torch.optim.Adam(moving)
    for rate in _RATES:
        optimizer.param_groups[0]["lr"] = rate
        coordinates = moved()
        _, slope = surface(coordinates.detach())
        for coordinate, gradient in zip(
            moving, torch.autograd.grad(coordinates, moving, slope), strict=True
        ):
            coordinate.grad = gradient.nan_to_num(0.0).clamp(-_STEEPEST, _STEEPEST)
        optimizer.step()
    final = moved().detach()
    energies, _ = surface(final)
    return [
        BoundPair((xyz[: len(first)].numpy(), xyz[len(first) :].numpy()), float(energy))
        for xyz, (first, _), energy in zip(torch.split(final, sizes), placed, energies, strict=True)
    ]


def _model_surface(pairs: Sequence[tuple[Molecule, Molecule]]) -> Surface:
    parameters = ParameterSet.concatenate([one.parameters for pair in pairs for one in pair])
    sizes = [len(a.coordinates) + len(b.coordinates) for a, b in pairs]
    dimers = torch.repeat_interleave(torch.arange(len(pairs)), torch.tensor(sizes))
    fixed = Pairs.from_parameters(parameters, dimers)

    def surface(coordinates: Tensor) -> tuple[Tensor, Tensor]:
        xyz = coordinates.clone().requires_grad_(True)
        energies = interaction_components(parameters, xyz, pairs=fixed).total
        (slope,) = torch.autograd.grad(energies.sum(), xyz)
        return energies.detach(), slope

    return surface


def _rotations(turns: Tensor) -> Tensor:
    """Rotation matrices (n, 3, 3) about the axes of (n, 3) by their lengths, radians."""
    x, y, z = turns.unbind(-1)
    zero = torch.zeros_like(x)
    generators = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    matrices: Tensor = torch.linalg.matrix_exp(generators)
    return matrices
