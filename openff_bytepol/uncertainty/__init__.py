"""How far a model's predictions can be trusted, and for which molecules."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openff_bytepol.uncertainty.calibration import Calibration
    from openff_bytepol.uncertainty.domain import Verdict, judge
    from openff_bytepol.uncertainty.energies import dimer_disagreement
    from openff_bytepol.uncertainty.ensemble import describe_molecules
    from openff_bytepol.uncertainty.laplace import LastLayerLaplace
    from openff_bytepol.uncertainty.make import calibrate_model

_HOMES = {
    "Calibration": "openff_bytepol.uncertainty.calibration",
    "LastLayerLaplace": "openff_bytepol.uncertainty.laplace",
    "Verdict": "openff_bytepol.uncertainty.domain",
    "calibrate_model": "openff_bytepol.uncertainty.make",
    "describe_molecules": "openff_bytepol.uncertainty.ensemble",
    "dimer_disagreement": "openff_bytepol.uncertainty.energies",
    "judge": "openff_bytepol.uncertainty.domain",
}

__all__ = [
    "Calibration",
    "LastLayerLaplace",
    "Verdict",
    "calibrate_model",
    "describe_molecules",
    "dimer_disagreement",
    "judge",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
