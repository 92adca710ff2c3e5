"""OpenFF plugin: ``ForceField("bytepol.offxml")`` and ``ForceField("bytepol-fixed.offxml")``.

The toolkit imports this package whenever it looks for a force field by name, so nothing
here may import torch, DGL or openff-interchange.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openff_bytepol.smirnoff.reading import read_interchange
    from openff_bytepol.smirnoff.writing import write_offxml

__all__ = ["read_interchange", "write_offxml"]

_HOMES = {
    "read_interchange": "openff_bytepol.smirnoff.reading",
    "write_offxml": "openff_bytepol.smirnoff.writing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
