"""Dispersion with rational damping.

Source: ByteFF-Pol, arXiv:2508.08575; damping after Becke and Johnson,
J. Chem. Phys. 123, 154101 (2005), https://doi.org/10.1063/1.2065267.
"""

from __future__ import annotations

from torch import Tensor


def dispersion_energy(r: Tensor, c6: Tensor, radius: Tensor, damping: float) -> Tensor:
    """-C6/(k·R⁶ + r⁶) of each pair.

    Parameters
    ----------
    r
        Distances, Å; (..., n_pairs).
    c6
        Dispersion coefficients, kcal/mol·Å⁶; (..., n_pairs).
    radius
        Van der Waals distance R, Å; (..., n_pairs).
    damping
        Dimensionless k.

    Returns
    -------
    Tensor
        kcal/mol; (..., n_pairs).
    """
    return -c6 / (damping * _sixth_power(radius) + _sixth_power(r))


def _sixth_power(values: Tensor) -> Tensor:
    square = values.square()
    return square * square * square
