"""Whole numbers of molecules for mixtures and electrolytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from openff_bytepol.exceptions import CompositionError
from openff_bytepol.units import AVOGADRO

_TOLERANCE: Final = 0.1
"""Largest relative error of an amount by rounding to whole molecules."""


def counts_by_fraction(
    names: Sequence[str], fractions: Sequence[float], n_molecules: int
) -> tuple[int, ...]:
    """Molecules of each component, by the method of largest remainders; they sum exactly.

    Parameters
    ----------
    names
        Of the components, for messages.
    fractions
        Mole fractions, or parts in any unit: they are normalised.
    n_molecules
        Of all components together.

    Raises
    ------
    CompositionError
        If a fraction is not positive, or so few molecules that rounding changes a component
        by more than a tenth.
    """
    parts = np.asarray(fractions, dtype=np.float64)
    if len(parts) != len(names) or len(parts) == 0:
        raise CompositionError(f"{len(parts)} mole fractions for {len(names)} components")
    if not np.isfinite(parts).all() or parts.min() <= 0.0:
        raise CompositionError(
            f"mole fractions of {', '.join(names)} must be positive: {fractions}"
        )
    exact = parts / parts.sum() * n_molecules
    counts = np.floor(exact + 1e-9).astype(int)
    remainders = np.argsort(counts - exact, kind="stable")
    counts[remainders[: n_molecules - int(counts.sum())]] += 1
    for name, count, wanted in zip(names, counts.tolist(), exact.tolist(), strict=True):
        _check_rounding(name, count, wanted, n_molecules)
    return tuple(counts.tolist())


def formula_units_by_molality(salt: str, molality: float, solvent_mass: float) -> int:
    """Formula units of a salt in a mass of solvent.

    Parameters
    ----------
    salt
        Its name, for messages.
    molality
        mol per kg of solvent.
    solvent_mass
        Of all solvent molecules in the box, g/mol (Da).

    Raises
    ------
    CompositionError
        If the box is too small for a whole number within a tenth, or the molality not positive.
    """
    return _whole(salt, molality * solvent_mass / 1000.0, f"{molality:g} mol/kg")


def formula_units_by_molarity(salt: str, molarity: float, volume: float) -> int:
    """Formula units of a salt in a volume of solution.

    Parameters
    ----------
    salt
        Its name, for messages.
    molarity
        mol per litre of solution.
    volume
        Of the box, Å³.

    Raises
    ------
    CompositionError
        As `formula_units_by_molality`.
    """
    return _whole(salt, molarity * volume * 1e-27 * AVOGADRO, f"{molarity:g} mol/L")


def check_neutral(names: Sequence[str], counts: Sequence[int], charges: Sequence[float]) -> None:
    """Refuse boxes with a net charge.

    Parameters
    ----------
    names, counts, charges
        Of the components; charges of one molecule or ion each, e.

    Raises
    ------
    CompositionError
        If the sum of the charges is not zero.
    """
    total = float(np.dot(counts, charges))
    if abs(total) > 1e-6:
        ions = ", ".join(
            f"{count} {name} ({charge:+g})"
            for name, count, charge in zip(names, counts, charges, strict=True)
            if charge
        )
        raise CompositionError(f"the box has a charge of {total:+g} e: {ions}; add counter-ions")


def _whole(name: str, exact: float, amount: str) -> int:
    if not math.isfinite(exact) or exact <= 0.0:
        raise CompositionError(f"{name}: {amount} is not a positive amount in this box")
    count = round(exact)
    if abs(count - exact) > _TOLERANCE * exact:
        raise CompositionError(
            f"{name}: {amount} would be {exact:.2f} formula units in this box; use a box at least "
            f"{math.ceil(0.5 / (_TOLERANCE * exact))} times as large, or another amount"
        )
    return count


def _check_rounding(name: str, count: int, exact: float, n_molecules: int) -> None:
    if abs(count - exact) > _TOLERANCE * exact:
        needed = math.ceil(n_molecules * 0.5 / (_TOLERANCE * exact))
        raise CompositionError(
            f"{exact:.2f} molecules of {name} among {n_molecules} round to {count}; use about "
            f"{needed} molecules, or another composition"
        )
