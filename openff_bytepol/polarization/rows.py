"""Pairs within the cutoff and their radial functions, one row per atom."""

from __future__ import annotations

from typing import Any

import numpy as np

from openff_bytepol.polarization.arrays import Floats, Indices, Reals
from openff_bytepol.polarization.neighbours import NeighbourList


class Rows:
    """Storage that `pairs.screen` fills, with room for every neighbour of a list.

    Attributes
    ----------
    index
        Neighbours within the cutoff; (n_atoms, capacity).
    v
        Displacements to them, Å; (3, n_atoms, capacity).
    c3, c5, c7
        Screened, damped radial functions, Å⁻³, Å⁻⁵ and Å⁻⁷; (n_atoms, capacity).
    count
        Length of each row; (n_atoms,).
    """

    def __init__(self, neighbours: NeighbourList, dtype: np.dtype[Any]) -> None:
        shape = neighbours.indices.shape
        self.capacity = shape[1]
        self.dtype = dtype
        self.neighbours = (neighbours.indices, neighbours.n_close, neighbours.n_all)
        self.index: Indices = np.empty(shape, dtype=np.int32)
        self.v: Reals = np.empty((3, *shape), dtype=dtype)
        self.c3, self.c5, self.c7 = (np.empty(shape, dtype=dtype) for _ in range(3))
        self.count: Indices = np.empty(shape[0], dtype=np.int32)

    @property
    def radial(self) -> tuple[Any, ...]:
        """In the order in which `pairs` takes them."""
        return self.index, self.v, self.c3, self.c5, self.c7, self.count

    def by_component(self, dipoles: Floats) -> Reals:
        """Dipoles in the order and precision of these rows; (3, n_atoms)."""
        return np.ascontiguousarray(dipoles.T, dtype=self.dtype)
