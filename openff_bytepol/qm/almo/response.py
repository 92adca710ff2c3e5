"""Fragment electric-field response functions (FERFs).

Horn, Head-Gordon, J. Chem. Phys. 143, 114111 (2015), https://doi.org/10.1063/1.4930534.
The virtual orbitals that a fragment may use to polarize are those that its coupled-perturbed
equations need for uniform fields and field gradients: three dipole and five quadrupole
perturbations, the "nDQ" set.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
SINGULAR_VALUE_CUTOFF = 1e-4
RESPONSE_TOLERANCE = 1e-8


def polarization_orbitals(field: Any) -> Matrix:
    """Occupied orbitals and FERFs of a converged fragment, orthonormal columns.

    Parameters
    ----------
    field
        Converged restricted PySCF mean field.

    Returns
    -------
    NDArray
        (n_ao, n_occupied + n_ferf); the occupied orbitals come first.
    """
    occupied = field.mo_coeff[:, field.mo_occ > 0]
    virtual = field.mo_coeff[:, field.mo_occ == 0]
    if not virtual.shape[1] or not occupied.shape[1]:
        return np.asarray(occupied)
    responses = _responses(field, occupied, virtual)
    spanned = []
    for response in responses:
        left, values, _ = np.linalg.svd(response, full_matrices=False)
        spanned.append(left[:, values > SINGULAR_VALUE_CUTOFF])
    left, values, _ = np.linalg.svd(np.hstack(spanned), full_matrices=False)
    chosen = left[:, values > SINGULAR_VALUE_CUTOFF]
    return np.hstack([occupied, virtual @ chosen])


def _responses(field: Any, occupied: Matrix, virtual: Matrix) -> Matrix:
    """First-order rotations of virtual with occupied orbitals; (8, n_virtual, n_occupied)."""
    from pyscf.scf import cphf

    potential = field.gen_response(hermi=1)
    shape = (-1, virtual.shape[1], occupied.shape[1])

    def induced(rotation: Matrix) -> Matrix:
        density = 2 * np.einsum("pa,xai,qi->xpq", virtual, rotation.reshape(shape), occupied)
        matrix = potential(density + density.transpose(0, 2, 1))
        return np.asarray(np.einsum("pa,xpq,qi->xai", virtual, matrix, occupied, optimize=True))

    perturbations = np.einsum(
        "pa,xpq,qi->xai", virtual, _multipoles(field.mol), occupied, optimize=True
    )
    solution, _ = cphf.solve(
        induced, field.mo_energy, field.mo_occ, -2 * perturbations,
        max_cycle=100, tol=RESPONSE_TOLERANCE, verbose=0,
    )  # fmt: skip
    return np.asarray(solution)


def _multipoles(molecule: Any) -> Matrix:
    """Integrals of x, y, z and the five solid-harmonic quadrupoles, (8, n_ao, n_ao)."""
    masses = molecule.atom_mass_list()
    center = masses @ molecule.atom_coords() / masses.sum()
    with molecule.with_common_orig(center):
        dipole = molecule.intor_symmetric("int1e_r", comp=3)
        second = molecule.intor_symmetric("int1e_rr", comp=9)
    xx, xy, xz, _, yy, yz, _, _, zz = second
    quadrupole = [
        np.sqrt(3.0) * xy,
        np.sqrt(3.0) * yz,
        zz - 0.5 * (xx + yy),
        np.sqrt(3.0) * xz,
        np.sqrt(0.75) * (xx - yy),
    ]
    return np.concatenate([dipole, np.stack(quadrupole)])
