"""Whether the parameters of an anchor are possible, and which anchors share a molecule."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Final

import numpy as np

from openff_bytepol.parameters import ATOM_PARAMETERS
from openff_bytepol.training.datasets.geometry import Skeleton, skeleton

Row = dict[str, Any]

_LOSSES: Final = ("loss_before", "loss_after")
_CHARGE_TOLERANCE: Final = 1e-3
"""Between the sum of atomic charges and the molecule's, e."""


def parameter_fault(molecule: Skeleton, row: Row) -> str | None:
    """Why the parameters of an anchor are impossible, or None.

    Parameters
    ----------
    molecule
        Of the row.
    row
        Of the anchors schema; losses may be NaN where nothing was fitted.
    """
    if any(len(row[name]) != len(molecule.atomic_numbers) for name in ATOM_PARAMETERS):
        return "parameters and molecule differ in length"
    numbers = (*ATOM_PARAMETERS, *(_LOSSES if row["n_dimers"] else ()))
    if not all(np.isfinite(row[name]).all() for name in numbers):
        return "values that are not finite"
    for name in ATOM_PARAMETERS:
        if name != "charges" and not (np.asarray(row[name]) > 0.0).all():
            return f"{name} that are not positive"
    if abs(np.sum(row["charges"]) - molecule.charge) > _CHARGE_TOLERANCE:
        return "charges do not add up"
    return "loss rose in the fit" if row["loss_after"] > row["loss_before"] else None


def repeated(rows: Sequence[Row]) -> set[int]:
    """Positions of anchors with the molecule and parameters of an earlier one, atoms in any order.

    Raises
    ------
    DataError
        If a SMILES is invalid or lacks map numbers.
    """
    return _seen_before((_molecule(row), *_parameters(row)) for row in rows)


def contradicting(rows: Sequence[Row]) -> set[int]:
    """Positions of anchors of a molecule for which an earlier one has other parameters.

    Raises
    ------
    DataError
        If a SMILES is invalid or lacks map numbers.
    """
    return _seen_before(_molecule(row) for row in rows) - repeated(rows)


def _molecule(row: Row) -> str:
    return skeleton(row["mapped_smiles"]).smiles


def _parameters(row: Row) -> list[bytes]:
    """Sorted values of each parameter."""
    return [np.sort(np.asarray(row[name], dtype=float)).tobytes() for name in ATOM_PARAMETERS]


def _seen_before(values: Iterable[Hashable]) -> set[int]:
    """Positions of values equal to an earlier one."""
    seen: set[Hashable] = set()
    found = set()
    for position, value in enumerate(values):
        if value in seen:
            found.add(position)
        seen.add(value)
    return found
