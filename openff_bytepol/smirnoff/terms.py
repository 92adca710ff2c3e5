"""Filling Interchange collections: few potentials, one key per term and molecule.

Interchange spends its time on unit objects and parameter look-ups, so terms of one
molecule with equal values share one potential, and all copies of a molecule share its
potentials.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from openff.interchange.components.potentials import Potential
from openff.interchange.models import PotentialKey
from openff.toolkit import Quantity

if TYPE_CHECKING:
    from openff.interchange.components.potentials import Collection
    from openff.units import Unit

    from openff_bytepol.smirnoff.prediction import Placement, PredictedMolecule

_DIGITS = 9
"""Values that agree to so many significant digits are one.

A bond length then stays within 1e-10 nm and its force within 1e-4 kJ/mol/nm.
"""


class StoredQuantity(Quantity):
    """A quantity that skips unit conversion where there is nothing to convert.

    Exporters convert every parameter, most often to the unit that it is in already.
    """

    def m_as(self, units: str | Unit) -> Any:
        return self.magnitude if _container(units) == self._units else super().m_as(units)

    def __round__(self, ndigits: int | None = None) -> StoredQuantity | int:
        """A whole number rounds to an int, which exporters want in the end."""
        if isinstance(self.magnitude, int) and not self._units:
            return self.magnitude
        rounded: StoredQuantity = super().__round__(ndigits)
        return rounded


@functools.lru_cache(maxsize=256)
def _container(units: str | Unit) -> Any:
    return Quantity(1.0, units)._units


class Column(NamedTuple):
    """One parameter of every term of a molecule: values of shape (n_terms,), and unit."""

    values: ArrayLike
    unit: Unit


class Terms(NamedTuple):
    """Terms of one kind in one molecule, atoms counted from its first one.

    ``multiplicities`` tells terms on the same atoms apart; None where there is only one.
    """

    atoms: Sequence[Sequence[int]]
    columns: dict[str, Column]
    multiplicities: Sequence[int] | None = None


def fill(
    collection: Collection,
    handler: str,
    placements: Sequence[Placement],
    terms_of: Callable[[PredictedMolecule], Terms],
    make_key: Callable[..., Any],
) -> None:
    """Add the terms of every molecule of a topology to a collection, in topology order.

    Parameters
    ----------
    collection
        Its ``key_map`` and ``potentials`` grow in place.
    handler
        ``associated_handler`` of the potential keys: exporters look terms up by it.
    placements
        Molecules of the topology.
    terms_of
        Terms of one molecule; called once per distinct molecule.
    make_key
        Makes a topology key from the atoms of a term, and its multiplicity where it has one.
    """
    known: dict[int, list[tuple[Any, ...]]] = {}
    for predicted, start in placements:
        if id(predicted) not in known:
            terms = terms_of(predicted)
            keys = _add_potentials(collection, handler, predicted.label, terms)
            rows = (terms.atoms, keys, *([terms.multiplicities] if terms.multiplicities else []))
            known[id(predicted)] = list(zip(*rows, strict=True))
        for atoms, key, *multiplicity in known[id(predicted)]:
            shifted = tuple([start + atom for atom in atoms])
            collection.key_map[make_key(shifted, *multiplicity)] = key


def distinct_rows(columns: Sequence[ArrayLike]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First row of every group of equal rows, and the group of every row.

    Groups are numbered in the order of their first rows.
    """
    table = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns])
    with np.errstate(divide="ignore"):
        digits = _DIGITS - 1 - np.floor(np.log10(np.abs(table)))
    scale = 10.0 ** np.where(np.isfinite(digits), digits, 0.0)
    rounded = np.rint(table * scale) / scale
    _, first, group = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return first[order], np.argsort(order)[group.reshape(-1)]


def _add_potentials(
    collection: Collection, handler: str, label: str, terms: Terms
) -> list[PotentialKey]:
    if len(terms.atoms) == 0:
        return []
    first, group = distinct_rows([column.values for column in terms.columns.values()])
    keys = [PotentialKey(id=f"{label}-{i}", associated_handler=handler) for i in range(len(first))]
    parameters = {name: _quantities(c, first) for name, c in terms.columns.items()}
    for row, key in enumerate(keys):
        collection.potentials[key] = Potential(
            parameters={name: column[row] for name, column in parameters.items()}
        )
    return [keys[index] for index in group]


def _quantities(column: Column, rows: NDArray[np.int64]) -> list[Quantity]:
    """Chosen values of a column with their unit; equal values share an object."""
    values = np.asarray(column.values)[rows].tolist()
    shared = {value: StoredQuantity(value, column.unit) for value in set(values)}
    return [shared[value] for value in values]
