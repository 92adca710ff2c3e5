"""Frozen fragments together: orthogonal decomposition of their density.

Horn, Mao, Head-Gordon, J. Chem. Phys. 144, 114107 (2016),
https://doi.org/10.1063/1.4942921. The projector P on the fragments' occupied orbitals is
split into orthogonal fragment projectors, P = Σ P_A, so that Σ E_A[P_A] is lowest, E_A
being the energy of fragment A's electrons with its own nuclei.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.sparse.linalg import LinearOperator, cg

from openff_bytepol.exceptions import ConvergenceError
from openff_bytepol.qm.almo.functional import Functional

Matrix = NDArray[np.float64]
MAX_CYCLES = 60
ENERGY_TOLERANCE = 1e-10
"""Hartree."""


class Blocks(NamedTuple):
    """Columns that belong to each fragment."""

    slices: tuple[slice, ...]
    size: int

    @classmethod
    def of_sizes(cls, sizes: list[int]) -> Blocks:
        """Consecutive blocks."""
        ends = np.cumsum([0, *sizes])
        return cls(tuple(slice(int(a), int(b)) for a, b in pairwise(ends)), int(ends[-1]))

    def between(self) -> NDArray[np.bool_]:
        """True for elements between different blocks; (size, size)."""
        mask = np.ones((self.size, self.size), dtype=bool)
        for block in self.slices:
            mask[block, block] = False
        return mask


def orthogonalize(orbitals: Matrix, overlap: Matrix) -> Matrix:
    """Symmetrically orthogonalized orbitals, in columns."""
    values, vectors = np.linalg.eigh(orbitals.T @ overlap @ orbitals)
    if values[0] < 1e-6:
        raise ConvergenceError(
            "the occupied orbitals of the fragments are linearly dependent; are atoms of "
            "different fragments on top of one another?"
        )
    return np.asarray(orbitals @ (vectors / np.sqrt(values)) @ vectors.T)


def decompose_frozen(
    functional: Functional, core_hamiltonians: Matrix, orbitals: Matrix, blocks: Blocks
) -> Matrix:
    """Occupied orbitals of the orthogonal fragments of lowest energy.

    Newton steps whose second derivative leaves out the response of the Fock matrices.

    Parameters
    ----------
    functional
        Of the supersystem.
    core_hamiltonians
        Kinetic energy and attraction by each fragment's nuclei; (n_fragments, n_ao, n_ao).
    orbitals
        Orthonormal start, (n_ao, n_occupied), fragment after fragment.
    blocks
        Columns of each fragment.

    Raises
    ------
    ConvergenceError
        If the energy still changes after 60 iterations.
    """
    previous = np.inf
    for _ in range(MAX_CYCLES):
        densities = np.stack([2 * orbitals[:, b] @ orbitals[:, b].T for b in blocks.slices])
        interaction = functional(densities)
        one_electron = np.einsum("nij,nij->", core_hamiltonians, densities)
        energy = one_electron + (interaction.coulomb + interaction.exchange_correlation).sum()
        if abs(energy - previous) < ENERGY_TOLERANCE:
            return orbitals
        previous = energy
        fock = core_hamiltonians + interaction.potential
        rotation = _newton_step(orbitals.T @ fock @ orbitals, blocks)
        orbitals = orbitals @ expm(rotation)
    raise ConvergenceError(f"orthogonal decomposition: no convergence in {MAX_CYCLES} iterations")


def _newton_step(fock: Matrix, blocks: Blocks) -> Matrix:
    """Antisymmetric X that minimizes Σ_A tr(p_A e^-X f_A e^X) to second order.

    With p_A the projector on block A, the gradient is Σ [p_A, f_A] and the second
    derivative in direction X is Σ [p_A, [f_A, X]] + [[X, p_A], f_A].
    """
    mask = blocks.between()
    upper = np.triu(mask)
    projectors = np.zeros_like(fock)
    for projector, block in zip(projectors, blocks.slices, strict=True):
        projector[block, block] = np.eye(block.stop - block.start)

    def unpack(vector: Matrix) -> Matrix:
        matrix = np.zeros(mask.shape)
        matrix[upper] = vector
        return np.asarray(matrix - matrix.T)

    def derivative(vector: Matrix) -> Matrix:
        x = unpack(vector.ravel())
        inner = _commutator(projectors, _commutator(fock, x)) + _commutator(
            _commutator(x, projectors), fock
        )
        return np.asarray(-0.5 * inner.sum(0)[upper])

    diagonal = np.einsum("aii->ai", fock)
    owner = projectors.diagonal(axis1=1, axis2=2).argmax(0)
    own = diagonal[owner, np.arange(blocks.size)]
    exchanged = diagonal[owner]
    gaps = (exchanged + exchanged.T - own[:, None] - own[None, :])[upper]
    gradient = _commutator(projectors, fock).sum(0)[upper]
    shape = (len(gradient), len(gradient))
    preconditioner = 1 / np.maximum(np.abs(gaps), 0.1)
    step, _ = cg(
        LinearOperator(shape, matvec=derivative, dtype=float),
        gradient,
        rtol=1e-6,
        M=LinearOperator(shape, matvec=lambda v: preconditioner * v.ravel(), dtype=float),
        maxiter=200,
    )
    return unpack(step)


def _commutator(a: Matrix, b: Matrix) -> Matrix:
    return np.asarray(a @ b - b @ a)
