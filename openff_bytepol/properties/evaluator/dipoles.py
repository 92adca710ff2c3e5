"""Dipole moments of boxes with induced dipoles, over a stored trajectory."""

from __future__ import annotations

import numpy as np
from openff.evaluator.backends import ComputeResources
from openff.evaluator.protocols.analysis import ComputeDipoleMoments
from openff.evaluator.utils.observables import ObservableArray
from openff.evaluator.workflow import workflow_protocol
from openff.units import Quantity

from openff_bytepol.interop.openmm_multipoles import is_polarizable
from openff_bytepol.properties.dipoles import dipole_measure
from openff_bytepol.properties.evaluator.frames import stored_frames
from openff_bytepol.properties.evaluator.simulate import refuse_gradients


@workflow_protocol()
class BytePolDipoleMoments(ComputeDipoleMoments):
    """Dipole moments from charges and, of polarizable systems, induced dipoles."""

    def _execute(self, directory: str, available_resources: ComputeResources) -> None:
        refuse_gradients(self.gradient_parameters)
        system = self.parameterized_system.system
        if not is_polarizable(system):
            super()._execute(directory, available_resources)
            return
        measure, moments = None, []
        for simulation, positions in stored_frames(
            self.parameterized_system, system, self.trajectory_path, available_resources
        ):
            measure = measure or dipole_measure(simulation.system)
            moments.append(measure(simulation, positions))
        self.dipole_moments = ObservableArray(
            value=Quantity(np.array(moments), "elementary_charge * angstrom")
        )
