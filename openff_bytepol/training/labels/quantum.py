"""Dipole, polarizability and electrostatic potential of a molecule, by PySCF.

Kohn-Sham with density fitting (https://doi.org/10.1063/5.0006074). Static
polarizabilities are analytic: the coupled-perturbed equations for three uniform fields,

    (ε_a - ε_i) U_ai + Σ_bj K_ai,bj U_bj = -<a|r|i>,    α = -4 Σ_ai <a|r|i> U_ai.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from openff_bytepol.exceptions import ConvergenceError, MissingDependencyError
from openff_bytepol.units import BOHR_IN_ANGSTROM, HARTREE_IN_KCAL

FloatArray = NDArray[np.float64]

_GRID: Final = 1
_RESPONSE_GRID: Final = 0
"""Ethanol PBE0/def2-SVPD: α changes by 1e-5 of its value from level 2, time by four."""
_KRYLOV_TOLERANCE: Final = 1e-3
_SHELLS: Final = (1.4, 1.6, 1.8, 2.0)
"""Merz-Kollman shells, as multiples of van der Waals radii."""
_DENSITY: Final = 1.0
"""Points per Å² of shell."""


class Response(NamedTuple):
    """First- and second-order electrostatics of one geometry."""

    dipole: FloatArray
    """e·Å, about the mean position of the atoms; (3,)"""
    polarizability: FloatArray
    """Å³, (3, 3)"""
    points: FloatArray
    """Å, (n_points, 3)"""
    potential: FloatArray
    """kcal/mol/e, (n_points,)"""


def response(
    atomic_numbers: NDArray[np.int64],
    coordinates: FloatArray,
    charge: int,
    functional: str,
    basis: str,
) -> Response:
    """Electrostatics of a closed-shell molecule.

    Parameters
    ----------
    atomic_numbers
        (n_atoms,).
    coordinates
        (n_atoms, 3), Å.
    charge
        Total charge, e.
    functional, basis
        As PySCF names them, e.g. ``pbe0`` and ``def2-svpd``.

    Raises
    ------
    MissingDependencyError
        If PySCF is not installed.
    ConvergenceError
        If the SCF does not converge.
    """
    field = _kohn_sham(atomic_numbers, coordinates, charge, functional, basis)
    centre = coordinates.mean(0)
    with field.mol.with_common_origin(centre / BOHR_IN_ANGSTROM):
        positions = field.mol.intor_symmetric("int1e_r", comp=3)
    density = field.make_rdm1()
    electronic = -np.einsum("xpq,qp->x", positions, density) * BOHR_IN_ANGSTROM
    points = shell_points(atomic_numbers, coordinates)
    return Response(
        dipole=electronic + field.mol.atom_charges() @ (coordinates - centre),
        polarizability=_polarizability(field, positions) * BOHR_IN_ANGSTROM**3,
        points=points,
        potential=_potential(field.mol, density, points / BOHR_IN_ANGSTROM) * HARTREE_IN_KCAL,
    )


def _kohn_sham(
    atomic_numbers: NDArray[np.int64],
    coordinates: FloatArray,
    charge: int,
    functional: str,
    basis: str,
) -> Any:
    try:
        from pyscf import dft, gto
    except ImportError as error:
        raise MissingDependencyError("dipoles and polarizabilities: pip install pyscf") from error
    atoms = [(int(z), tuple(x)) for z, x in zip(atomic_numbers, coordinates, strict=True)]
    molecule = gto.M(atom=atoms, basis=basis, charge=charge, verbose=0)
    field = dft.RKS(molecule, xc=functional).density_fit()
    field.grids.level = _GRID
    field.kernel()
    if not field.converged:
        raise ConvergenceError(f"{functional}/{basis} did not converge; try another geometry")
    return field


def _polarizability(field: Any, positions: FloatArray) -> FloatArray:
    from pyscf import dft, lib

    occupied, virtual = (field.mo_coeff[:, mask] for mask in (field.mo_occ > 0, field.mo_occ == 0))
    gaps = field.mo_energy[field.mo_occ == 0][:, None] - field.mo_energy[field.mo_occ > 0]
    dipoles = np.einsum("xpq,pa,qi->xai", positions, virtual, occupied)
    field.grids = dft.gen_grid.Grids(field.mol)
    field.grids.level = _RESPONSE_GRID
    field.grids.build()
    induced = field.gen_response(hermi=1)

    def preconditioned(rotations: FloatArray) -> FloatArray:
        first = 2.0 * np.einsum(
            "xai,pa,qi->xpq", rotations.reshape(-1, *gaps.shape), virtual, occupied
        )
        fock = induced(first + first.transpose(0, 2, 1))
        change: FloatArray = np.einsum("xpq,pa,qi->xai", fock, virtual, occupied) / gaps
        return change.reshape(rotations.shape)

    solved = lib.krylov(
        preconditioned, (-dipoles / gaps).reshape(3, -1), tol=_KRYLOV_TOLERANCE, max_cycle=30
    ).reshape(dipoles.shape)
    tensor: FloatArray = -4.0 * np.einsum("xai,yai->xy", dipoles, solved)
    return 0.5 * (tensor + tensor.T)


def _potential(molecule: Any, density: FloatArray, points: FloatArray) -> FloatArray:
    """Hartree/e at points in bohr."""
    distances = np.linalg.norm(points[:, None] - molecule.atom_coords(), axis=-1)
    nuclear = (molecule.atom_charges() / distances).sum(1)
    parts = [
        np.einsum("gpq,pq->g", molecule.intor("int1e_grids", grids=part), density)
        for part in np.array_split(points, max(1, len(points) // 50))
    ]
    result: FloatArray = nuclear - np.concatenate(parts)
    return result


def shell_points(atomic_numbers: NDArray[np.int64], coordinates: FloatArray) -> FloatArray:
    """Points on 1.4, 1.6, 1.8 and 2.0 times the van der Waals surface, Å; (n, 3).

    Singh and Kollman, J. Comput. Chem. 5, 129 (1984).
    """
    table = Chem.GetPeriodicTable()
    radii = np.array([table.GetRvdw(int(z)) for z in atomic_numbers])
    found = []
    for factor in _SHELLS:
        for centre, radius in zip(coordinates, factor * radii, strict=True):
            sphere = centre + radius * _fibonacci(round(_DENSITY * 4.0 * np.pi * radius**2))
            distances = np.linalg.norm(sphere[:, None] - coordinates, axis=-1)
            found.append(sphere[(distances > factor * radii - 1e-6).all(1)])
    return np.concatenate(found)


def _fibonacci(count: int) -> FloatArray:
    """Nearly even points on the unit sphere, (count, 3)."""
    index = np.arange(count) + 0.5
    polar = 1.0 - 2.0 * index / count
    turn = np.pi * (1.0 + np.sqrt(5.0)) * index
    across = np.sqrt(1.0 - polar**2)
    return np.stack([across * np.cos(turn), across * np.sin(turn), polar], axis=1)
