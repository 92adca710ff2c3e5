"""Dipole moments of boxes with induced dipoles, over a stored trajectory."""

from __future__ import annotations

from typing import Any

import mdtraj
import numpy as np
import openmm
import openmm.app.internal.unitcell
from openff.evaluator.backends import ComputeResources
from openff.evaluator.protocols.analysis import ComputeDipoleMoments
from openff.evaluator.utils.observables import ObservableArray
from openff.evaluator.workflow import workflow_protocol
from openff.units import Quantity
from openmm import app, unit

from openff_bytepol.interop.openmm_multipoles import is_polarizable
from openff_bytepol.interop.simulation import make_simulation
from openff_bytepol.properties.dipoles import dipole_measure
from openff_bytepol.properties.evaluator.resources import platform_of
from openff_bytepol.properties.evaluator.simulate import refuse_gradients
from openff_bytepol.units import NM_PER_ANGSTROM

_CHUNK = 50
_NOISE = 1e-5
"""nm"""


@workflow_protocol()
class BytePolDipoleMoments(ComputeDipoleMoments):
    """Dipole moments from charges and, of polarizable systems, induced dipoles."""

    def _execute(self, directory: str, available_resources: ComputeResources) -> None:
        refuse_gradients(self.gradient_parameters)
        system = self.parameterized_system.system
        if is_polarizable(system):
            moments = self._moments(system, available_resources)
            self.dipole_moments = ObservableArray(
                value=Quantity(moments, "elementary_charge * angstrom")
            )
        else:
            super()._execute(directory, available_resources)

    def _moments(self, system: openmm.System, resources: ComputeResources) -> Any:
        pdb = app.PDBFile(self.parameterized_system.topology_path)
        platform = platform_of(resources)
        simulation = make_simulation(
            system,
            pdb.topology,
            platform=platform.name,
            precision=platform.precision,
            box=pdb.topology.getPeriodicBoxVectors().value_in_unit(unit.angstrom),
        )
        measure = dipole_measure(simulation.system)
        moments = []
        for chunk in mdtraj.iterload(
            self.trajectory_path, top=self.parameterized_system.topology_path, chunk=_CHUNK
        ):
            for positions, vectors in zip(chunk.xyz, chunk.unitcell_vectors, strict=True):
                simulation.context.setPeriodicBoxVectors(*_reduced(vectors))
                simulation.context.setPositions(positions)
                moments.append(measure(simulation, positions / NM_PER_ANGSTROM))
        return np.array(moments)


def _reduced(vectors: Any) -> Any:
    """Box vectors in OpenMM's form, without the rounding noise of DCD files; nm."""
    return openmm.app.internal.unitcell.reducePeriodicBoxVectors(
        np.where(np.abs(vectors) < _NOISE, 0.0, vectors) * unit.nanometer
    )
