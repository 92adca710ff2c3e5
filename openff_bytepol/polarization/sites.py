"""Charges and polarizabilities that interact, and how."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.exceptions import ParameterError
from openff_bytepol.polarization.arrays import Floats


@dataclass(frozen=True)
class Sites:
    """Polarizable point charges.

    Attributes
    ----------
    charges
        e; (n_atoms,).
    polarizabilities
        Å³; (n_atoms,).
    dampings
        Volumes d of the Thole damping 1 - exp(-thole·r³/sqrt(d_i·d_j)), Å³; (n_atoms,).
    thole
        Dimensionless.
    near_pairs
        Atoms whose charges act on each other, or on each other's dipoles, with other factors
        than 1; (n_pairs, 2), each pair once.
    charge_scales
        Factors on charge-charge energies of those pairs; (n_pairs,).
    field_scales
        Factors on the field of a charge at the other atom's dipole; (n_pairs,).
    """

    charges: Floats
    polarizabilities: Floats
    dampings: Floats
    thole: float
    near_pairs: NDArray[np.int64]
    charge_scales: Floats
    field_scales: Floats

    def __post_init__(self) -> None:
        n_atoms, n_pairs = len(self.charges), len(self.near_pairs)
        shapes = {
            "polarizabilities": (self.polarizabilities, (n_atoms,)),
            "dampings": (self.dampings, (n_atoms,)),
            "near_pairs": (self.near_pairs, (n_pairs, 2)),
            "charge_scales": (self.charge_scales, (n_pairs,)),
            "field_scales": (self.field_scales, (n_pairs,)),
        }
        for name, (values, shape) in shapes.items():
            if values.shape != shape:
                raise ParameterError(f"{name} have the shape {values.shape}, not {shape}")
        for name in ("polarizabilities", "dampings"):
            values = getattr(self, name)
            if not np.isfinite(values).all() or (values < 0.0).any():
                raise ParameterError(f"{name} are negative or not finite")
        if not np.isfinite(self.charges).all():
            raise ParameterError("charges are not finite")
        if n_pairs and not (0 <= self.near_pairs.min() <= self.near_pairs.max() < n_atoms):
            raise ParameterError(f"near_pairs name atoms beyond {n_atoms}")

    def repeated(self, copies: int) -> Sites:
        """Several copies of these sites, one after another."""
        shifts = self.n_atoms * np.arange(copies)
        return Sites(
            charges=np.tile(self.charges, copies),
            polarizabilities=np.tile(self.polarizabilities, copies),
            dampings=np.tile(self.dampings, copies),
            thole=self.thole,
            near_pairs=(self.near_pairs + shifts[:, None, None]).reshape(-1, 2),
            charge_scales=np.tile(self.charge_scales, copies),
            field_scales=np.tile(self.field_scales, copies),
        )

    @property
    def n_atoms(self) -> int:
        """Number of sites."""
        return len(self.charges)
