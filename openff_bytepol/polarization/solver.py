"""Dipoles at which the energy is lowest, by preconditioned conjugate gradients."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from openff_bytepol.polarization.arrays import Floats, Reals
from openff_bytepol.polarization.checks import catastrophe, unconverged
from openff_bytepol.polarization.response import Response
from openff_bytepol.units import DEBYE_IN_E_ANGSTROM


@dataclass
class Solution:
    """Dipoles on their way to the minimum of m·A·m/2 - m·F.

    Attributes
    ----------
    dipoles
        m, e·Å; (n_atoms, 3).
    residual
        F - A·m, e/Å²; (n_atoms, 3).
    potential
        Of charges and these dipoles on the mesh, e/Å; None without a box.
    iterations
        That led here.
    """

    dipoles: Floats
    residual: Floats
    potential: Reals | None
    iterations: int = 0

    def error(self, alpha: Floats) -> float:
        """Root mean square of the change that a Jacobi step would make, debye."""
        change = alpha * self.residual
        return math.sqrt(float((change**2).sum()) / len(change)) / DEBYE_IN_E_ANGSTROM


def improve(  # noqa: PLR0917
    solution: Solution,
    response: Response,
    alpha: Floats,
    per_alpha: Floats,
    tolerance: float,
    max_iterations: int,
) -> None:
    """Conjugate gradients with a diagonal preconditioner, in place.

    Parameters
    ----------
    solution
        A guess, with its residual and potential.
    response
        Fields of dipoles.
    alpha, per_alpha
        Polarizabilities (Å³) and their inverses; (n_atoms, 1).
    tolerance
        Of the error, debye.
    max_iterations
        Most steps.

    Raises
    ------
    ConvergenceError
        If the tolerance is not reached.
    PolarizationCatastropheError
        If the energy has no minimum.
    """
    no_charges = np.zeros(len(alpha))
    residual = solution.residual
    step = alpha * residual
    weight = float((residual * step).sum())
    while (error := solution.error(alpha)) > tolerance:
        if solution.iterations == max_iterations:
            raise unconverged(alpha * residual, error, max_iterations)
        field = np.zeros_like(step)
        change = response.add_field(no_charges, step, field)
        image = per_alpha * step - field
        curvature = float((step * image).sum())
        if not curvature > 0.0:
            raise catastrophe(step)
        length = weight / curvature
        solution.dipoles += length * step
        residual -= length * image
        if solution.potential is not None and change is not None:
            change *= length
            solution.potential += change
        preconditioned = alpha * residual
        before, weight = weight, float((residual * preconditioned).sum())
        step *= weight / before
        step += preconditioned
        solution.iterations += 1
