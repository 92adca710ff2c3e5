"""Frames of a stored trajectory in an OpenMM context."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import mdtraj
import numpy as np
import openmm
from openff.evaluator.backends import ComputeResources
from openff.evaluator.forcefield.system import ParameterizedSystem
from openmm import app, unit
from openmm.app.internal.unitcell import reducePeriodicBoxVectors

from openff_bytepol.interop.simulation import make_simulation
from openff_bytepol.properties.evaluator.resources import platform_of
from openff_bytepol.properties.observables import Floats
from openff_bytepol.units import NM_PER_ANGSTROM

_CHUNK: Final = 50
_NOISE: Final = 1e-5
"""nm"""


def stored_frames(
    parameterized: ParameterizedSystem,
    system: openmm.System,
    trajectory_path: str,
    resources: ComputeResources,
) -> Iterator[tuple[app.Simulation, Floats]]:
    """Set the frames of a trajectory one after another.

    Parameters
    ----------
    parameterized
        Whose topology the trajectory has.
    system
        Of `parameterized`, read once.
    trajectory_path
        DCD file.
    resources
        Of the worker.

    Yields
    ------
    simulation
        Always the same, with the positions and box of the frame.
    positions
        Å; (n_atoms, 3).
    """
    topology = app.PDBFile(parameterized.topology_path).topology
    periodic = system.usesPeriodicBoundaryConditions()
    vectors = topology.getPeriodicBoxVectors()
    platform = platform_of(resources)
    simulation = make_simulation(
        system,
        topology,
        platform=platform.name,
        precision=platform.precision,
        box=vectors.value_in_unit(unit.angstrom) if periodic else None,
    )
    for chunk in mdtraj.iterload(trajectory_path, top=parameterized.topology_path, chunk=_CHUNK):
        for frame in chunk:
            if periodic:
                simulation.context.setPeriodicBoxVectors(*_reduced(frame.unitcell_vectors[0]))
            simulation.context.setPositions(frame.xyz[0])
            yield simulation, frame.xyz[0].astype(np.float64) / NM_PER_ANGSTROM


def _reduced(vectors: Any) -> Any:
    """Box vectors in OpenMM's form, without the rounding noise of DCD files."""
    clean = np.where(np.abs(vectors) < _NOISE, 0.0, vectors)
    return reducePeriodicBoxVectors(clean * unit.nanometer)
