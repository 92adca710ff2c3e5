"""Minimisation and dynamics of polarizable and fixed-charge systems in Evaluator."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import openmm
from openff.evaluator.backends import ComputeResources
from openff.evaluator.protocols.openmm import OpenMMEnergyMinimisation, OpenMMSimulation
from openff.evaluator.workflow import workflow_protocol
from openff.units import Quantity
from openmm import app, unit

from openff_bytepol.exceptions import ForceFieldError, PropertyError
from openff_bytepol.interop.simulation import default_timestep, make_simulation
from openff_bytepol.properties.evaluator.resources import platform_of


@workflow_protocol()
class BytePolEnergyMinimisation(OpenMMEnergyMinimisation):
    """Minimisation on the platform that fits the worker."""

    def _execute(self, directory: str, available_resources: ComputeResources) -> None:
        system = self.parameterized_system.system
        check_boundaries(system, self.enable_pbc)
        platform = platform_of(available_resources)
        pdb = app.PDBFile(self.input_coordinate_file)
        simulation = make_simulation(
            system,
            pdb.topology,
            platform=platform.name,
            precision=platform.precision,
            positions=_positions(pdb),
            box=_box(pdb) if self.enable_pbc else None,
        )
        tolerance = self.tolerance.m_as("kilojoule / mole / nanometer")
        simulation.minimizeEnergy(tolerance, self.max_iterations)
        path = Path(directory) / "minimised.pdb"
        positions = simulation.context.getState(positions=True).getPositions()
        with path.open("w") as stream:
            app.PDBFile.writeFile(pdb.topology, positions, stream)
        self.output_coordinate_file = str(path)


@workflow_protocol()
class BytePolSimulation(OpenMMSimulation):
    """Dynamics with the integrator, barostat and platform of `make_simulation`.

    ``timestep`` is that of polarizable systems and of systems with constraints. Flexible
    fixed-charge systems take steps of 1 fs, and so many more that all times stay as asked for.
    """

    timestep: Quantity
    steps_per_iteration: int
    output_frequency: int

    def _execute(self, directory: str, available_resources: ComputeResources) -> None:
        refuse_gradients(self.gradient_parameters)
        self._fit_timestep()
        super()._execute(directory, available_resources)

    def _fit_timestep(self) -> None:
        longest = Quantity(default_timestep(self.parameterized_system.system), "femtosecond")
        ratio = int(-(-self.timestep.m_as("femtosecond") // longest.m_as("femtosecond")))
        if ratio > 1:
            self.timestep = self.timestep / ratio
            self.steps_per_iteration *= ratio
            self.output_frequency *= ratio

    def _setup_simulation_objects(
        self,
        temperature: unit.Quantity,
        pressure: unit.Quantity | None,
        available_resources: ComputeResources,
    ) -> tuple[openmm.Context, openmm.Integrator]:
        if not self.allow_gpu_platforms:
            available_resources = ComputeResources(max(1, available_resources.number_of_threads))
        system = self.parameterized_system.system
        check_boundaries(system, self.enable_pbc)
        platform = platform_of(available_resources, high_precision=self.high_precision)
        pdb = app.PDBFile(self.input_coordinate_file)
        periodic = self.enable_pbc
        simulation = make_simulation(
            system,
            pdb.topology,
            temperature=temperature.value_in_unit(unit.kelvin),
            pressure=pressure.value_in_unit(unit.atmosphere) if periodic and pressure else None,
            timestep=self.timestep.m_as("femtosecond"),
            friction=self.thermostat_friction.m_as("1 / picosecond"),
            platform=platform.name,
            precision=platform.precision,
            positions=_positions(pdb),
            box=_box(pdb) if periodic else None,
        )
        return simulation.context, simulation.integrator


def check_boundaries(system: openmm.System, periodic: bool) -> None:
    """Refuse a system whose boundaries are not those of the protocol.

    Raises
    ------
    ForceFieldError
        If one is periodic and the other is not.
    """
    if system.usesPeriodicBoundaryConditions() != periodic:
        raise ForceFieldError(
            f"the system is {'not ' if periodic else ''}periodic, the protocol's enable_pbc is "
            f"{periodic}; set enable_pbc of BuildBytePolSystem to the same"
        )


def refuse_gradients(parameters: list[Any]) -> None:
    """Refuse derivatives with respect to attributes of force-field sections.

    Raises
    ------
    PropertyError
        If any are asked for.
    """
    if parameters:
        raise PropertyError(
            "Evaluator's gradients are those of force-field attributes, and parameters predicted "
            "by a network have none; leave parameter_gradient_keys out, and take gradients with "
            "respect to weights from openff_bytepol.properties.gradients"
        )


def _positions(pdb: app.PDBFile) -> Any:
    return pdb.getPositions(asNumpy=True).value_in_unit(unit.angstrom)


def _box(pdb: app.PDBFile) -> list[Any]:
    vectors = pdb.topology.getPeriodicBoxVectors()
    if vectors is None:
        raise ForceFieldError("the coordinates have no periodic box; give enable_pbc=False")
    return cast(list[Any], vectors.value_in_unit(unit.angstrom))
