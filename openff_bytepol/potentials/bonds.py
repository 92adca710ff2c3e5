"""Harmonic bonds."""

from __future__ import annotations

from torch import Tensor


def bond_energy(r: Tensor, k: Tensor, r0: Tensor) -> Tensor:
    """k/2·(r - r0)² of each bond.

    Parameters
    ----------
    r
        Bond lengths, Å; (..., n_bonds).
    k
        Force constants, kcal/mol/Å²; (..., n_bonds).
    r0
        Equilibrium lengths, Å; (..., n_bonds).

    Returns
    -------
    Tensor
        kcal/mol; (..., n_bonds).
    """
    return 0.5 * k * (r - r0).square()
