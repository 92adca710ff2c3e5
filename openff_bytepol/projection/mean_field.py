"""Dipoles induced in a molecule by itself and by the medium around it.

Gas phase: the polarizable model's own induced dipoles, A·mu = F with A = 1/alpha + T (Thole
damping) and F the field of the molecule's charges, 1-2 and 1-3 pairs excluded and 1-4 pairs
scaled.

Liquid: the same equations in the reaction field of a continuum of relative permittivity
eps_r. In the generalized Kirkwood approximation (Schnieders and Ponder, J. Chem. Theory
Comput. 3, 2083 (2007), https://doi.org/10.1021/ct7001336) a charge q_j and a dipole mu_j have
at atom i the reaction field

    F_i = -tau·q_j·v/f³ + tau·[mu_j/f³ - 3·(1 - e/c)·v·(v·mu_j)/f⁵],   v = r_i - r_j,
    f² = r² + a_i·a_j·e,   e = exp[-r²/(c·a_i·a_j)],   tau = 2·(eps_r - 1)/(2·eps_r + 1),

for all pairs including i = j, with a the effective Born radii: for a single atom this is
Onsager's reaction field in a sphere of radius a. The dipoles are solved self-consistently.

Fixed charges stand for a molecule polarized by its surroundings, but their energy does not
pay for polarizing it. In linear response that work is half of the interaction gained, so
the molecule halfway between gas and liquid has the right energy in the liquid: IPolQ
(Cerutti, Rice, Swope and Case, J. Phys. Chem. B 117, 2328 (2013),
https://doi.org/10.1021/jp311851r); Karamertzanis, Raiteri and Galindo, J. Chem. Theory
Comput. 6, 1590 (2010), https://doi.org/10.1021/ct900693q.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

from openff_bytepol.exceptions import PolarizationCatastropheError
from openff_bytepol.projection.born import born_radii
from openff_bytepol.projection.source import Source

Floats = NDArray[np.float64]

_GK: Final = 2.455
"""c of the generalized Kirkwood function, fitted to Poisson's equation (Schnieders 2007)."""


class GasResponse(NamedTuple):
    """Polarization response of one conformer.

    Attributes
    ----------
    matrix, inverse
        A and its inverse, Å⁻³ and Å³; (3·n_atoms, 3·n_atoms), atom by atom.
    field
        Of the charges at the atoms, e/Å²; (n_atoms, 3).
    """

    matrix: Floats
    inverse: Floats
    field: Floats

    @property
    def dipoles(self) -> Floats:
        """Induced dipoles of the gas phase, e·Å; (n_atoms, 3)."""
        return (self.inverse @ self.field.ravel()).reshape(-1, 3)


def gas_response(source: Source, xyz: Floats) -> GasResponse:
    """Response of the isolated molecule.

    Parameters
    ----------
    source
        The molecule.
    xyz
        One conformer, Å; (n_atoms, 3).

    Raises
    ------
    PolarizationCatastropheError
        If induced dipoles have no minimum.
    """
    vectors = xyz[:, None] - xyz
    square = (vectors * vectors).sum(axis=-1)
    np.fill_diagonal(square, 1.0)
    cube = square * np.sqrt(square)
    root = np.sqrt(source.dampings)
    u = source.settings.thole * cube / (root[:, None] * root)
    decay = np.exp(-u)
    c3 = (1.0 - decay) / cube
    c5 = 3.0 * (1.0 - (1.0 + u) * decay) / (cube * square)
    np.fill_diagonal(c3, 0.0)
    scale = np.array([0.0, 0.0, 0.0, source.settings.induction_14, 1.0])
    sources = scale[np.minimum(source.distances, 4)] * c3 * source.charges
    field = sources.sum(axis=1)[:, None] * xyz - sources @ xyz
    matrix = _blocks(c3, c5, vectors)
    matrix[np.diag_indices(len(matrix))] += np.repeat(1.0 / source.polarizabilities, 3)
    inverse, _ = dpotri(_factorize(source, matrix), lower=True)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    return GasResponse(matrix, inverse, field)


def liquid_dipoles(source: Source, xyz: Floats, gas: GasResponse, permittivity: float) -> Floats:
    """Induced dipoles in the self-consistent reaction field of a continuum.

    Parameters
    ----------
    source
        The molecule.
    xyz
        One conformer, Å; (n_atoms, 3).
    gas
        Its response in the gas phase.
    permittivity
        Relative permittivity of the continuum.

    Returns
    -------
    ndarray
        e·Å; (n_atoms, 3).

    Raises
    ------
    PolarizationCatastropheError
        If induced dipoles have no minimum.
    """
    tau = 2.0 * (permittivity - 1.0) / (2.0 * permittivity + 1.0)
    vectors = xyz[:, None] - xyz
    square = (vectors * vectors).sum(axis=-1)
    radii = born_radii(source.atomic_numbers, square)
    product = radii[:, None] * radii
    decay = np.exp(-square / (_GK * product))
    f2 = square + product * decay
    c3 = tau / (f2 * np.sqrt(f2))
    sources = c3 * source.charges
    field = gas.field - (sources.sum(axis=1)[:, None] * xyz - sources @ xyz)
    reaction = _blocks(c3, 3.0 * (1.0 - decay / _GK) * c3 / f2, vectors)
    dipoles, _ = dpotrs(_factorize(source, gas.matrix - reaction), field.ravel(), lower=True)
    moments: Floats = dipoles.reshape(-1, 3)
    return moments


def _factorize(source: Source, matrix: Floats) -> Floats:
    """Lower Cholesky factor; the upper triangle is not defined."""
    factor: Floats
    factor, failed = dpotrf(matrix, lower=True)
    if failed:
        raise PolarizationCatastropheError(
            f"the induced dipoles of molecule '{source.smiles}' have no minimum: its "
            "polarizabilities are too large for its Thole damping; use other parameters"
        )
    return factor


def _blocks(c3: Floats, c5: Floats, vectors: Floats) -> Floats:
    """Matrix of 3×3 blocks c3·1 - c5·v⊗v."""
    n_atoms = len(c3)
    blocks = np.empty((n_atoms, 3, n_atoms, 3))
    for a in range(3):
        weighted = -c5 * vectors[..., a]
        for b in range(a, 3):
            blocks[:, a, :, b] = blocks[:, b, :, a] = weighted * vectors[..., b]
        blocks[:, a, :, a] += c3
    return blocks.reshape(3 * n_atoms, 3 * n_atoms)
