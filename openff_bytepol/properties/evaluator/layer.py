"""The calculation layer: direct simulation with bytepol's protocols."""

from __future__ import annotations

from functools import partial

from openff.evaluator.layers import calculation_layer, register_calculation_schema
from openff.evaluator.layers.simulation import SimulationSchema
from openff.evaluator.layers.workflow import WorkflowCalculationLayer

from openff_bytepol.properties.evaluator.schemas import STATIC_PROPERTIES, simulation_schema
from openff_bytepol.properties.evaluator.transport_properties import TRANSPORT_PROPERTIES

LAYER = "BytePolSimulationLayer"


class BytePolSimulationSchema(SimulationSchema):
    """Options and workflow of `BytePolSimulationLayer`."""


@calculation_layer()
class BytePolSimulationLayer(WorkflowCalculationLayer):
    """Estimates properties by simulation, with polarizable or fixed-charge force fields."""

    @classmethod
    def required_schema_type(cls) -> type[BytePolSimulationSchema]:
        return BytePolSimulationSchema


for _property in (*STATIC_PROPERTIES, *TRANSPORT_PROPERTIES):
    register_calculation_schema(
        _property, BytePolSimulationLayer, partial(simulation_schema, _property)
    )
