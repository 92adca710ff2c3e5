"""Workflow of transport properties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openff.evaluator.protocols.coordinates import BuildCoordinatesPackmol
from openff.evaluator.protocols.groups import ConditionalGroup
from openff.evaluator.thermodynamics import Ensemble
from openff.evaluator.workflow.plugins import registered_workflow_protocols
from openff.evaluator.workflow.schemas import WorkflowSchema
from openff.evaluator.workflow.utils import ProtocolPath
from openff.units import Quantity

from openff_bytepol.properties.evaluator.build import BuildBytePolSystem
from openff_bytepol.properties.evaluator.simulate import (
    BytePolEnergyMinimisation,
    BytePolSimulation,
)
from openff_bytepol.properties.evaluator.transport import BytePolTransportSimulation

if TYPE_CHECKING:
    from openff_bytepol.properties.evaluator.schemas import RunLengths

_STRESS_INTERVAL: Final = Quantity(10.0, "femtosecond")


def transport_workflow(
    analysis: str, n_molecules: int, lengths: RunLengths, *, converge: bool
) -> WorkflowSchema:
    """Pack, minimise, equilibrate at constant pressure, simulate at constant volume, analyse.

    Parameters
    ----------
    analysis
        Name of a protocol derived from `transport.AnalyseTransport`.
    n_molecules
        In the liquid.
    lengths
        Of the simulations.
    converge
        Simulate on until the target uncertainty is met, or for ``max_iterations``.

    Returns
    -------
    WorkflowSchema
    """
    from openff_bytepol.properties.evaluator.schemas import set_length

    pack = BuildCoordinatesPackmol("build_coordinates")
    pack.substance = ProtocolPath("substance", "global")
    pack.max_molecules = n_molecules
    build = BuildBytePolSystem("assign_parameters")
    build.force_field_path = ProtocolPath("force_field_path", "global")
    build.coordinate_file_path = ProtocolPath("coordinate_file_path", pack.id)
    build.substance = ProtocolPath("output_substance", pack.id)
    minimise = BytePolEnergyMinimisation("energy_minimisation")
    minimise.input_coordinate_file = ProtocolPath("coordinate_file_path", pack.id)
    equilibrate = BytePolSimulation("equilibration_simulation")
    equilibrate.ensemble = Ensemble.NPT
    equilibrate.input_coordinate_file = ProtocolPath("output_coordinate_file", minimise.id)
    equilibrate.thermodynamic_state = ProtocolPath("thermodynamic_state", "global")
    simulate = BytePolTransportSimulation("transport_simulation")
    simulate.duration = Quantity(lengths.transport_ps, "picosecond")
    simulate.interval = Quantity(lengths.interval_ps, "picosecond")
    if analysis == "AnalyseViscosity":
        simulate.stress_interval = _STRESS_INTERVAL
    simulate.input_coordinate_file = ProtocolPath("output_coordinate_file", equilibrate.id)
    simulate.thermodynamic_state = ProtocolPath("thermodynamic_state", "global")
    for protocol in (minimise, equilibrate, simulate):
        protocol.parameterized_system = ProtocolPath("parameterized_system", build.id)
    analyse = registered_workflow_protocols[analysis]("analysis")
    analyse.run_folder = ProtocolPath("run_folder", simulate.id)
    if analysis == "AnalyseSelfDiffusion":
        analyse.component = ProtocolPath("component", "global")
    group = ConditionalGroup("conditional_group")
    group.max_iterations = lengths.max_iterations
    if converge:
        condition = ConditionalGroup.Condition()
        condition.left_hand_value = ProtocolPath("value.error", group.id, analyse.id)
        condition.right_hand_value = ProtocolPath("target_uncertainty", "global")
        group.add_condition(condition)
        simulate.total_number_of_iterations = ProtocolPath("current_iteration", group.id)
    group.add_protocols(simulate, analyse)
    schema = WorkflowSchema()
    schema.protocol_schemas = [p.schema for p in (pack, build, minimise, equilibrate, group)]
    set_length(schema.protocol_schemas[3], lengths, gas=False)
    schema.final_value_source = ProtocolPath("value", group.id, analyse.id)
    return schema
