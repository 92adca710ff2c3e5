"""Minima of the energies of AIMNet2 and of a model, one molecule in vacuum."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem

from openff_bytepol.exceptions import DataError, SimulationError
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.training.labels import aimnet2, geometries
from openff_bytepol.units import KJ_PER_KCAL, OPENMM_LENGTH

FloatArray = NDArray[np.float64]

_FIRST_STEPS: Final = 20
_STEPS: Final = 1000
_SCALE: Final = 0.03
"""Å; the first step of L-BFGS is no longer."""
_CONVERGED: Final = 0.2
"""Largest component of a force at a minimum, kcal/mol/Å: 0.0003 Å of a bond."""
_TARGET: Final = 0.02
"""That to which energies are minimised, kcal/mol/Å."""
_BROKEN: Final = 1.35
"""Length of a bond that is none any more, in sums of covalent radii."""


def aimnet2_minimum(mol: Chem.Mol, *, seed: int, deviation_limit: float) -> FloatArray:
    """A conformer at a minimum of AIMNet2's energy, (n_atoms, 3), Å.

    Raises
    ------
    DataError
        If AIMNet2 lacks an element, RDKit finds no conformer, the minimisation does not
        converge or breaks a bond, or the networks of AIMNet2 disagree.
    """
    numbers = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    atomic_numbers, charge = torch.tensor(numbers), Chem.GetFormalCharge(mol)
    start = geometries.relaxed_conformers(mol, 1, seed, _FIRST_STEPS)
    minimum = _descend(torch.from_numpy(start), atomic_numbers, charge)
    xyz: FloatArray = minimum[0].numpy()
    table = Chem.GetPeriodicTable()
    for bond in mol.GetBonds():
        pair = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        length = np.linalg.norm(xyz[pair[0]] - xyz[pair[1]])
        if length > _BROKEN * sum(table.GetRcovalent(numbers[i]) for i in pair):
            raise DataError("AIMNet2 breaks one of its bonds")
    spread = float(aimnet2.deviations(minimum, atomic_numbers, charge))
    if not spread < deviation_limit:
        raise DataError(f"AIMNet2's networks disagree by {spread:.1f} kcal/mol/Å")
    return xyz


def _descend(start: torch.Tensor, atomic_numbers: torch.Tensor, charge: int) -> torch.Tensor:
    """L-BFGS by forces alone: single-precision energies are too noisy for a line search."""
    scaled = start / _SCALE
    options: dict[str, Any] = {"max_iter": _STEPS, "history_size": 30, "tolerance_change": 0.0}
    optimizer = torch.optim.LBFGS([scaled], tolerance_grad=_TARGET * _SCALE, **options)

    def surface() -> float:
        found = aimnet2.evaluate(scaled * _SCALE, atomic_numbers, charge)
        scaled.grad = -found.forces.double() * _SCALE
        return float(found.energies)

    optimizer.step(surface)  # type: ignore[no-untyped-call]
    forces = aimnet2.evaluate(scaled * _SCALE, atomic_numbers, charge).forces
    if not forces.abs().max() < _CONVERGED:
        raise DataError("minimisation with AIMNet2 does not converge")
    return scaled * _SCALE


def model_minimum(parameters: ParameterSet, start: FloatArray) -> FloatArray:
    """The minimum of a molecule's energy through OpenMM next to a geometry, (n_atoms, 3), Å.

    Raises
    ------
    SimulationError
        If OpenMM gives up, or the minimisation does not converge.
    """
    import openmm

    from openff_bytepol.interop.openmm_system import create_system

    system = create_system([parameters], [(0, range(parameters.n_atoms))])
    integrator = openmm.VerletIntegrator(0.001)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, integrator, platform)
    force_unit = KJ_PER_KCAL / OPENMM_LENGTH
    try:
        context.setPositions(start * OPENMM_LENGTH)
        openmm.LocalEnergyMinimizer.minimize(context, _TARGET * force_unit, _STEPS)
        state = context.getState(positions=True, forces=True)
    except openmm.OpenMMException as error:
        raise SimulationError(f"minimisation with the model: {error}") from error
    strongest = np.abs(state.getForces(asNumpy=True)._value).max()
    if not strongest < _CONVERGED * force_unit:
        raise SimulationError("minimisation with the model does not converge")
    return np.asarray(state.getPositions(asNumpy=True)._value / OPENMM_LENGTH)
