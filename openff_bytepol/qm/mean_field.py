"""PySCF mean fields (https://doi.org/10.1063/5.0006074) of fragments at a level of theory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.exceptions import ConvergenceError, DataError, MissingDependencyError
from openff_bytepol.qm.fragments import Fragment
from openff_bytepol.qm.levels import Level
from openff_bytepol.units import BOHR_IN_ANGSTROM

ENERGY_TOLERANCE = 1e-10
"""Hartree; between the last two SCF iterations."""
MAX_CYCLES = 200
ROUNDING = 1e-8
"""Hartree."""


class Method(NamedTuple):
    """A method taken apart."""

    functional: str
    """``hf`` or a functional."""
    nonlocal_correlation: bool
    """Whether a VV10 term of the functional counts."""
    dispersion: str | None
    """``d3bj`` or ``d4``."""


def parse_method(method: str) -> Method:
    """Functional and dispersion correction of names such as ``wb97m-d3bj``.

    Raises
    ------
    DataError
        If the correction is not D3(BJ) or D4.
    """
    name = method.lower()
    functional, dash, suffix = name.rpartition("-")
    if not dash or not suffix.startswith(("d3", "d4")):
        return Method(name, True, None)
    if suffix not in {"d3bj", "d4"}:
        raise DataError(f"{method}: of dispersion corrections, d3bj and d4 are known")
    if functional in {"wb97m", "wb97x", "b97m"}:
        return Method(f"{functional}-v", False, suffix)
    return Method(functional, False, suffix)


def build_molecule(
    fragment: Fragment, basis: str, ghosts: Sequence[Fragment] = (), ghosts_first: int = 0
) -> Any:
    """PySCF ``Mole``; ``ghosts`` give basis functions only, the first few before the fragment."""
    return build_part(
        [*ghosts[:ghosts_first], fragment, *ghosts[ghosts_first:]], {ghosts_first}, basis
    )


def build_part(fragments: Sequence[Fragment], present: Collection[int], basis: str) -> Any:
    """PySCF ``Mole`` of some of the fragments, with the basis functions of all in their order.

    Parameters
    ----------
    fragments
        The whole cluster.
    present
        Numbers of those that are there; the others are ghosts.
    basis
        Basis set.
    """
    atoms: list[tuple[str, tuple[float, ...]]] = []
    for number, fragment in enumerate(fragments):
        atoms += _atoms(fragment, "" if number in present else "ghost-")
    chosen = [fragments[number] for number in present]
    heavy = {symbol for fragment in chosen for symbol in _heavy(fragment)}
    return _import("pyscf.gto").M(
        atom=atoms,
        unit="Bohr",
        basis=basis,
        ecp=dict.fromkeys(heavy, basis) if basis.startswith("def2") else {},
        charge=sum(fragment.charge for fragment in chosen),
        spin=0,
        verbose=0,
    )


def build_mean_field(molecule: Any, level: Level, functional: str | None = None) -> Any:
    """Restricted HF or Kohn-Sham object, not yet converged, without dispersion correction.

    Parameters
    ----------
    molecule
        PySCF ``Mole``.
    level
        Method, basis, density fitting and grids.
    functional
        Replaces the level's.
    """
    method = parse_method(functional or level.method)
    if method.functional == "hf":
        field = _import("pyscf.scf").RHF(molecule)
    else:
        field = _import("pyscf.dft").RKS(molecule, xc=method.functional)
        field.grids.atom_grid = level.grid
        field.nlcgrids.atom_grid = level.nonlocal_grid
        if not method.nonlocal_correlation:
            field.nlc = False
    if level.auxiliary_basis is not None:
        field = field.density_fit(auxbasis=level.auxiliary_basis)
    field.conv_tol = ENERGY_TOLERANCE
    field.max_cycle = MAX_CYCLES
    field.verbose = 0
    return field


def converge(
    field: Any, density: NDArray[np.float64] | None = None, upper_bound: float = np.inf
) -> float:
    """Solve the SCF equations; second order from ``density`` if DIIS fails. Energy in hartree.

    Parameters
    ----------
    field
        PySCF mean field; holds the solution afterwards.
    density
        Start, (n_ao, n_ao).
    upper_bound
        Energy of the start, hartree; DIIS has failed if it ends above.

    Raises
    ------
    ConvergenceError
        If neither converges.
    """
    field.kernel(dm0=density)
    if not field.converged or field.e_tot > upper_bound + ROUNDING:
        second = field.newton()
        if density is None:
            second.kernel(field.mo_coeff, field.mo_occ)
        else:
            second.kernel(*_natural_orbitals(density, field.get_ovlp()))
        for name in ("mo_coeff", "mo_energy", "mo_occ", "e_tot", "converged"):
            setattr(field, name, getattr(second, name))
    if not field.converged or field.e_tot > upper_bound + ROUNDING:
        raise ConvergenceError(
            f"SCF of {' '.join(field.mol.elements)} did not converge in {MAX_CYCLES} iterations"
        )
    return float(field.e_tot)


def _natural_orbitals(
    density: NDArray[np.float64], overlap: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Orthonormal orbitals and occupations, 2 or 0, of an idempotent density matrix."""
    values, vectors = np.linalg.eigh(overlap)
    root = (vectors * np.sqrt(values)) @ vectors.T
    inverse = (vectors / np.sqrt(values)) @ vectors.T
    occupations, orbitals = np.linalg.eigh(-root @ density @ root)
    return inverse @ orbitals, 2.0 * np.round(-occupations / 2)


def dispersion_correction(
    fragment: Fragment, level: Level, *, gradient: bool = False
) -> tuple[float, NDArray[np.float64]]:
    """Energy (hartree) and gradient (hartree/bohr; zeros unless asked) of D3(BJ) or D4.

    D3(BJ) is pairwise (https://doi.org/10.1002/jcc.21759); D4 with its three-body term
    (https://doi.org/10.1063/1.5090222).
    """
    method = parse_method(level.method)
    zeros = np.zeros((len(fragment.symbols), 3))
    if method.dispersion is None:
        return 0.0, zeros
    name = method.functional.removesuffix("-v")
    numbers = np.array(fragment.atomic_numbers)
    positions = fragment.coordinates / BOHR_IN_ANGSTROM
    if method.dispersion == "d3bj":
        module = _import("dftd3.interface")
        model = module.DispersionModel(numbers, positions)
        damping = module.RationalDampingParam(method=name, atm=False)
    else:
        module = _import("dftd4.interface")
        model = module.DispersionModel(numbers, positions, charge=float(fragment.charge))
        damping = module.DampingParam(method=name)
    result = model.get_dispersion(damping, grad=gradient)
    return float(result["energy"]), np.asarray(result["gradient"]) if gradient else zeros


def _heavy(fragment: Fragment) -> set[str]:
    """Elements for which def2 basis sets come with an effective core potential."""
    pairs = zip(fragment.symbols, fragment.atomic_numbers, strict=True)
    return {symbol for symbol, number in pairs if number > 36}


def _atoms(fragment: Fragment, prefix: str = "") -> list[tuple[str, tuple[float, ...]]]:
    positions = fragment.coordinates / BOHR_IN_ANGSTROM
    return [
        (prefix + symbol, tuple(x)) for symbol, x in zip(fragment.symbols, positions, strict=True)
    ]


def _import(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise MissingDependencyError(
            f"this level of theory needs {package}: pip install 'openff-bytepol[qc]'"
        ) from error
