"""Energy, gradient and dipole of one molecule, in this process."""

from __future__ import annotations

import numpy as np

from openff_bytepol.exceptions import ConvergenceError, DataError, MissingDependencyError
from openff_bytepol.qm.fragments import Fragment
from openff_bytepol.qm.levels import Level
from openff_bytepol.qm.mean_field import (
    build_mean_field,
    build_molecule,
    converge,
    dispersion_correction,
)
from openff_bytepol.qm.results import SinglePoint
from openff_bytepol.units import BOHR_IN_ANGSTROM, HARTREE_IN_KCAL

TIGHT_BINDING = {"gfn1-xtb": "GFN1-xTB", "gfn2-xtb": "GFN2-xTB"}


def single_point(fragment: Fragment, level: Level) -> SinglePoint:
    """Energy, gradient and dipole with the level's program.

    Raises
    ------
    ConvergenceError
        If the SCF does not converge.
    DataError
        If the level's program is neither PySCF nor tblite.
    MissingDependencyError
        If the program is not installed.
    """
    if level.program == "pyscf":
        return _pyscf(fragment, level)
    if level.program == "tblite":
        return _tblite(fragment, level)
    raise DataError(f"level '{level.name}': {level.program} does not run in this process")


def energy_with_ghosts(fragment: Fragment, ghosts: Fragment, level: Level) -> tuple[float, int]:
    """Energy of a molecule that may use basis functions of absent atoms, with PySCF.

    Parameters
    ----------
    fragment, ghosts
        Atoms that are there, and those of which only the basis functions are.
    level
        Method, basis, density fitting and grids.

    Returns
    -------
    tuple
        Energy (kcal/mol) and number of basis functions.

    Raises
    ------
    ConvergenceError
        If the SCF does not converge.
    DataError
        If the level is not one of PySCF.
    """
    if level.program != "pyscf" or level.basis is None:
        raise DataError(f"level '{level.name}': ghost atoms need PySCF and a basis set")
    molecule = build_molecule(fragment, level.basis, [ghosts])
    energy = converge(build_mean_field(molecule, level))
    correction, _ = dispersion_correction(fragment, level)
    return (energy + correction) * HARTREE_IN_KCAL, int(molecule.nao)


def _pyscf(fragment: Fragment, level: Level) -> SinglePoint:
    if level.basis is None:
        raise DataError(f"level '{level.name}' has no basis set")
    molecule = build_molecule(fragment, level.basis)
    field = build_mean_field(molecule, level)
    energy = converge(field)
    slope = field.nuc_grad_method()
    slope.verbose = 0
    if hasattr(field, "xc"):
        # The weights' own derivative: without it forces on an atom pair do not cancel.
        slope.grid_response = True
    gradient = slope.kernel()
    correction, correction_gradient = dispersion_correction(fragment, level, gradient=True)
    dipole = np.asarray(field.dip_moment(unit="AU", verbose=0)) * BOHR_IN_ANGSTROM
    import pyscf

    return SinglePoint(
        energy=(energy + correction) * HARTREE_IN_KCAL,
        gradient=(gradient + correction_gradient) * HARTREE_IN_KCAL / BOHR_IN_ANGSTROM,
        dipole=dipole - fragment.charge * fragment.coordinates.mean(0),
        program="pyscf",
        version=str(pyscf.__version__),
        method=level.method,
        basis=level.basis,
        basis_functions=int(molecule.nao),
    )


def _ignore(message: str) -> None:
    """Where tblite's log goes; workers of compute managers have no standard output."""


def _tblite(fragment: Fragment, level: Level) -> SinglePoint:
    """GFN-xTB (https://doi.org/10.1021/acs.jctc.8b01176) with tblite."""
    try:
        from tblite import interface
        from tblite.exceptions import TBLiteRuntimeError
        from tblite.library import get_version
    except ImportError as error:
        raise MissingDependencyError(
            "GFN2-xTB needs tblite: pip install 'openff-bytepol[qc]'"
        ) from error
    if level.method not in TIGHT_BINDING:
        raise DataError(f"tblite: no method '{level.method}'; use {', '.join(TIGHT_BINDING)}")
    calculator = interface.Calculator(
        TIGHT_BINDING[level.method],
        np.array(fragment.atomic_numbers),
        fragment.coordinates / BOHR_IN_ANGSTROM,
        charge=float(fragment.charge),
        color=False,
        logger=_ignore,
    )
    calculator.set("verbosity", 0)
    try:
        result = calculator.singlepoint()
    except TBLiteRuntimeError as error:
        raise ConvergenceError(f"tblite, {' '.join(fragment.symbols)}: {error}") from error
    dipole = np.asarray(result.get("dipole")) * BOHR_IN_ANGSTROM
    return SinglePoint(
        energy=float(result.get("energy")) * HARTREE_IN_KCAL,
        gradient=np.asarray(result.get("gradient")) * HARTREE_IN_KCAL / BOHR_IN_ANGSTROM,
        dipole=dipole - fragment.charge * fragment.coordinates.mean(0),
        program="tblite",
        version=".".join(str(part) for part in get_version()),
        method=level.method,
        basis=None,
    )
