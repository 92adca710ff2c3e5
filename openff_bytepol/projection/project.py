"""From a polarizable parameter set to fixed charges."""

from __future__ import annotations

import warnings
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import ThreadpoolController

from openff_bytepol.exceptions import ParameterError
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.projection.charges import charge_shifts
from openff_bytepol.projection.conformers import make_conformer
from openff_bytepol.projection.fixed_charge import FixedChargeParameters
from openff_bytepol.projection.lennard_jones import lennard_jones
from openff_bytepol.projection.mean_field import gas_response, liquid_dipoles
from openff_bytepol.projection.rotors import find_rotors
from openff_bytepol.projection.scan import RotorScan
from openff_bytepol.projection.source import Source, flat_molecule
from openff_bytepol.projection.torsions import State, fit_torsions, next_conformer, scan_state

Floats = NDArray[np.float64]

PERMITTIVITY: Final = 20.0
"""Relative permittivity of a polar organic liquid, near which the charges hardly depend on it."""

_N_STATES: Final = 4

_BLAS: Final = ThreadpoolController()
"""On matrices as small as a molecule's, threads of BLAS wait for each other: with two of them
the projection takes four times as long as with one."""


def project_fixed_charge(
    parameters: ParameterSet,
    molecule: Any,
    *,
    torsions: Literal["refit", "copy"] = "refit",
    conformer: ArrayLike | None = None,
    permittivity: float = PERMITTIVITY,
) -> FixedChargeParameters:
    """Fixed-charge force field of one molecule, for engines without polarization.

    Lennard-Jones from the van der Waals curves (`lennard_jones`), charges halfway between
    gas and liquid (`mean_field`, `charges`), torsions refitted (`torsions`). Bonds, angles
    and impropers are those of the polarizable model: the nonbonded differences along them are
    small. So are torsions in rings. 1-4 factors are always 1/1.2 for charges and 1/2 for
    Lennard-Jones, the ones that AMBER and GROMACS files can hold, whatever those of the model.

    The result depends on connection table and parameters only, neither on the order of atoms
    nor on stereochemistry or conformers that ``molecule`` carries.

    Parameters
    ----------
    parameters
        Of one molecule; the mean of an ensemble is taken.
    molecule
        OpenFF ``Molecule`` or RDKit ``Mol`` with the same atoms in the same order.
    torsions
        ``"refit"``, or ``"copy"`` for the amplitudes of the polarizable model.
    conformer
        Geometries to use instead of generated ones, Å; (n_atoms, 3) or
        (n_conformers, n_atoms, 3), in the order of ``molecule``.
    permittivity
        Of the medium that polarizes the molecule; 1 for the gas phase.

    Returns
    -------
    FixedChargeParameters
        In float64 on the CPU, in the order of ``molecule``. If no geometry can be generated,
        a warning says so, and charges and torsions are those of the polarizable model.

    Raises
    ------
    ParameterError
        If the parameters are not those of the molecule, the conformer has a wrong shape or
        the permittivity is below 1.
    ChemistryError
        If the molecule cannot be read.
    PolarizationCatastropheError
        If the induced dipoles of the molecule have no minimum.
    """
    if permittivity < 1.0:
        raise ParameterError(f"a relative permittivity of {permittivity} is below 1")
    with _BLAS.limit(limits=1, user_api="blas"):
        return _project(parameters, molecule, torsions, conformer, permittivity)


def _project(
    parameters: ParameterSet,
    molecule: Any,
    torsions: Literal["refit", "copy"],
    conformer: ArrayLike | None,
    permittivity: float,
) -> FixedChargeParameters:
    parameters = parameters.mean().detach().to("cpu", torch.float64)
    mol = flat_molecule(parameters, molecule)
    source = Source.read(parameters, mol)
    sigmas, epsilons = lennard_jones(source)
    charges, proper_k = source.charges, source.proper_k
    if conformer is not None:
        conformers = list(_given_conformers(source, conformer))
    elif (made := make_conformer(source, mol)) is not None:
        conformers = [made]
    else:
        warnings.warn(
            f"no geometry could be generated for molecule '{source.smiles}': its fixed charges "
            "and torsions are those of the polarizable model, unpolarized; pass conformer=",
            stacklevel=3,
        )
        return _assemble(parameters, source, source.charges, sigmas, epsilons, source.proper_k)
    rotors = find_rotors(source, conformers[0])
    scan = RotorScan(source, rotors) if rotors else None
    n_states = _N_STATES if rotors and conformer is None else len(conformers)
    dipoles: list[Floats] = []
    states: list[State] = []
    for number in range(n_states):
        if number == len(conformers):
            conformers.append(next_conformer(rotors, conformers[-1], states[-1], number))
        xyz = conformers[number]
        gas = gas_response(source, xyz)
        liquid = liquid_dipoles(source, xyz, gas, permittivity)
        dipoles.append(0.5 * (gas.dipoles + liquid))
        if scan is not None:
            states.append(scan_state(source, rotors, scan, xyz, gas))
    charges = source.charges + charge_shifts(source, np.array(conformers), np.array(dipoles))
    proper_k = source.proper_k
    if scan is not None and torsions == "refit":
        fixed = [scan.fixed_charge(s.distances, charges, sigmas, epsilons) for s in states]
        proper_k = fit_torsions(source, rotors, states, fixed)
    return _assemble(parameters, source, charges, sigmas, epsilons, proper_k)


def _assemble(parameters: ParameterSet, source: Source, *values: Floats) -> FixedChargeParameters:
    """Charges, sigmas, epsilons and torsion amplitudes with all other terms of the model."""
    back = np.argsort(source.order)
    *atoms, proper_k = values
    charges, sigmas, epsilons = (torch.from_numpy(v[back]) for v in atoms)
    return FixedChargeParameters.from_source(
        parameters,
        charges=charges,
        sigmas=sigmas,
        epsilons=epsilons,
        proper_k=torch.from_numpy(proper_k.copy()),
    )


def _given_conformers(source: Source, conformer: ArrayLike) -> Floats:
    given = np.asarray(conformer, dtype=np.float64)
    if given.ndim not in (2, 3) or given.shape[-2:] != (source.n_atoms, 3) or not given.size:
        raise ParameterError(
            f"conformer has shape {given.shape}; ({source.n_atoms}, 3) or "
            f"(n_conformers, {source.n_atoms}, 3) is needed, in Å"
        )
    return given.reshape(-1, source.n_atoms, 3)[:, source.order]
