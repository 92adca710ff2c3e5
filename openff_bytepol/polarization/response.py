"""Fields of charges and dipoles at given positions."""

from __future__ import annotations

import math
from dataclasses import dataclass

from openff_bytepol.polarization import pairs
from openff_bytepol.polarization.arrays import Floats, Reals
from openff_bytepol.polarization.clock import Clock
from openff_bytepol.polarization.mesh import Mesh
from openff_bytepol.polarization.rows import Rows


@dataclass(frozen=True)
class Response:
    """What dipoles feel of charges and of each other.

    Attributes
    ----------
    rows
        Pairs in real space.
    mesh
        Of reciprocal space; None without a box.
    kappa
        Screening, 1/Å; 0 without a box.
    clock
        Of the parts.
    """

    rows: Rows
    mesh: Mesh | None
    kappa: float
    clock: Clock

    def add_field(self, charges: Floats, dipoles: Floats, field: Floats) -> Reals | None:
        """Add the field of dipoles, and of charges on the mesh, to a field.

        The field of charges in real space is `pairs.screen`'s.

        Parameters
        ----------
        charges
            e; (n_atoms,).
        dipoles
            e·Å; (n_atoms, 3).
        field
            e/Å²; (n_atoms, 3), changed in place.

        Returns
        -------
        numpy.ndarray or None
            Their potential on the mesh, e/Å.
        """
        rows, mesh = self.rows, self.mesh
        with self.clock("real-space fields"):
            index, v, c3, c5, _, count = rows.radial
            pairs.dipole_field(index, v, c3, c5, count, rows.by_component(dipoles), field)
        if mesh is None:
            return None
        field += (4.0 * self.kappa**3 / (3.0 * math.sqrt(math.pi))) * dipoles  # of itself
        potential = mesh.potential(charges, dipoles)
        mesh.field(potential, field)
        return potential
