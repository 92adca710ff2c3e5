"""Energies of molecules and dimers through the OpenMM system that users get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import energy, interaction_components
from openff_bytepol.training.references import TorsionScan
from openff_bytepol.units import KJ_PER_KCAL, OPENMM_LENGTH

FloatArray = NDArray[np.float64]


def openmm_energies(parameters: Sequence[ParameterSet], coordinates: FloatArray) -> FloatArray:
    """Energies of a cluster of molecules without cutoff, on OpenMM's Reference platform.

    Parameters
    ----------
    parameters
        Of each molecule, placed one after another.
    coordinates
        (n_geometries, n_atoms, 3), Å.

    Returns
    -------
    FloatArray
        (n_geometries,), kcal/mol.
    """
    import openmm
    from openmm import unit

    from openff_bytepol.interop.openmm_system import create_system

    starts = np.cumsum([0, *(p.n_atoms for p in parameters)])
    placements = [
        (i, list(range(starts[i], starts[i] + p.n_atoms))) for i, p in enumerate(parameters)
    ]
    system = create_system(parameters, placements, remove_center_of_mass_motion=False)
    context = openmm.Context(
        system,
        openmm.VerletIntegrator(0.001),
        openmm.Platform.getPlatformByName("Reference"),
    )
    found = []
    for geometry in coordinates:
        context.setPositions(geometry * OPENMM_LENGTH)
        value = context.getState(getEnergy=True).getPotentialEnergy()
        found.append(value.value_in_unit(unit.kilojoule_per_mole) / KJ_PER_KCAL)
    return np.array(found)


def check_dimers(
    rows: Sequence[dict[str, Any]], parameters: dict[str, ParameterSet], count: int
) -> float:
    """Largest difference of interaction energies between OpenMM and torch, kcal/mol.

    Parameters
    ----------
    rows
        Of the dimer schema.
    parameters
        By mapped SMILES.
    count
        How many dimers to compare, spread over the rows.
    """
    worst = 0.0
    for i in np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)):
        a, b = (parameters[rows[i][f"smiles_{side}"]] for side in "ab")
        xyz = np.asarray(rows[i]["coordinates"], dtype=float).reshape(1, -1, 3)
        parts = (([a, b], xyz), ([a], xyz[:, : a.n_atoms]), ([b], xyz[:, a.n_atoms :]))
        whole, first, second = (float(openmm_energies(*part)[0]) for part in parts)
        pair = ParameterSet.concatenate([a, b])
        exact = float(interaction_components(pair, torch.from_numpy(xyz[0])).total)
        worst = max(worst, abs(whole - first - second - exact))
    return worst


def check_torsions(
    scans: Sequence[TorsionScan], parameters: dict[str, ParameterSet], count: int
) -> float:
    """Largest difference of energies along torsions between OpenMM and torch, kcal/mol."""
    worst = 0.0
    for scan in [s for s in scans if s.mapped_smiles in parameters][:count]:
        values = parameters[scan.mapped_smiles]
        exact = energy(values, torch.from_numpy(scan.coordinates)).total.squeeze(-1).numpy()
        worst = max(worst, float(np.abs(openmm_energies([values], scan.coordinates) - exact).max()))
    return worst
