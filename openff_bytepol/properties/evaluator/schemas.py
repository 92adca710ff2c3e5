"""What Evaluator runs for each property, with bytepol's protocols in place of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

from openff.evaluator.attributes import UNDEFINED
from openff.evaluator.datasets import PhysicalProperty
from openff.evaluator.layers.reweighting import ReweightingSchema
from openff.evaluator.layers.simulation import SimulationSchema
from openff.evaluator.properties import (
    Density,
    DielectricConstant,
    EnthalpyOfMixing,
    EnthalpyOfVaporization,
    ExcessMolarVolume,
)
from openff.evaluator.workflow.schemas import ProtocolGroupSchema, ProtocolSchema, WorkflowSchema
from openff.evaluator.workflow.utils import ProtocolPath
from openff.units import Quantity

from openff_bytepol.exceptions import PropertyError

STATIC_PROPERTIES: Final = (
    Density,
    DielectricConstant,
    EnthalpyOfMixing,
    EnthalpyOfVaporization,
    ExcessMolarVolume,
)
"""Properties of Evaluator for which there are schemas."""

REWEIGHTED_PROPERTIES: Final = (
    Density,
    EnthalpyOfMixing,
    EnthalpyOfVaporization,
    ExcessMolarVolume,
)
"""Those of them that follow from stored simulations with other parameters."""

REPLACEMENTS: Final = {
    "BaseBuildSystem": "BuildBytePolSystem",
    "BuildSmirnoffSystem": "BuildBytePolSystem",
    "OpenMMEnergyMinimisation": "BytePolEnergyMinimisation",
    "OpenMMSimulation": "BytePolSimulation",
    "ComputeDipoleMoments": "BytePolDipoleMoments",
    "AverageDielectricConstant": "BytePolDielectricConstant",
    "OpenMMEvaluateEnergies": "BytePolEvaluateEnergies",
}
"""Protocol of Evaluator → protocol that takes its place."""

_GAS: Final = "_gas"
"""Part of the names of protocols for a single molecule."""
_TIMESTEP: Final = 2.0
_MIN_FRAMES: Final = 12
"""Evaluator refuses averages over exactly ten, the length of the word "observable"."""
_CHECKPOINT_PS: Final = 20.0


@dataclass(frozen=True, kw_only=True)
class RunLengths:
    """How long to simulate.

    Attributes
    ----------
    equilibration_ps
        Before anything is recorded, at constant pressure.
    production_ps
        Of a liquid, per iteration: where a target uncertainty is given, iterations are added
        until it is met.
    gas_ps
        Of a single molecule, per iteration.
    transport_ps
        Of a liquid at constant volume, for transport properties.
    interval_ps, gas_interval_ps
        Between frames.
    max_iterations
        After which a target uncertainty is given up.

    Raises
    ------
    PropertyError
        If a length is not positive, or gives fewer than 12 frames.
    """

    equilibration_ps: float = 200.0
    production_ps: float = 1000.0
    gas_ps: float = 2000.0
    transport_ps: float = 5000.0
    interval_ps: float = 1.0
    gas_interval_ps: float = 0.5
    max_iterations: int = 20

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise PropertyError(f"{field.name} must be positive")
        for name, interval in (
            ("production_ps", self.interval_ps),
            ("gas_ps", self.gas_interval_ps),
            ("transport_ps", self.interval_ps),
        ):
            if getattr(self, name) < _MIN_FRAMES * interval * (1.0 - 1e-9):
                raise PropertyError(
                    f"{name} = {getattr(self, name):g} gives fewer than {_MIN_FRAMES} frames at "
                    f"intervals of {interval:g} ps; make it longer or the interval shorter"
                )


def simulation_schema(
    property_type: type[PhysicalProperty],
    *,
    n_molecules: int = 500,
    lengths: RunLengths | None = None,
    absolute_tolerance: Any = UNDEFINED,
    relative_tolerance: float = UNDEFINED,
) -> SimulationSchema:
    """Schema for `BytePolSimulationLayer`.

    Parameters
    ----------
    property_type
        One of `STATIC_PROPERTIES`, or a property with ``default_simulation_schema`` of its own.
    n_molecules
        In the liquid.
    lengths
        Of the simulations.
    absolute_tolerance, relative_tolerance
        Target uncertainty: a quantity, or a fraction of the measurement's uncertainty.

    Returns
    -------
    SimulationSchema
        Of the type that the layer requires.

    Raises
    ------
    PropertyError
        If there is no such schema.
    """
    from openff_bytepol.properties.evaluator.layer import BytePolSimulationSchema
    from openff_bytepol.properties.evaluator.transport_properties import TRANSPORT_PROPERTIES

    lengths = RunLengths() if lengths is None else lengths
    known = (*STATIC_PROPERTIES, *TRANSPORT_PROPERTIES)
    if property_type not in known:
        raise PropertyError(
            f"no schema for {property_type.__name__}; there are those for "
            f"{', '.join(kind.__name__ for kind in known)}"
        )
    schema = BytePolSimulationSchema()
    schema.absolute_tolerance = absolute_tolerance
    schema.relative_tolerance = relative_tolerance
    if property_type in TRANSPORT_PROPERTIES:
        converge = absolute_tolerance != UNDEFINED or relative_tolerance != UNDEFINED
        schema.workflow_schema = property_type.workflow_schema(
            n_molecules, lengths, converge=converge
        )
        return schema
    upstream = property_type.default_simulation_schema(
        absolute_tolerance=absolute_tolerance,
        relative_tolerance=relative_tolerance,
        n_molecules=n_molecules,
    )
    schema.workflow_schema = adapt(upstream.workflow_schema, lengths)
    return schema


def adapt(workflow: WorkflowSchema, lengths: RunLengths) -> WorkflowSchema:
    """Put our protocols into a workflow, and set the lengths of its simulations.

    Parameters
    ----------
    workflow
        Changed in place.
    lengths
        Of the simulations.

    Returns
    -------
    WorkflowSchema
        The same.
    """
    _put_in_place(workflow)
    for protocol in walk(workflow.protocol_schemas):
        inputs = protocol.inputs
        if protocol.type == "BytePolSimulation":
            set_length(protocol, lengths, gas=_GAS in protocol.id)
        elif protocol.type == "BytePolDielectricConstant":
            inputs[".parameterized_system"] = ProtocolPath(
                "parameterized_system", "assign_parameters"
            )
        elif protocol.type == "ConditionalGroup":
            inputs[".max_iterations"] = lengths.max_iterations
    return workflow


def _put_in_place(workflow: WorkflowSchema) -> None:
    replace_protocols(workflow.protocol_schemas, REPLACEMENTS)
    for protocol in walk(workflow.protocol_schemas):
        if protocol.type == "BuildBytePolSystem":
            protocol.inputs[".enable_pbc"] = _GAS not in protocol.id


def reweighting_schema(
    property_type: type[PhysicalProperty], *, n_effective_samples: int = 50
) -> ReweightingSchema:
    """Schema for Evaluator's ``ReweightingLayer``: MBAR over stored simulations.

    Parameters
    ----------
    property_type
        One of `REWEIGHTED_PROPERTIES`.
    n_effective_samples
        Fewer are no estimate: the next layer simulates.

    Raises
    ------
    PropertyError
        If there is no such schema.
    """
    if property_type not in REWEIGHTED_PROPERTIES:
        raise PropertyError(
            f"{property_type.__name__} cannot be reweighted; these can: "
            f"{', '.join(kind.__name__ for kind in REWEIGHTED_PROPERTIES)}"
        )
    schema = property_type.default_reweighting_schema(n_effective_samples=n_effective_samples)
    _put_in_place(schema.workflow_schema)
    for protocol in walk(schema.workflow_schema.protocol_schemas):
        if protocol.type == "ReweightObservable":  # its other errors are those of pymbar 3
            protocol.inputs[".bootstrap_uncertainties"] = True
    return schema


def walk(schemas: Iterable[ProtocolSchema]) -> Iterator[ProtocolSchema]:
    """All protocols of a workflow, those in groups too."""
    for schema in schemas:
        yield schema
        if isinstance(schema, ProtocolGroupSchema):
            yield from walk(schema.protocol_schemas.values())


def replace_protocols(schemas: Iterable[ProtocolSchema], replacements: dict[str, str]) -> None:
    """Replace protocols by others that take the same inputs, in place.

    Evaluator's own ``WorkflowSchema.replace_protocol_types`` does not reach into groups.

    Parameters
    ----------
    schemas
        Of a workflow.
    replacements
        Name of a protocol → name of that to put in its place.
    """
    for schema in walk(schemas):
        if schema.type in replacements:
            schema._set_value("type", replacements[schema.type])


def set_length(protocol: ProtocolSchema, lengths: RunLengths, *, gas: bool) -> None:
    """Set the inputs of a `BytePolSimulation`, in place."""
    inputs = protocol.inputs
    equilibration = protocol.id.startswith("equilibration")
    interval = lengths.gas_interval_ps if gas else lengths.interval_ps
    if equilibration:
        time = lengths.equilibration_ps
    else:
        time = lengths.gas_ps if gas else lengths.production_ps
    output = steps(interval)
    inputs[".timestep"] = Quantity(_TIMESTEP, "femtosecond")
    inputs[".output_frequency"] = output
    inputs[".steps_per_iteration"] = max(1, round(steps(time) / output)) * output
    inputs[".checkpoint_frequency"] = max(1, round(_CHECKPOINT_PS / interval))


def steps(time_ps: float) -> int:
    """Number of time steps of the longest kind."""
    return max(1, round(time_ps * 1000.0 / _TIMESTEP))
