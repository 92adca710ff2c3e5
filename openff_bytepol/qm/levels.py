"""Levels of theory by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from openff_bytepol.exceptions import DataError

Program = Literal["pyscf", "tblite", "psi4", "qchem", "gpu4pyscf"]
Kind = Literal["gradient", "almo-eda", "sapt", "first-order", "counterpoise", "three-body"]


@dataclass(frozen=True)
class Level:
    """How something is computed.

    Attributes
    ----------
    name
        Unique name, as campaigns and label files give it.
    kind
        ``gradient`` (energy, gradient and dipole of molecules), ``almo-eda`` and ``sapt``
        (interaction energies in components), ``first-order`` (electrostatics and exchange),
        ``counterpoise`` (totals only), ``three-body`` (the non-additive part of totals).
    program
        Default program; the Q-Chem and gpu4pyscf routes of an ALMO-EDA level are chosen
        where the label is made.
    method
        ``hf``, ``mp2`` (three-body energies alone), or a functional as PySCF names it, with
        ``-d3bj`` or ``-d4`` appended for a
        dispersion correction (``wb97m-d3bj`` and ``wb97x-d3bj`` replace VV10 by D3(BJ));
        ``gfn2-xtb`` or ``gfn1-xtb`` for tblite; ``sapt0`` for Psi4.
    basis
        Basis set; None for tight binding.
    auxiliary_basis
        Basis of density fitting in PySCF; None for exact integrals.
    grid
        Radial shells and Lebedev points of each atom.
    nonlocal_grid
        The same for VV10.
    """

    name: str
    kind: Kind
    program: Program
    method: str
    basis: str | None = None
    auxiliary_basis: str | None = "def2-universal-jkfit"
    grid: tuple[int, int] = (75, 302)
    nonlocal_grid: tuple[int, int] = (50, 194)


LEVELS: Final = {
    level.name: level
    for level in (
        Level("gfn2-xtb", "gradient", "tblite", "gfn2-xtb", auxiliary_basis=None),
        Level("wb97x-d3bj/def2-svp", "gradient", "pyscf", "wb97x-d3bj", "def2-svp"),
        Level("wb97m-d3bj/def2-tzvpd", "gradient", "pyscf", "wb97m-d3bj", "def2-tzvpd"),
        Level("wb97m-v/def2-tzvpd", "gradient", "pyscf", "wb97m-v", "def2-tzvpd"),
        Level("sapt0/jun-cc-pvdz", "sapt", "psi4", "sapt0", "jun-cc-pvdz", None),
        Level("almo-eda hf/def2-svp", "almo-eda", "pyscf", "hf", "def2-svp"),
        Level("almo-eda wb97m-d3bj/def2-svp", "almo-eda", "pyscf", "wb97m-d3bj", "def2-svp"),
        Level("almo-eda wb97m-d3bj/def2-tzvpd", "almo-eda", "pyscf", "wb97m-d3bj", "def2-tzvpd"),
        Level("almo-eda wb97m-v/def2-tzvpd", "almo-eda", "pyscf", "wb97m-v", "def2-tzvpd"),
    )
}
"""Levels that need no definition; ByteFF-Pol's labels are ``almo-eda wb97m-v/def2-tzvpd``."""


def find_level(name: str) -> Level:
    """Level by name.

    Raises
    ------
    DataError
        If there is none; the message lists them.
    """
    if name not in LEVELS:
        raise DataError(f"no level '{name}'; there are {', '.join(LEVELS)}")
    return LEVELS[name]
