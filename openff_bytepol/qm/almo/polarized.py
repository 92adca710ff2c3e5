"""Polarized fragments: SCF for molecular interactions in the fragments' subspaces.

Stoll, Wagenblast, Preuss, Theor. Chim. Acta 57, 169 (1980),
https://doi.org/10.1007/BF00574903; Khaliullin, Head-Gordon, Bell, J. Chem. Phys. 124, 204105
(2006), https://doi.org/10.1063/1.2191500.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.exceptions import ConvergenceError
from openff_bytepol.qm.almo.frozen import Blocks
from openff_bytepol.qm.almo.functional import Functional

Matrix = NDArray[np.float64]
MAX_CYCLES = 100
ENERGY_TOLERANCE = 1e-9
"""Hartree."""
GRADIENT_TOLERANCE = 1e-5
"""Hartree; largest element of the commutators of fragment Fock matrices and projectors."""


def polarize(
    functional: Functional,
    core_hamiltonian: Matrix,
    overlap: Matrix,
    *,
    subspace: Matrix,
    blocks: Blocks,
    occupied: list[int],
) -> tuple[float, float, Matrix]:
    """Lowest energy of orbitals confined to their fragment's subspace.

    Parameters
    ----------
    functional
        Of the supersystem.
    core_hamiltonian, overlap
        (n_ao, n_ao), atomic units.
    subspace
        (n_ao, n_subspace): fragment after fragment, each orthonormal in itself and with its
        occupied orbitals first.
    blocks
        Columns of ``subspace`` of each fragment.
    occupied
        Number of occupied orbitals of each fragment.

    Returns
    -------
    tuple
        Electronic energy of the frozen and the polarized fragments (hartree), and the
        polarized density matrix (n_ao, n_ao).

    Raises
    ------
    ConvergenceError
        If it does not converge.
    """
    from pyscf.lib.diis import DIIS

    extrapolation = DIIS()
    extrapolation.space = 10
    metric = subspace.T @ overlap @ subspace
    columns = Blocks.of_sizes(occupied)
    orbitals = np.zeros((blocks.size, columns.size))
    for block, column in zip(blocks.slices, columns.slices, strict=True):
        count = column.stop - column.start
        orbitals[block, column][:count] = np.eye(count)
    frozen, previous = np.nan, np.inf
    for cycle in range(MAX_CYCLES):
        projector = orbitals @ _dual(orbitals, metric)
        density = np.asarray(2 * subspace @ projector @ subspace.T)
        interaction = functional(density[None])
        energy = float(
            np.vdot(core_hamiltonian, density)
            + interaction.coulomb[0]
            + interaction.exchange_correlation[0]
        )
        frozen = energy if cycle == 0 else frozen
        potential = core_hamiltonian + interaction.potential[0]
        fock = subspace.T @ potential @ subspace
        effective, errors = _fragment_fock(fock, metric, orbitals, blocks, columns)
        largest = max((abs(error).max() for error in errors if error.size), default=0.0)
        if abs(energy - previous) < ENERGY_TOLERANCE and largest < GRADIENT_TOLERANCE:
            return frozen, energy, density
        previous = energy
        mixed = extrapolation.update(
            np.concatenate([matrix.ravel() for matrix in effective]),
            xerr=np.concatenate([error.ravel() for error in errors]),
        )
        orbitals = _lowest(mixed, blocks, columns)
    raise ConvergenceError(f"polarized fragments: no convergence in {MAX_CYCLES} iterations")


def _fragment_fock(
    fock: Matrix, metric: Matrix, orbitals: Matrix, blocks: Blocks, columns: Blocks
) -> tuple[list[Matrix], list[Matrix]]:
    """Stoll's locally projected Fock matrix of each fragment and its commutator error."""
    dual = _dual(orbitals, metric)
    unoccupied = np.eye(blocks.size) - orbitals @ (dual @ metric)
    matrices, errors = [], []
    for block, column in zip(blocks.slices, columns.slices, strict=True):
        own = orbitals[block, column]
        # Projector of this fragment: its orbitals' duals on the left, the orbitals on the right.
        projector = dual.T[:, column] @ own.T @ metric[block]
        projection = (unoccupied + projector)[:, block]
        matrix = projection.T @ fock @ projection
        occupied = own @ own.T
        matrices.append(matrix)
        errors.append(matrix @ occupied - occupied @ matrix)
    return matrices, errors


def _dual(orbitals: Matrix, metric: Matrix) -> Matrix:
    """Rows that are orthonormal to the orbitals: (C'SC)^-1 C'."""
    return np.asarray(np.linalg.solve(orbitals.T @ metric @ orbitals, orbitals.T))


def _lowest(vector: Matrix, blocks: Blocks, columns: Blocks) -> Matrix:
    """Occupied eigenvectors of each fragment's matrix, in place in the block structure."""
    orbitals = np.zeros((blocks.size, columns.size))
    start = 0
    for block, column in zip(blocks.slices, columns.slices, strict=True):
        size = block.stop - block.start
        matrix = np.asarray(vector[start : start + size * size]).reshape(size, size)
        start += size * size
        _, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
        orbitals[block, column] = vectors[:, : column.stop - column.start]
    return orbitals
