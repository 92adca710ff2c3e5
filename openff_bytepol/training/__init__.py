"""Labels, datasets, targets, the trainer, and the assessment of a model."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openff_bytepol.training.evaluate import evaluate_dimers, evaluate_torsions
    from openff_bytepol.training.labels.make import make_labels
    from openff_bytepol.training.run import train

_HOMES = {
    "evaluate_dimers": "openff_bytepol.training.evaluate",
    "evaluate_torsions": "openff_bytepol.training.evaluate",
    "make_labels": "openff_bytepol.training.labels.make",
    "train": "openff_bytepol.training.run",
}

__all__ = ["evaluate_dimers", "evaluate_torsions", "make_labels", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
