"""Between QCEngine's records and this package's calculations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from rdkit import Chem

from openff_bytepol.exceptions import DataError
from openff_bytepol.qm import Fragment, Level
from openff_bytepol.units import BOHR_IN_ANGSTROM

if TYPE_CHECKING:
    from qcelemental.models.v2 import AtomicInput, AtomicResult, Molecule

_GRIDS = ("grid", "nonlocal_grid")
KEYWORDS = {*_GRIDS, "auxiliary_basis"}
"""Keywords of PySCF levels in a record's specification."""


def fragments_of(molecule: Molecule) -> tuple[Fragment, ...]:
    """The molecule's fragments, atoms in fragment order.

    Raises
    ------
    DataError
        If it holds ghost atoms or open shells.
    """
    if not np.all(molecule.real):
        raise DataError("molecules with ghost atoms are not computed by this program")
    symbols = np.asarray(molecule.symbols)
    positions = np.asarray(molecule.geometry).reshape(-1, 3) * BOHR_IN_ANGSTROM
    return tuple(
        Fragment(tuple(str(s) for s in symbols[atoms]), positions[atoms], round(charge))
        for atoms, charge in zip(molecule.fragments, molecule.fragment_charges, strict=True)
    )


def whole_of(molecule: Molecule) -> Fragment:
    """The whole molecule, atoms in record order; errors as `fragments_of`."""
    if not np.all(molecule.real):
        raise DataError("molecules with ghost atoms are not computed by this program")
    return Fragment(
        tuple(str(symbol) for symbol in molecule.symbols),
        np.asarray(molecule.geometry).reshape(-1, 3) * BOHR_IN_ANGSTROM,
        round(molecule.molecular_charge),
    )


def real_and_ghosts(molecule: Molecule) -> tuple[Fragment, Fragment]:
    """Atoms that are there, and ghost atoms (without electrons)."""
    table = Chem.GetPeriodicTable()
    symbols = np.asarray([str(symbol) for symbol in molecule.symbols])
    positions = np.asarray(molecule.geometry).reshape(-1, 3) * BOHR_IN_ANGSTROM
    real = np.asarray(molecule.real, dtype=bool)
    nuclei = sum(table.GetAtomicNumber(str(symbol)) for symbol in symbols[~real])
    return (
        Fragment(tuple(symbols[real]), positions[real], round(molecule.molecular_charge)),
        Fragment(tuple(symbols[~real]), positions[~real], nuclei),
    )


def level_of(
    data: AtomicInput, program: Any, kind: Any, other_keywords: frozenset[str] = frozenset()
) -> Level:
    """Level of theory of a record: model and keywords.

    Raises
    ------
    DataError
        If a keyword is unknown, since ignoring one would label something else.
    """
    model, keywords = data.specification.model, dict(data.specification.keywords)
    unknown = set(keywords) - KEYWORDS - other_keywords
    if unknown:
        raise DataError(
            f"{program}: unknown keywords {sorted(unknown)}; there are "
            f"{sorted(KEYWORDS | other_keywords)}"
        )
    options: dict[str, Any] = {name: tuple(keywords[name]) for name in _GRIDS if name in keywords}
    if "auxiliary_basis" in keywords:
        options["auxiliary_basis"] = keywords["auxiliary_basis"]
    return Level(
        name=f"{model.method}/{model.basis}",
        kind=kind,
        program=program,
        method=str(model.method).lower(),
        basis=model.basis if isinstance(model.basis, str) else None,
        **options,
    )


def atomic_result(
    data: AtomicInput,
    return_result: Any,
    properties: Mapping[str, Any],
    *,
    creator: str,
    version: str,
    cores: int,
    variables: Mapping[str, Any] | None = None,
) -> AtomicResult:
    """A successful record.

    Parameters
    ----------
    data
        What was asked.
    return_result
        Hartree, hartree/bohr or properties, by the driver.
    properties
        QCSchema properties, atomic units.
    creator, version, cores
        Program and its threads.
    variables
        Further named values, atomic units.
    """
    from qcelemental.models.v2 import AtomicResult

    return AtomicResult(
        input_data=data,
        molecule=data.molecule,
        properties={"calcinfo_natom": len(data.molecule.symbols), **properties},
        return_result=return_result,
        success=True,
        provenance={"creator": creator, "version": version, "nthreads": cores},
        extras={"qcvars": dict(variables or {})},
    )
