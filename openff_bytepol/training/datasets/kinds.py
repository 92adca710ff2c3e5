"""The kinds of reference data and their schemas."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from openff_bytepol.training.datasets.schemas import (
    CLUSTERS,
    MONOMERS,
    POTENTIALS,
    RESPONSES,
    TORSIONS,
)
from openff_bytepol.training.labels.schema import MOLECULES
from openff_bytepol.training.targets.anchors import ANCHORS
from openff_bytepol.training.targets.dimers import DIMERS

KINDS: Final[dict[str, pa.Schema]] = {
    "dimers": DIMERS,
    "clusters": CLUSTERS,
    "monomers": MONOMERS,
    "torsions": TORSIONS,
    "responses": RESPONSES,
    "potentials": POTENTIALS,
    "molecules": MOLECULES,
    "anchors": ANCHORS,
}
"""Name → schema; ``molecules`` and ``anchors`` are made here, the others can be imported."""


def has_geometry(kind: str) -> bool:
    """Whether rows of a kind describe geometries; if not, there is one row for each molecule."""
    return "coordinates" in KINDS[kind].names
