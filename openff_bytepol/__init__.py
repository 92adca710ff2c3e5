"""The polarizable force field that any OpenFF user can load in one line.

>>> from openff.toolkit import ForceField, Molecule
>>> force_field = ForceField("bytepol.offxml")
>>> interchange = force_field.create_interchange(Molecule.from_smiles("CCO").to_topology())
>>> system = interchange.to_openmm(combine_nonbonded_forces=False)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openff_bytepol.exceptions import BytePolError
    from openff_bytepol.interop.simulation import make_simulation
    from openff_bytepol.models import list_models, load_model, predict
    from openff_bytepol.nn.model import Model
    from openff_bytepol.parameters import ParameterSet
    from openff_bytepol.projection import FixedChargeParameters, project_fixed_charge
    from openff_bytepol.settings import NonbondedSettings

_HOMES = {
    "BytePolError": "openff_bytepol.exceptions",
    "FixedChargeParameters": "openff_bytepol.projection",
    "Model": "openff_bytepol.nn.model",
    "NonbondedSettings": "openff_bytepol.settings",
    "ParameterSet": "openff_bytepol.parameters",
    "list_models": "openff_bytepol.models",
    "load_model": "openff_bytepol.models",
    "make_simulation": "openff_bytepol.interop.simulation",
    "predict": "openff_bytepol.models",
    "project_fixed_charge": "openff_bytepol.projection",
}

__all__ = [
    "BytePolError",
    "FixedChargeParameters",
    "Model",
    "NonbondedSettings",
    "ParameterSet",
    "list_models",
    "load_model",
    "make_simulation",
    "predict",
    "project_fixed_charge",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
