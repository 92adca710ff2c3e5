"""Electrostatics and exchange of two molecules whose densities do not relax.

The Heitler-London energy: the two molecules' occupied orbitals, orthogonalized together,
have the Hartree-Fock energy E[AB]; then

    E_elst + E_exch = E[AB] - E[A] - E[B],

with E_elst the Coulomb interaction of the two unchanged charge distributions. With Kohn-Sham
orbitals this is what ALMO-EDA calls electrostatics + Pauli with Hartree-Fock as the
dispersion-free functional (Mao and co-workers, https://doi.org/10.1146/annurev-physchem-090419-115149),
and it follows the first-order energy of DFT-SAPT (Hesselmann and co-workers,
https://doi.org/10.1063/1.1824898) closely, for a small part of the cost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.exceptions import DataError
from openff_bytepol.qm.almo.frozen import orthogonalize
from openff_bytepol.qm.fragments import Fragment, merge
from openff_bytepol.qm.levels import Level
from openff_bytepol.qm.mean_field import build_mean_field, build_molecule, converge
from openff_bytepol.units import HARTREE_IN_KCAL

Matrix = NDArray[np.float64]
_HARTREE_FOCK = "hf"
KRYPTON = 36
ORBITAL_TOLERANCE = 1e-7
"""Hartree; between the last two SCF iterations of a monomer."""


@dataclass(frozen=True)
class FirstOrder:
    """First-order interaction energies, kcal/mol."""

    electrostatics: float
    exchange: float


@dataclass(frozen=True, eq=False)
class Orbitals:
    """A molecule at a place, with its occupied orbitals."""

    fragment: Fragment
    level: Level
    coefficients: Matrix
    """(n_ao, n_occupied), in the basis of the level."""

    def moved(self, rotation: Matrix, translation: Matrix) -> Orbitals:
        """The molecule elsewhere, at the price of a rotation instead of an SCF.

        Parameters
        ----------
        rotation
            (3, 3) proper rotation R; coordinates become x·Rᵀ + t.
        translation
            t, (3,), Å.
        """
        from pyscf.gto.mole import ao_rotation_matrix

        # PySCF 2 turns basis functions by the transpose of what it turns coordinates by
        molecule = build_molecule(self.fragment, self.level.basis or "")
        turn = ao_rotation_matrix(molecule, rotation.T)
        coordinates = self.fragment.coordinates @ rotation.T + translation
        placed = replace(self.fragment, coordinates=coordinates)
        return Orbitals(placed, self.level, turn @ self.coefficients)


def occupied_orbitals(fragment: Fragment, level: Level) -> Orbitals:
    """Orbitals of a molecule on its own.

    Parameters
    ----------
    fragment
        Closed shell.
    level
        Its functional and basis; density fitting is needed (``auxiliary_basis``).

    Raises
    ------
    DataError
        If the level has no density fitting, or an element would need a core potential.
    ConvergenceError
        If the SCF does not converge.
    MissingDependencyError
        If PySCF is not installed.
    """
    if level.auxiliary_basis is None or level.basis is None:
        raise DataError(f"{level.name}: first-order energies need a basis and density fitting")
    heavy = [z for z in fragment.atomic_numbers if z > KRYPTON]
    if heavy:
        raise DataError(
            f"{' '.join(fragment.symbols)}: first-order energies are all-electron, and the def2 "
            "bases are so up to krypton; leave such molecules out"
        )
    field = build_mean_field(build_molecule(fragment, level.basis), level)
    field.conv_tol = ORBITAL_TOLERANCE
    converge(field)
    return Orbitals(fragment, level, np.asarray(field.mo_coeff[:, field.mo_occ > 0]))


def first_order(a: Orbitals, b: Orbitals) -> FirstOrder:
    """Heitler-London electrostatics and exchange of two closed-shell molecules.

    Parameters
    ----------
    a, b
        Molecules at their places, orbitals at one level.

    Raises
    ------
    ConvergenceError
        If atoms lie on top of one another.
    """
    level, basis = a.level, a.level.basis or ""
    monomers = [build_molecule(one.fragment, basis) for one in (a, b)]
    dimer = build_molecule(merge([a.fragment, b.fragment]), basis)
    orbitals_a, orbitals_b, together = in_dimer_basis(a, b, dimer)
    field = build_mean_field(dimer, level, _HARTREE_FOCK)
    attraction_a, attraction_b = _attraction(dimer, len(a.fragment.symbols))
    kinetic = dimer.intor("int1e_kin")
    repulsion = [molecule.energy_nuc() for molecule in (dimer, *monomers)]
    whole, _, _ = _energy(field, together, kinetic + attraction_a + attraction_b)
    first, density_a, coulomb_a = _energy(field, orbitals_a, kinetic + attraction_a)
    second, density_b, _ = _energy(field, orbitals_b, kinetic + attraction_b)
    between = repulsion[0] - repulsion[1] - repulsion[2]
    electrostatics = between + float(
        np.sum(attraction_b * density_a)
        + np.sum(attraction_a * density_b)
        + np.sum(coulomb_a * density_b)
    )
    total = whole - first - second + between
    return FirstOrder(electrostatics * HARTREE_IN_KCAL, (total - electrostatics) * HARTREE_IN_KCAL)


def in_dimer_basis(a: Orbitals, b: Orbitals, dimer: Any) -> tuple[Matrix, Matrix, Matrix]:
    """Occupied orbitals of either molecule and of both, orthogonalized together.

    Parameters
    ----------
    a, b
        Molecules at their places, orbitals at one level.
    dimer
        PySCF ``Mole`` of both.

    Returns
    -------
    tuple of ndarray
        (n_ao, n_occupied) each, in the basis of the dimer.

    Raises
    ------
    ConvergenceError
        If atoms lie on top of one another.
    """
    sizes = [len(one.coefficients) for one in (a, b)]
    orbitals_a = np.vstack([a.coefficients, np.zeros((sizes[1], a.coefficients.shape[1]))])
    orbitals_b = np.vstack([np.zeros((sizes[0], b.coefficients.shape[1])), b.coefficients])
    joint = np.hstack([orbitals_a, orbitals_b])
    return orbitals_a, orbitals_b, orthogonalize(joint, dimer.intor("int1e_ovlp"))


def _attraction(dimer: Any, n_first: int) -> tuple[Matrix, Matrix]:
    """Attraction by the nuclei of the first and of the second molecule, (n_ao, n_ao)."""
    parts = [np.zeros((dimer.nao, dimer.nao)), np.zeros((dimer.nao, dimer.nao))]
    for atom in range(dimer.natm):
        with dimer.with_rinv_origin(dimer.atom_coord(atom)):
            parts[int(atom >= n_first)] -= dimer.atom_charge(atom) * dimer.intor("int1e_rinv")
    return parts[0], parts[1]


def _energy(field: Any, orbitals: Matrix, core: Matrix) -> tuple[float, Matrix, Matrix]:
    """Electronic Hartree-Fock energy (hartree), density and Coulomb matrix of a determinant."""
    from pyscf.lib import tag_array

    density = 2 * orbitals @ orbitals.T
    tagged = tag_array(density, mo_coeff=orbitals, mo_occ=np.full(orbitals.shape[1], 2.0))
    coulomb, exchange = field.get_jk(field.mol, tagged, hermi=1)
    energy = np.sum(core * density) + 0.5 * np.sum((coulomb - 0.5 * exchange) * density)
    return float(energy), density, np.asarray(coulomb)
