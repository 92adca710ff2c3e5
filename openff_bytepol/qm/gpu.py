"""ALMO-EDA with gpu4pyscf on an NVIDIA GPU (https://doi.org/10.1021/acs.jpca.4c05876).

The same theory and the same terms as `almo.decompose`, which is compared with the values
that gpu4pyscf publishes; the call itself needs CUDA.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openff_bytepol.exceptions import DataError, MissingDependencyError
from openff_bytepol.qm.fragments import Fragment
from openff_bytepol.qm.levels import Level
from openff_bytepol.qm.mean_field import build_molecule, parse_method
from openff_bytepol.qm.results import EnergyDecomposition
from openff_bytepol.units import KJ_PER_KCAL


def decompose_on_gpu(fragments: Sequence[Fragment], level: Level) -> EnergyDecomposition:
    """Interaction energy and its terms, without counterpoise correction.

    Parameters
    ----------
    fragments
        Two or more.
    level
        Of kind ``almo-eda``, without D3 or D4: gpu4pyscf counts those with the fragments
        and the charge transfer, not as dispersion.

    Raises
    ------
    DataError
        If the level has a D3 or D4 correction or no basis.
    MissingDependencyError
        If gpu4pyscf is not installed or finds no GPU.
    """
    if level.basis is None or parse_method(level.method).dispersion is not None:
        raise DataError(
            f"level '{level.name}': on the GPU, use a basis set and a functional without "
            "D3 or D4, such as wb97m-v; the others run on the CPU"
        )
    try:
        import gpu4pyscf
        from gpu4pyscf.properties.eda import eval_ALMO_EDA_2_energies
    except Exception as error:  # CuPy raises errors of its own where there is no GPU.
        raise MissingDependencyError(
            f"ALMO-EDA on a GPU needs gpu4pyscf (pip install gpu4pyscf-cuda12x) and CUDA: {error}"
        ) from error
    molecules = [build_molecule(fragment, level.basis) for fragment in fragments]
    terms, energies = eval_ALMO_EDA_2_energies(
        molecules,
        xc=level.method,
        xc_grid=level.grid,
        nlc_grid=level.nonlocal_grid,
        auxbasis=level.auxiliary_basis,
        verbose=0,
    )
    functions = sum(int(molecule.nao) for molecule in molecules)
    return read_terms(terms, energies, level, gpu4pyscf.__version__, functions)


def read_terms(
    terms: Mapping[str, Any],
    energies: Mapping[str, Any],
    level: Level,
    version: str,
    basis_functions: int | None = None,
) -> EnergyDecomposition:
    """Results of ``eval_ALMO_EDA_2_energies`` in the schema of this package.

    Parameters
    ----------
    terms
        kJ/mol.
    energies
        Absolute energies of fragments and system, hartree, in ``energy``.
    level, version, basis_functions
        Recorded.

    Raises
    ------
    DataError
        If a term is missing or in another unit.
    """
    try:
        if terms["unit"] != "kJ/mol":
            raise DataError(f"gpu4pyscf: terms in {terms['unit']}, not kJ/mol")
        values = {
            name: float(terms[key]) / KJ_PER_KCAL
            for name, key in (
                ("electrostatics", "electrostatic"),
                ("classical_electrostatics", "classical electrostatic"),
                ("pauli", "pauli"),
                ("dispersion", "dispersion"),
                ("polarization", "polarization"),
                ("charge_transfer", "charge transfer"),
                ("total", "total"),
            )
        }
        *fragments, system = (float(energy) for energy in energies["energy"])
    except KeyError as error:
        raise DataError(f"gpu4pyscf: no {error}; version 1.5 or newer is needed") from error
    return EnergyDecomposition(
        **values,
        superposition_error=0.0,
        fragment_energies=tuple(fragments),
        system_energy=system,
        program="gpu4pyscf",
        version=version,
        method=level.method,
        basis=level.basis or "",
        basis_functions=basis_functions,
    )
