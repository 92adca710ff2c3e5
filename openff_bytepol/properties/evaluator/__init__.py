"""OpenFF Evaluator with bytepol force fields: plugin, schemas and calculation backends.

`plugin` registers protocols, the calculation layer and property classes; Evaluator loads
it by itself. Nothing here is imported by the rest of the package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openff_bytepol.properties.evaluator.layer import BytePolSimulationLayer
    from openff_bytepol.properties.evaluator.measurements import data_set
    from openff_bytepol.properties.evaluator.options import estimation_options
    from openff_bytepol.properties.evaluator.schemas import RunLengths, simulation_schema
    from openff_bytepol.properties.evaluator.sources import force_field_source
    from openff_bytepol.properties.evaluator.transport_properties import (
        IonicConductivity,
        SelfDiffusion,
        ShearViscosity,
    )

_ROOM = "openff_bytepol.properties.evaluator"
_HOMES = {
    "BytePolSimulationLayer": f"{_ROOM}.layer",
    "IonicConductivity": f"{_ROOM}.transport_properties",
    "RunLengths": f"{_ROOM}.schemas",
    "SelfDiffusion": f"{_ROOM}.transport_properties",
    "ShearViscosity": f"{_ROOM}.transport_properties",
    "data_set": f"{_ROOM}.measurements",
    "estimation_options": f"{_ROOM}.options",
    "force_field_source": f"{_ROOM}.sources",
    "simulation_schema": f"{_ROOM}.schemas",
}

__all__ = [
    "BytePolSimulationLayer",
    "IonicConductivity",
    "RunLengths",
    "SelfDiffusion",
    "ShearViscosity",
    "data_set",
    "estimation_options",
    "force_field_source",
    "simulation_schema",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
