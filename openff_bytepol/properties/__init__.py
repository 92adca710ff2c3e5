"""Properties of liquids: simulation protocols, analysis and estimators over OpenMM.

>>> from openff_bytepol.properties import State, estimate
>>> result = estimate("density", "CCO", State(298.15), "bytepol-fixed.offxml", time="200ps")
>>> print(result["density"])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openff_bytepol.properties.estimation import Estimation
    from openff_bytepol.properties.estimator import estimate
    from openff_bytepol.properties.observables import Observables
    from openff_bytepol.properties.results import PropertyEstimate
    from openff_bytepol.properties.state import State
    from openff_bytepol.properties.substance import Substance

_HOMES = {
    "Estimation": "openff_bytepol.properties.estimation",
    "Observables": "openff_bytepol.properties.observables",
    "PropertyEstimate": "openff_bytepol.properties.results",
    "State": "openff_bytepol.properties.state",
    "Substance": "openff_bytepol.properties.substance",
    "estimate": "openff_bytepol.properties.estimator",
}

__all__ = ["Estimation", "Observables", "PropertyEstimate", "State", "Substance", "estimate"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
