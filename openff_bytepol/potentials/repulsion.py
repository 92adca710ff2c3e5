"""Exchange repulsion: an exponential and a hard core.

Source: ByteFF-Pol, arXiv:2508.08575; the form goes back to Borodin, J. Phys. Chem. B
113, 11463 (2009), https://doi.org/10.1021/jp905220k.
"""

from __future__ import annotations

import torch
from torch import Tensor


def repulsion_energy(
    r: Tensor, epsilon: Tensor, steepness: Tensor, radius: Tensor, s12: float
) -> Tensor:
    """6·epsilon·exp[lambda·(1 - r/R)] + (s12/r)¹² of each pair.

    Parameters
    ----------
    r
        Distances, Å; (..., n_pairs).
    epsilon
        Energy scale, kcal/mol; (..., n_pairs).
    steepness
        Dimensionless lambda; (..., n_pairs).
    radius
        Van der Waals distance R, Å; (..., n_pairs).
    s12
        Length of the hard core, Å·(kcal/mol)^(1/12).

    Returns
    -------
    Tensor
        kcal/mol; (..., n_pairs).
    """
    core = (s12 / r).square()
    core = core * core * core
    return 6.0 * epsilon * torch.exp(steepness * (1.0 - r / radius)) + core.square()
