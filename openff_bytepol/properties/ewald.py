"""Ewald sum of charges and damped dipoles in PyTorch, differentiable in their parameters.

For derivatives of stored frames, not for dynamics: time and memory grow with the square of
the number of atoms. Sources: Toukmaji et al., J. Chem. Phys. 2000, 113, 10913 (dipoles);
Thole damping as in `openff_bytepol.potentials.thole`.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import torch
from torch import Tensor

from openff_bytepol.exceptions import ConvergenceError, PolarizationCatastropheError
from openff_bytepol.potentials.thole import damped_powers
from openff_bytepol.units import COULOMB

_MOST_ITERATIONS: Final = 200


class PairTerms(NamedTuple):
    """Pairs of atoms with the radial factors of their interaction, (n_pairs,) each.

    charge-charge q·q·k0, charge-dipole q·k1·(mu·r), and dipole-dipole k1_dipole·mu·mu less
    k2·(mu·r)(mu·r).
    """

    first: Tensor
    second: Tensor
    vectors: Tensor
    """From first to second, Å; (n_pairs, 3)."""
    k0: Tensor
    k1: Tensor
    k1_dipole: Tensor
    k2: Tensor


class Waves(NamedTuple):
    """Reciprocal space: half of the wave vectors, with phases of all atoms."""

    vectors: Tensor
    """1/Å; (n_waves, 3)."""
    weights: Tensor
    """1/Å; (n_waves,)."""
    cosines: Tensor
    sines: Tensor
    """(n_waves, n_atoms)."""


def screening(cutoff: float, tolerance: float) -> float:
    """Screening alpha of erfc(alpha·r), 1/Å, that leaves ``tolerance`` at the cutoff (Å)."""
    return math.sqrt(-math.log(2.0 * tolerance)) / cutoff


def pair_terms(
    first: Tensor,
    second: Tensor,
    vectors: Tensor,
    volumes: Tensor,
    *,
    thole: float,
    alpha: float,
    charge_scale: Tensor | float = 1.0,
    field_scale: Tensor | float = 1.0,
) -> PairTerms:
    """Real-space factors: screened, plus what damping and scaling take off the bare ones.

    Parameters
    ----------
    first, second, vectors
        As in `PairTerms`.
    volumes
        sqrt(d_i·d_j), Å³; (n_pairs,).
    thole
        Dimensionless Thole constant.
    alpha
        Screening, 1/Å.
    charge_scale, field_scale
        Factors on charge-charge and charge-dipole interactions, (n_pairs,) or one number.
    """
    square = vectors.square().sum(-1)
    r = square.sqrt()
    gaussian = 2.0 * alpha / math.sqrt(math.pi) * torch.exp(-(alpha**2) * square)
    b0 = torch.erfc(alpha * r) / r
    b1 = (b0 + gaussian) / square
    b2 = (3.0 * b1 + 2.0 * alpha**2 * gaussian) / square
    c3, c5 = damped_powers(r, volumes, thole)
    bare = 1.0 / (square * r)
    return PairTerms(
        first,
        second,
        vectors,
        b0 + (charge_scale - 1.0) / r,
        b1 + field_scale * c3 - bare,
        b1 + c3 - bare,
        b2 + c5 - 3.0 * bare / square,
    )


def waves(positions: Tensor, box: Tensor, alpha: float, tolerance: float) -> Waves:
    """Wave vectors up to where exp(−k²/4alpha²) falls below the tolerance.

    Parameters
    ----------
    positions
        Å; (n_atoms, 3).
    box
        Box vectors as rows, Å.
    alpha
        Screening, 1/Å.
    tolerance
        Dimensionless.
    """
    longest = 2.0 * alpha * math.sqrt(-math.log(tolerance))
    reciprocal = 2.0 * math.pi * torch.linalg.inv(box).T
    limits = (longest * torch.linalg.norm(box, dim=1) / (2.0 * math.pi)).floor().int().tolist()
    ranges = [torch.arange(-n, n + 1, dtype=box.dtype) for n in limits]
    indices = torch.cartesian_prod(*ranges)
    half = indices[len(indices) // 2 + 1 :]
    vectors = half @ reciprocal
    squares = vectors.square().sum(-1)
    near = squares <= longest**2
    vectors, squares = vectors[near], squares[near]
    volume = torch.linalg.det(box).abs()
    weights = 4.0 * math.pi / volume * torch.exp(-squares / (4.0 * alpha**2)) / squares
    phases = vectors @ positions.T
    return Waves(vectors, weights, phases.cos(), phases.sin())


def electrostatic_energy(
    charges: Tensor, dipoles: Tensor, pairs: list[PairTerms], reciprocal: Waves, alpha: float
) -> Tensor:
    """Energy of charges and dipoles with all periodic images, conducting boundary.

    Parameters
    ----------
    charges
        e; (n_atoms,).
    dipoles
        e·Å; (n_atoms, 3).
    pairs, reciprocal, alpha
        From `pair_terms`, `waves` and `screening`.

    Returns
    -------
    Tensor
        kcal/mol; scalar.
    """
    total = charges.new_zeros(())
    for p in pairs:
        q1, q2 = charges[p.first], charges[p.second]
        mu1, mu2 = dipoles[p.first], dipoles[p.second]
        along1, along2 = (mu1 * p.vectors).sum(-1), (mu2 * p.vectors).sum(-1)
        total = (
            total
            + (
                q1 * q2 * p.k0
                + (q2 * along1 - q1 * along2) * p.k1
                + (mu1 * mu2).sum(-1) * p.k1_dipole
                - along1 * along2 * p.k2
            ).sum()
        )
    along = reciprocal.vectors @ dipoles.T
    real = reciprocal.cosines @ charges - (along * reciprocal.sines).sum(-1)
    imaginary = reciprocal.sines @ charges + (along * reciprocal.cosines).sum(-1)
    total = total + (reciprocal.weights * (real.square() + imaginary.square())).sum()
    own = charges.square().sum() + 2.0 * alpha**2 / 3.0 * dipoles.square().sum()
    return COULOMB * (total - alpha / math.sqrt(math.pi) * own)


def solve_dipoles(
    charges: Tensor,
    polarizabilities: Tensor,
    pairs: list[PairTerms],
    reciprocal: Waves,
    alpha: float,
    *,
    tolerance: float = 1e-7,
) -> Tensor:
    """Dipoles that minimise mu²/2alpha_i plus the electrostatic energy.

    Preconditioned conjugate gradients; nothing is differentiated through.

    Parameters
    ----------
    charges, pairs, reciprocal, alpha
        As for `electrostatic_energy`.
    polarizabilities
        Å³; (n_atoms,).
    tolerance
        Largest change of a dipole component, e·Å.

    Returns
    -------
    Tensor
        e·Å; (n_atoms, 3), without gradients.

    Raises
    ------
    ConvergenceError
        If there is no convergence within 200 iterations.
    PolarizationCatastropheError
        If the dipoles have no minimum.
    """
    charges, polarizabilities = charges.detach(), polarizabilities.detach()[:, None]
    pairs = [PairTerms(*(value.detach() for value in p)) for p in pairs]

    def gradient(dipoles: Tensor) -> Tensor:
        variable = dipoles.detach().requires_grad_(True)
        with torch.enable_grad():
            energy = electrostatic_energy(charges, variable, pairs, reciprocal, alpha) / COULOMB
            slope = torch.autograd.grad(energy, variable)[0]
        return slope + dipoles / polarizabilities

    dipoles = torch.zeros((len(charges), 3), dtype=charges.dtype)
    at_zero = gradient(dipoles)
    residual = -at_zero
    scaled = polarizabilities * residual
    direction, product = scaled, (residual * scaled).sum()
    for _ in range(_MOST_ITERATIONS):
        if scaled.abs().max() < tolerance:
            return dipoles
        image = gradient(direction) - at_zero
        curvature = (direction * image).sum()
        if curvature <= 0.0:
            raise PolarizationCatastropheError("induced dipoles of the box have no minimum")
        step = product / curvature
        dipoles = dipoles + step * direction
        residual = residual - step * image
        scaled = polarizabilities * residual
        before, product = product, (residual * scaled).sum()
        direction = scaled + product / before * direction
    raise ConvergenceError(f"induced dipoles did not converge in {_MOST_ITERATIONS} iterations")
