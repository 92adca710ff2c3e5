"""Solutions of the linear response equations A·mu = F.

A must be positive definite; where it is not, the point-dipole model has no minimum
(Thole, Chem. Phys. 59, 341 (1981), https://doi.org/10.1016/0301-0104(81)85176-2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from openff_bytepol.exceptions import ConvergenceError, PolarizationCatastropheError
from openff_bytepol.potentials.blocks import Block
from openff_bytepol.potentials.response import Response, full_matrices, scaled_matrices


@dataclass(frozen=True)
class SolverOptions:
    """How induced dipoles are found.

    Attributes
    ----------
    method
        ``"dense"``: Cholesky factorization of each response matrix; ``"cg"``: conjugate
        gradients preconditioned by the polarizabilities; ``"auto"``: dense for groups of up
        to ``dense_limit`` atoms.
    dense_limit
        Atoms.
    tolerance
        Conjugate gradients stop when the residual of every group has fallen to this
        fraction of its right-hand side; 1e-10 in float64 and 1e-6 in float32 by default.
    max_iterations
        Of conjugate gradients.
    """

    method: Literal["auto", "dense", "cg"] = "auto"
    dense_limit: int = 400
    tolerance: float | None = None
    max_iterations: int = 200

    def is_dense(self, n_atoms: int) -> bool:
        """Whether groups of ``n_atoms`` atoms are solved by factorization."""
        if self.method == "auto":
            return n_atoms <= self.dense_limit
        return self.method == "dense"


class ResponseSolver:
    """The response matrices of all groups, ready to be applied to fields."""

    def __init__(
        self, blocks: Sequence[Block], response: Response, options: SolverOptions, group: str
    ) -> None:
        """Assemble and factorize.

        Parameters
        ----------
        blocks
            Layout of the groups.
        response
            With one leading axis (m) in every tensor.
        options
            How to solve.
        group
            What a group is ("system", "molecule"), for error messages.

        Raises
        ------
        PolarizationCatastropheError
            If a factorized matrix is not positive definite.
        """
        self._roots = response.polarizabilities.sqrt().unsqueeze(-2)
        self._blocks = blocks
        self._options = options
        self._group = group
        self._matrices = []
        for block in blocks:
            lower = scaled_matrices(block, response)
            if options.is_dense(block.size):
                factor, info = torch.linalg.cholesky_ex(lower)
                if info.any():
                    number = info.nonzero()[0]
                    matrix = lower[number[0], number[1]]
                    mode = torch.linalg.eigh(matrix).eigenvectors[:, 0]
                    raise self._catastrophe(block, number.tolist(), mode)
                self._matrices.append(factor)
            else:
                self._matrices.append(full_matrices(lower))

    def __call__(self, field: Tensor) -> Tensor:
        """A⁻¹·F.

        Parameters
        ----------
        field
            e/Å²; (m, 3, n_atoms).

        Returns
        -------
        Tensor
            e·Å; (m, 3, n_atoms).

        Raises
        ------
        ConvergenceError
            If conjugate gradients did not converge.
        PolarizationCatastropheError
            If conjugate gradients met a direction of negative curvature.
        """
        scaled = self._roots * field
        solution = torch.zeros_like(scaled)
        for block, matrices in zip(self._blocks, self._matrices, strict=True):
            rows = 3 * block.size
            padded = scaled.new_zeros((scaled.shape[0], len(block.groups) * rows))
            chosen = scaled.index_select(-1, block.atoms).flatten(1)
            padded.index_copy_(-1, block.rows.flatten(), chosen)
            right = padded.reshape(-1, len(block.groups), rows, 1)
            if self._options.is_dense(block.size):
                solved = torch.cholesky_solve(right, matrices)
            else:
                solved = self._conjugate_gradients(block, matrices, right)
            values = solved.flatten(1).index_select(-1, block.rows.flatten())
            solution.index_copy_(-1, block.atoms, values.reshape(len(values), 3, -1))
        return self._roots * solution

    def _conjugate_gradients(self, block: Block, matrices: Tensor, right: Tensor) -> Tensor:
        default = 1e-10 if right.dtype == torch.float64 else 1e-6
        tolerance = self._options.tolerance or default
        solution = torch.zeros_like(right)
        residual = direction = right
        square = residual.square().sum(-2, keepdim=True)
        goal = tolerance**2 * square
        for _ in range(self._options.max_iterations):
            active = square > goal
            if not active.any():
                return solution
            product = matrices @ direction
            curvature = (direction * product).sum(-2, keepdim=True)
            failed = (active & (curvature <= 0.0)).flatten(2)[..., 0]
            if failed.any():
                number = failed.nonzero()[0].tolist()
                mode = direction[number[0], number[1], :, 0]
                raise self._catastrophe(block, number, mode)
            step = torch.where(active, square / curvature, 0.0)
            solution = solution + step * direction
            residual = residual - step * product
            previous, square = square, residual.square().sum(-2, keepdim=True)
            direction = residual + torch.where(active, square / previous, 0.0) * direction
        if not (square > goal).any():
            return solution
        error = (square / goal).nan_to_num().flatten(2)[..., 0].amax(0).sqrt() * tolerance
        worst = int(error.argmax())
        raise ConvergenceError(
            f"induced dipoles of {self._group} {int(block.groups[worst])} did not converge in "
            f"{self._options.max_iterations} iterations (relative residual "
            f"{float(error[worst]):.1e}, tolerance {tolerance:.1e}); allow more iterations, "
            "loosen the tolerance, or choose the dense solver"
        )

    def _catastrophe(
        self, block: Block, number: Sequence[int], mode: Tensor
    ) -> PolarizationCatastropheError:
        conformer, matrix = number
        weights = mode.reshape(block.size, 3).square().sum(-1)
        slots = block.rows[0] // 3
        mine = slots // block.size == matrix
        order = weights[slots[mine] % block.size].argsort(descending=True)
        atoms = sorted(block.atoms[mine][order[:2]].tolist())
        return PolarizationCatastropheError(
            f"polarization catastrophe in {self._group} {int(block.groups[matrix])} (conformer "
            f"{conformer}): the induced dipoles of atoms {' and '.join(map(str, atoms))} have no "
            "minimum; these atoms are too close for their polarizabilities, so check the "
            "geometry, or the model's polarizabilities and Thole damping",
            atoms=atoms,
        )
