"""Energies of stored frames with another force field, for reweighting."""

from __future__ import annotations

import numpy as np
from openff.evaluator.backends import ComputeResources
from openff.evaluator.protocols.openmm import OpenMMEvaluateEnergies
from openff.evaluator.utils.observables import ObservableArray, ObservableFrame, ObservableType
from openff.evaluator.workflow import workflow_protocol
from openff.units import Quantity
from openmm import unit

from openff_bytepol.properties.evaluator.frames import stored_frames
from openff_bytepol.properties.evaluator.simulate import check_boundaries, refuse_gradients


@workflow_protocol()
class BytePolEvaluateEnergies(OpenMMEvaluateEnergies):
    """Potential energies and reduced potentials β(U + pV) on the platform that fits the worker."""

    def _execute(self, directory: str, available_resources: ComputeResources) -> None:  # noqa: ARG002
        refuse_gradients(self.gradient_parameters)
        system = self.parameterized_system.system
        check_boundaries(system, self.enable_pbc)
        energies, volumes = [], []
        for simulation, _ in stored_frames(
            self.parameterized_system, system, self.trajectory_file_path, available_resources
        ):
            state = simulation.context.getState(energy=True)
            energies.append(state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole))
            volumes.append(state.getPeriodicBoxVolume().value_in_unit(unit.nanometer**3))
        potential = Quantity(np.array(energies), "kilojoule / mole")
        enthalpy = potential
        if self.enable_pbc and self.thermodynamic_state.pressure is not None:
            volume = Quantity(np.array(volumes), "nanometer ** 3")
            work = self.thermodynamic_state.pressure * volume * Quantity(1.0, "avogadro_constant")
            enthalpy = potential + work.to("kilojoule / mole")
        thermal = self.thermodynamic_state.temperature * Quantity(1.0, "molar_gas_constant")
        self.output_observables = ObservableFrame(
            {
                ObservableType.PotentialEnergy: ObservableArray(potential),
                ObservableType.ReducedPotential: ObservableArray(
                    (enthalpy / thermal).to("dimensionless")
                ),
            }
        )
