"""Charge transfer.

Source: ByteFF-Pol, arXiv:2508.08575.
"""

from __future__ import annotations

import torch
from torch import Tensor


def charge_transfer_energy(r: Tensor, epsilon: Tensor, steepness: Tensor, radius: Tensor) -> Tensor:
    """-epsilon·r⁻⁴·exp[-(lambda·r/R)³] of each pair.

    Parameters
    ----------
    r
        Distances, Å; (..., n_pairs).
    epsilon
        Strength, kcal/mol·Å⁴; (..., n_pairs).
    steepness
        Dimensionless lambda; (..., n_pairs).
    radius
        Van der Waals distance R, Å; (..., n_pairs).

    Returns
    -------
    Tensor
        kcal/mol; (..., n_pairs).
    """
    reduced = steepness * r / radius
    cube = reduced * reduced * reduced
    square = r.square()
    return -epsilon * torch.exp(-cube) / (square * square)
