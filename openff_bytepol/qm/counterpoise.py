"""Interaction energy of two molecules, each computed in the basis of both.

The counterpoise correction (Boys and Bernardi, https://doi.org/10.1080/00268977000101561):

    E_int = E[AB] - E[A in AB] - E[B in AB],

with the molecules' geometries in the dimer and the dispersion correction of each. The three
share fitted integrals and grid, and start from the molecules' own orbitals: a few iterations
each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.qm.first_order import Orbitals, in_dimer_basis
from openff_bytepol.qm.fragments import merge
from openff_bytepol.qm.levels import Level
from openff_bytepol.qm.mean_field import (
    build_mean_field,
    build_molecule,
    converge,
    dispersion_correction,
)
from openff_bytepol.units import HARTREE_IN_KCAL

TOLERANCE = 1e-5
"""Hartree; between the last two SCF iterations (0.006 kcal/mol)."""


def counterpoise(a: Orbitals, b: Orbitals, level: Level) -> float:
    """Counterpoise-corrected interaction energy, kcal/mol.

    Parameters
    ----------
    a, b
        Closed-shell molecules at their places, with orbitals in the basis of the level.
    level
        Method with dispersion correction, basis, density fitting, grids. ``b3lyp-d3bj`` rather
        than ``b3lyp-d4``: charges of D4 flow between the molecules and change their own
        dispersion energy with it.

    Raises
    ------
    ConvergenceError
        If an SCF does not converge, or atoms lie on top of one another.
    MissingDependencyError
        If PySCF or the program of the dispersion correction is not installed.
    """
    basis = level.basis or ""
    parts = (a.fragment, b.fragment)
    whole = merge(parts)
    molecules = [
        build_molecule(whole, basis),
        build_molecule(parts[0], basis, [parts[1]]),
        build_molecule(parts[1], basis, [parts[0]], 1),
    ]
    orbitals_a, orbitals_b, together = in_dimer_basis(a, b, molecules[0])
    dimer = _field(molecules[0], level)
    energies = [_solve(dimer, together)]
    for molecule, own in zip(molecules[1:], (orbitals_a, orbitals_b), strict=True):
        field = _field(molecule, level)
        field.with_df = dimer.with_df
        if hasattr(field, "grids"):
            field.grids = dimer.grids
        energies.append(_solve(field, own))
    corrections = [dispersion_correction(one, level)[0] for one in (whole, *parts)]
    interaction = energies[0] - energies[1] - energies[2]
    dispersion = corrections[0] - corrections[1] - corrections[2]
    return float((interaction + dispersion) * HARTREE_IN_KCAL)


def _field(molecule: Any, level: Level) -> Any:
    field = build_mean_field(molecule, level)
    field.conv_tol = TOLERANCE
    field.conv_check = False  # no iteration after the last one
    return field


def _solve(field: Any, occupied: NDArray[np.float64]) -> float:
    return converge(field, 2 * occupied @ occupied.T)
