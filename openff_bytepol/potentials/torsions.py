"""Cosine series of proper and improper torsions.

All phases are 0 or pi, so cos(n·phi) is the Chebyshev polynomial T_n of cos(phi).
"""

from __future__ import annotations

import torch
from torch import Tensor


def proper_energy(cosine: Tensor, k: Tensor) -> Tensor:
    """Sum of k_n·[1 + cos(n·phi - delta_n)], n = 1…4, delta = 0 (odd n) or pi (even n).

    Parameters
    ----------
    cosine
        cos(phi) of each torsion; (..., n_propers).
    k
        Amplitudes for n = 1, 2, 3, 4, kcal/mol; (..., n_propers, 4).

    Returns
    -------
    Tensor
        kcal/mol; (..., n_propers).
    """
    k1, k2, k3, k4 = k.unbind(-1)
    square = cosine.square()
    sine_square = 1.0 - square
    odd = k1 * (1.0 + cosine) + k3 * (1.0 + cosine * (4.0 * square - 3.0))
    even = 2.0 * sine_square * (k2 + 4.0 * k4 * square)
    return odd + even


def improper_energy(cosine: Tensor, k: Tensor) -> Tensor:
    """k·[1 + cos(2·phi - pi)] = 2·k·sin²(phi) of each improper.

    Parameters
    ----------
    cosine
        cos(phi) of the four atoms as listed, central atom first; (..., n_impropers).
    k
        Amplitudes, kcal/mol; (..., n_impropers).

    Returns
    -------
    Tensor
        kcal/mol; (..., n_impropers).
    """
    return 2.0 * k * (torch.ones_like(cosine) - cosine.square())
