"""Energy functional of the supersystem, for several density matrices at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Interaction:
    """Two-electron energies and potential of n closed-shell densities, atomic units.

    Attributes
    ----------
    coulomb, exchange_correlation
        (n,)
    potential
        dE/dD, (n, n_ao, n_ao).
    """

    coulomb: Matrix
    exchange_correlation: Matrix
    potential: Matrix


class Functional:
    """What a PySCF mean field makes of given densities.

    Parameters
    ----------
    field
        RHF or RKS object; its grids are built whole, so that every density sees the same.
    """

    def __init__(self, field: Any) -> None:
        self.field = field
        self.kohn_sham = hasattr(field, "xc")
        if self.kohn_sham:
            field.grids.build(with_non0tab=True)
            if field.do_nlc():
                field.nlcgrids.build(with_non0tab=True)

    def __call__(self, densities: Matrix) -> Interaction:
        """Evaluate densities of shape (n, n_ao, n_ao), each twice a projector."""
        coulomb_matrix, exchange_matrix = self._coulomb_and_exchange(densities)
        coulomb = 0.5 * np.einsum("nij,nij->n", coulomb_matrix, densities)
        energy = -0.25 * np.einsum("nij,nij->n", exchange_matrix, densities)
        potential = coulomb_matrix - 0.5 * exchange_matrix
        if self.kohn_sham:
            for i, density in enumerate(densities):
                semilocal, matrix = self._semilocal(density)
                energy[i] += semilocal
                potential[i] += matrix
        return Interaction(coulomb, energy, potential)

    def exchange_correlation(self, densities: Matrix) -> Matrix:
        """Exchange-correlation energies alone, hartree, (n,)."""
        return self(densities).exchange_correlation

    def _coulomb_and_exchange(self, densities: Matrix) -> tuple[Matrix, Matrix]:
        field = self.field
        if not self.kohn_sham:
            coulomb, exchange = field.get_jk(field.mol, densities, hermi=1)
            return np.asarray(coulomb), np.asarray(exchange)
        numint = field._numint
        if not numint.libxc.is_hybrid_xc(field.xc):
            coulomb = np.asarray(field.get_j(field.mol, densities, hermi=1))
            return coulomb, np.zeros_like(coulomb)
        omega, long_range, short_range = numint.rsh_and_hybrid_coeff(field.xc)
        coulomb, exchange = field.get_jk(field.mol, densities, hermi=1)
        exchange = short_range * np.asarray(exchange)
        if omega:
            attenuated = field.get_k(field.mol, densities, hermi=1, omega=omega)
            exchange += (long_range - short_range) * np.asarray(attenuated)
        return np.asarray(coulomb), exchange

    def _semilocal(self, density: Matrix) -> tuple[float, Matrix]:
        field = self.field
        _, energy, matrix = field._numint.nr_rks(field.mol, field.grids, field.xc, density)
        if field.do_nlc():
            _, nonlocal_energy, nonlocal_matrix = field._numint.nr_nlc_vxc(
                field.mol, field.nlcgrids, field.xc, density
            )
            energy, matrix = energy + nonlocal_energy, matrix + nonlocal_matrix
        return float(energy), np.asarray(matrix)
