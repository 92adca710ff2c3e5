"""Second-generation ALMO energy decomposition analysis.

Horn, Mao, Head-Gordon, Phys. Chem. Chem. Phys. 18, 23067 (2016),
https://doi.org/10.1039/C6CP03784D, with the default choices of Q-Chem's EDA2: frozen energy
by orthogonal decomposition, Hartree-Fock as the dispersion-free functional, polarization in
the nDQ response functions. Terms are explained in the theory page "ALMO-EDA".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from openff_bytepol.exceptions import DataError
from openff_bytepol.qm.almo.frozen import Blocks, decompose_frozen, orthogonalize
from openff_bytepol.qm.almo.functional import Functional
from openff_bytepol.qm.almo.polarized import polarize
from openff_bytepol.qm.almo.response import polarization_orbitals
from openff_bytepol.qm.fragments import Fragment, merge
from openff_bytepol.qm.levels import Level
from openff_bytepol.qm.mean_field import (
    build_mean_field,
    build_molecule,
    converge,
    dispersion_correction,
)
from openff_bytepol.qm.results import EnergyDecomposition
from openff_bytepol.units import HARTREE_IN_KCAL

Matrix = NDArray[np.float64]


def decompose(
    fragments: Sequence[Fragment],
    level: Level,
    *,
    counterpoise: bool = False,
    dispersion_free: str = "hf",
) -> EnergyDecomposition:
    """Interaction energy of closed-shell fragments and its terms.

    Parameters
    ----------
    fragments
        Two or more molecules or ions in place.
    level
        Method, basis, density fitting and grids; of kind ``almo-eda``.
    counterpoise
        Compute the fragments in the whole basis too and take the basis set superposition
        error out of charge transfer and the total. Q-Chem's EDA2, and ByteFF-Pol's labels,
        leave it in.
    dispersion_free
        Functional whose exchange-correlation holds no dispersion: ``hf`` for hybrids,
        ``revpbe`` was proposed for semilocal functionals.

    Raises
    ------
    ConvergenceError
        If an SCF, the orthogonal decomposition or the polarized fragments do not converge.
    DataError
        If there are fewer than two fragments or the level has no basis.
    MissingDependencyError
        If PySCF or the dispersion program is not installed.
    """
    if len(fragments) < 2 or level.basis is None:
        raise DataError("an energy decomposition needs two fragments or more and a basis set")
    fields = [build_mean_field(build_molecule(f, level.basis), level) for f in fragments]
    whole = merge(fragments)
    d_fragments = np.array([dispersion_correction(f, level)[0] for f in fragments])
    d_whole = dispersion_correction(whole, level)[0]
    isolated = np.array([converge(field) for field in fields]) + d_fragments
    molecule = build_molecule(whole, level.basis)
    field = build_mean_field(molecule, level)
    functional = Functional(field)
    overlap = molecule.intor_symmetric("int1e_ovlp")
    occupied = [int((f.mo_occ > 0).sum()) for f in fields]
    blocks = Blocks.of_sizes(occupied)

    core = _core_hamiltonians(molecule, fragments)
    start = orthogonalize(block_diag(*[f.mo_coeff[:, f.mo_occ > 0] for f in fields]), overlap)
    orbitals = decompose_frozen(functional, core, start, blocks)
    densities = np.stack([2 * orbitals[:, b] @ orbitals[:, b].T for b in blocks.slices])
    isolated_densities = _isolated_densities(fields)
    dispersion = (
        d_whole - d_fragments.sum() + _dispersion(functional, densities, level, dispersion_free)
    )

    spaces = [polarization_orbitals(f) for f in fields]
    frozen, polarized, density = polarize(
        functional,
        field.get_hcore(),
        overlap,
        subspace=block_diag(*spaces),
        blocks=Blocks.of_sizes([space.shape[1] for space in spaces]),
        occupied=occupied,
    )
    constant = float(molecule.energy_nuc()) + d_whole
    total = converge(field, density, polarized + float(molecule.energy_nuc())) + d_whole
    error = _superposition_error(fragments, level, isolated) if counterpoise else 0.0
    electrostatics = _coulomb(functional, core, densities, molecule, fragments)
    energies = {
        "electrostatics": electrostatics,
        "classical_electrostatics": _coulomb(
            functional, core, isolated_densities, molecule, fragments
        ),
        "pauli": frozen + constant - isolated.sum() - electrostatics - dispersion,
        "dispersion": dispersion,
        "polarization": polarized - frozen,
        "charge_transfer": total - constant - polarized + error,
        "total": total - isolated.sum() + error,
        "superposition_error": error,
    }
    return EnergyDecomposition(
        **{name: float(value) * HARTREE_IN_KCAL for name, value in energies.items()},
        fragment_energies=tuple(float(x) for x in isolated),
        system_energy=float(total),
        program="pyscf",
        version=_version(),
        method=level.method,
        basis=level.basis,
        basis_functions=int(molecule.nao),
    )


def _core_hamiltonians(molecule: Any, fragments: Sequence[Fragment]) -> Matrix:
    """Kinetic energy plus attraction by each fragment's nuclei, (n_fragments, n_ao, n_ao)."""
    if molecule.has_ecp():
        raise DataError(
            "energy decomposition with effective core potentials is not available: "
            f"{molecule.elements} in this basis has them"
        )
    kinetic = molecule.intor_symmetric("int1e_kin")
    charges = molecule.atom_charges()
    matrices, atom = [], 0
    for fragment in fragments:
        matrix = kinetic.copy()
        for _ in fragment.symbols:
            with molecule.with_rinv_at_nucleus(atom):
                matrix -= charges[atom] * molecule.intor_symmetric("int1e_rinv")
            atom += 1
        matrices.append(matrix)
    return np.stack(matrices)


def _isolated_densities(fields: Sequence[Any]) -> Matrix:
    """Density of each isolated fragment in the basis of all; (n_fragments, n_ao, n_ao)."""
    blocks = Blocks.of_sizes([field.mol.nao for field in fields])
    densities = np.zeros((len(fields), blocks.size, blocks.size))
    for density, field, block in zip(densities, fields, blocks.slices, strict=True):
        density[block, block] = field.make_rdm1()
    return densities


def _coulomb(
    functional: Functional,
    core: Matrix,
    densities: Matrix,
    molecule: Any,
    fragments: Sequence[Fragment],
) -> float:
    """Coulomb energy between fragments with these densities, hartree."""
    field = functional.field
    potentials = np.asarray(field.get_j(molecule, densities, hermi=1))
    attraction = core - molecule.intor_symmetric("int1e_kin")
    positions, charges = molecule.atom_coords(), molecule.atom_charges()
    atoms = Blocks.of_sizes([len(fragment.symbols) for fragment in fragments]).slices
    energy = 0.0
    for a in range(len(fragments)):
        for b in range(len(fragments)):
            if a != b:
                energy += 0.5 * np.vdot(potentials[a], densities[b])
                energy += np.vdot(attraction[a], densities[b])
                separation = positions[atoms[a], None] - positions[None, atoms[b]]
                products = np.outer(charges[atoms[a]], charges[atoms[b]])
                energy += 0.5 * (products / np.linalg.norm(separation, axis=2)).sum()
    return float(energy)


def _dispersion(
    functional: Functional, densities: Matrix, level: Level, dispersion_free: str
) -> float:
    """Interfragment exchange-correlation beyond the dispersion-free functional, hartree."""
    if level.method.lower() == dispersion_free:
        return 0.0
    field = build_mean_field(functional.field.mol, level, dispersion_free)
    if level.auxiliary_basis is not None:
        field.with_df = functional.field.with_df
    everything = np.concatenate([densities.sum(0)[None], densities])
    difference = functional.exchange_correlation(everything)
    difference = difference - Functional(field).exchange_correlation(everything)
    return float(difference[0] - difference[1:].sum())


def _superposition_error(fragments: Sequence[Fragment], level: Level, isolated: Matrix) -> float:
    """Energy that the fragments gain from each other's basis functions, hartree, ≥ 0."""
    assert level.basis is not None
    error = 0.0
    for i, fragment in enumerate(fragments):
        others = [other for j, other in enumerate(fragments) if j != i]
        molecule = build_molecule(fragment, level.basis, others, ghosts_first=i)
        energy = converge(build_mean_field(molecule, level))
        error += isolated[i] - energy - dispersion_correction(fragment, level)[0]
    return float(error)


def _version() -> str:
    import pyscf

    return str(pyscf.__version__)
