"""Reading saved Interchanges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from openff_bytepol.smirnoff.hooks import extend_interchange

if TYPE_CHECKING:
    from openff.interchange import Interchange


def read_interchange(path: str | Path) -> Interchange:
    """Read an Interchange from the JSON that ``Interchange.model_dump_json`` wrote.

    A process that has not used a bytepol force field yet cannot read the polarizable
    collection with ``Interchange.model_validate_json`` alone.

    Parameters
    ----------
    path
        JSON file.

    Returns
    -------
    Interchange
    """
    from openff.interchange import Interchange

    extend_interchange()
    return Interchange.model_validate_json(Path(path).read_text())
