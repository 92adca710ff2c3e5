"""Permanent point charges."""

from __future__ import annotations

from torch import Tensor

from openff_bytepol.units import COULOMB


def coulomb_energy(r: Tensor, charge_product: Tensor) -> Tensor:
    """q_i·q_j/(4·pi·eps0·r) of each pair.

    Parameters
    ----------
    r
        Distances, Å; (..., n_pairs).
    charge_product
        q_i·q_j, e²; (..., n_pairs).

    Returns
    -------
    Tensor
        kcal/mol; (..., n_pairs).
    """
    return COULOMB * charge_product / r
