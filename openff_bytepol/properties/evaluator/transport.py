"""Dynamics at constant volume and its analysis, for Evaluator's workflows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from openff.evaluator.attributes import UNDEFINED
from openff.evaluator.backends import ComputeResources
from openff.evaluator.forcefield.system import ParameterizedSystem
from openff.evaluator.thermodynamics import ThermodynamicState
from openff.evaluator.utils.observables import Observable
from openff.evaluator.workflow import Protocol, workflow_protocol
from openff.evaluator.workflow.attributes import (
    InequalityMergeBehavior,
    InputAttribute,
    OutputAttribute,
)
from openff.units import Quantity
from openmm import app, unit

from openff_bytepol.exceptions import CompositionError, SamplingError
from openff_bytepol.interop.simulation import make_simulation
from openff_bytepol.properties.conductivity import conductivity
from openff_bytepol.properties.diffusion import self_diffusion
from openff_bytepol.properties.engine import every_steps
from openff_bytepol.properties.evaluator.build import box_of
from openff_bytepol.properties.evaluator.resources import platform_of
from openff_bytepol.properties.observables import Observables
from openff_bytepol.properties.production import run_stage
from openff_bytepol.properties.recorders import SeriesRecorder, read_series
from openff_bytepol.properties.sampling import Sampling
from openff_bytepol.properties.viscosity import green_kubo_viscosity

if TYPE_CHECKING:
    from openff_bytepol.properties.results import PropertyEstimate

_FRICTION: Final = 0.1
"""1/ps: a thermostat weak enough to leave the dynamics alone."""


@workflow_protocol()
class BytePolTransportSimulation(Protocol):
    """Dynamics at constant volume with a weak thermostat; killed, it goes on where it was."""

    parameterized_system = InputAttribute(
        docstring="The system.", type_hint=ParameterizedSystem, default_value=UNDEFINED
    )
    input_coordinate_file = InputAttribute(
        docstring="Equilibrated coordinates, with the box.", type_hint=str, default_value=UNDEFINED
    )
    thermodynamic_state = InputAttribute(
        docstring="Of the property.", type_hint=ThermodynamicState, default_value=UNDEFINED
    )
    duration = InputAttribute(
        docstring="Per iteration.",
        type_hint=Quantity,
        default_value=Quantity(5.0, "nanosecond"),
        merge_behavior=InequalityMergeBehavior.LargestValue,
    )
    total_number_of_iterations = InputAttribute(
        docstring="How many times the duration.",
        type_hint=int,
        default_value=1,
        merge_behavior=InequalityMergeBehavior.LargestValue,
    )
    interval = InputAttribute(
        docstring="Between centres of mass recorded.",
        type_hint=Quantity,
        default_value=Quantity(1.0, "picosecond"),
    )
    stress_interval = InputAttribute(
        docstring="Between pressure tensors, recorded in place of centres of mass; 0 for none. "
        "Each costs twelve energies.",
        type_hint=Quantity,
        default_value=Quantity(0.0, "femtosecond"),
    )

    run_folder = OutputAttribute(docstring="Folder of the recorded series.", type_hint=str)

    def _execute(self, directory: str, available_resources: ComputeResources) -> None:
        folder = Path(directory) / "run"
        platform = platform_of(available_resources)
        pdb = app.PDBFile(self.input_coordinate_file)
        temperature = self.thermodynamic_state.temperature.m_as("kelvin")
        simulation = make_simulation(
            self.parameterized_system.system,
            pdb.topology,
            temperature=temperature,
            friction=_FRICTION,
            platform=platform.name,
            precision=platform.precision,
            positions=pdb.getPositions(asNumpy=True).value_in_unit(unit.angstrom),
            box=pdb.topology.getPeriodicBoxVectors().value_in_unit(unit.angstrom),
        )
        box = box_of(self.parameterized_system)
        stress = self.stress_interval.m_as("picosecond")
        if stress > 0.0:
            recorder = Sampling(stress=stress).stress_recorder(simulation, box, temperature)
        else:
            every = every_steps(simulation, self.interval.m_as("picosecond"))
            recorder = SeriesRecorder(box, temperature, None, every)
        duration = self.duration.m_as("picosecond") * self.total_number_of_iterations
        run_stage(simulation, folder, duration, [recorder])
        self.run_folder = str(folder)


class AnalyseTransport(Protocol, ABC):
    """From recorded series to a value with its error."""

    run_folder = InputAttribute(
        docstring="Of BytePolTransportSimulation.", type_hint=str, default_value=UNDEFINED
    )

    value = OutputAttribute(docstring="The property.", type_hint=Observable)

    @abstractmethod
    def _estimate(self, run: Observables) -> PropertyEstimate:
        """The property from one series."""

    def _execute(self, directory: str, available_resources: Any) -> None:  # noqa: ARG002
        run = read_series(Path(self.run_folder))
        if run is None:
            raise SamplingError(f"nothing is recorded in {self.run_folder}; simulate longer")
        found = self._estimate(run)
        (Path(directory) / "estimate.json").write_text(found.to_json(), "utf-8")
        self.value = Observable(
            value=found.quantity.plus_minus(found.uncertainty_quantity, relative=False)
        )


@workflow_protocol()
class AnalyseSelfDiffusion(AnalyseTransport):
    """Einstein relation; see `openff_bytepol.properties.diffusion`."""

    component = InputAttribute(
        docstring="SMILES of the component; may be empty in a pure liquid.",
        type_hint=str,
        default_value="",
    )

    def _estimate(self, run: Observables) -> PropertyEstimate:
        return self_diffusion(run, component=_component(run.names, self.component))


@workflow_protocol()
class AnalyseViscosity(AnalyseTransport):
    """Green–Kubo; see `openff_bytepol.properties.viscosity`."""

    def _estimate(self, run: Observables) -> PropertyEstimate:
        return green_kubo_viscosity(run)


@workflow_protocol()
class AnalyseConductivity(AnalyseTransport):
    """Einstein–Helfand; see `openff_bytepol.properties.conductivity`."""

    def _estimate(self, run: Observables) -> PropertyEstimate:
        return conductivity(run)


def _component(names: tuple[str, ...], wanted: str) -> int:
    from openff.toolkit import Molecule

    if not wanted and len(names) == 1:
        return 0
    molecules = [Molecule.from_smiles(name, allow_undefined_stereo=True) for name in names]
    if wanted:
        molecule = Molecule.from_smiles(wanted, allow_undefined_stereo=True)
        for index, candidate in enumerate(molecules):
            if candidate.is_isomorphic_with(molecule):
                return index
    raise CompositionError(
        f"component {wanted!r} is none of {', '.join(names)}; give the SMILES of one of them as "
        "SelfDiffusion(..., component=SMILES)"
    )
