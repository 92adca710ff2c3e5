"""Harmonic angles."""

from __future__ import annotations

from torch import Tensor


def angle_energy(theta: Tensor, k: Tensor, theta0: Tensor) -> Tensor:
    """k/2·(theta - theta0)² of each angle.

    Parameters
    ----------
    theta
        Angles, rad; (..., n_angles).
    k
        Force constants, kcal/mol/rad²; (..., n_angles).
    theta0
        Equilibrium angles, rad; (..., n_angles).

    Returns
    -------
    Tensor
        kcal/mol; (..., n_angles).
    """
    return 0.5 * k * (theta - theta0).square()
