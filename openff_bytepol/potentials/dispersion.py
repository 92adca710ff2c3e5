"""Dispersion with rational damping.

Source: ByteFF-Pol, arXiv:2508.08575; damping after Becke and Johnson,
J. Chem. Phys. 123, 154101 (2005), https://doi.org/10.1063/1.2065267. The C8 term is ours; its
sqrt(C8/C6) is in proportion to the size of atoms, as it is in the critical radius of Johnson and
Becke, J. Chem. Phys. 124, 174104 (2006), https://doi.org/10.1063/1.2190220.
"""

from __future__ import annotations

from torch import Tensor


def dispersion_energy(
    r: Tensor, c6: Tensor, radius: Tensor, damping: float, c8: float = 0.0
) -> Tensor:
    """-C6/(k·R⁶ + r⁶) - s·R²·C6/(k^(4/3)·R⁸ + r⁸) of each pair.

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
    c8
        Dimensionless s in C8 = s·C6·R².

    Returns
    -------
    Tensor
        kcal/mol; (..., n_pairs).
    """
    r2, radius2 = r.square(), radius.square()
    r6, radius6 = r2 * r2 * r2, radius2 * radius2 * radius2
    energy = -c6 / (damping * radius6 + r6)
    if c8:
        energy = energy - c8 * radius2 * c6 / (damping ** (4 / 3) * radius6 * radius2 + r6 * r2)
    return energy
