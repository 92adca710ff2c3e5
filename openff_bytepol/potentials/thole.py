"""Thole damping of the charge-dipole and dipole-dipole interaction.

Source: Thole, Chem. Phys. 59, 341 (1981), https://doi.org/10.1016/0301-0104(81)85176-2,
in the exponential form of Ren and Ponder, J. Phys. Chem. B 107, 5933 (2003),
https://doi.org/10.1021/jp027815+.
"""

from __future__ import annotations

import torch
from torch import Tensor


def damped_powers(r: Tensor, volume: Tensor, a: float) -> tuple[Tensor, Tensor]:
    """Damped 1/r³ and 3/r⁵, the two radial parts of the dipole interaction.

    With u = a·r³/volume, lambda3 = 1 - exp(-u) and lambda5 = 1 - (1 + u)·exp(-u):

    - charge q_j makes the field -q_j·c3·v at atom i, where v = r_j - r_i;
    - dipole m_j makes the field -T·m_j, with T = c3·1 - c5·v⊗v.

    Parameters
    ----------
    r
        Distances, Å; (..., n_pairs).
    volume
        sqrt(d_i·d_j), Å³; (..., n_pairs).
    a
        Dimensionless Thole constant.

    Returns
    -------
    c3, c5
        lambda3/r³ in Å⁻³ and 3·lambda5/r⁵ in Å⁻⁵; (..., n_pairs).
    """
    square = r.square()
    cube = square * r
    u = a * cube / volume
    lambda3 = -torch.expm1(-u)
    lambda5 = lambda3 - u * (1.0 - lambda3)
    return lambda3 / cube, 3.0 * lambda5 / (cube * square)
