"""Whole molecules for the composition asked for, or a clear refusal."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from openff_bytepol.exceptions import CompositionError
from openff_bytepol.properties.composition import (
    check_neutral,
    counts_by_fraction,
    formula_units_by_molality,
    formula_units_by_molarity,
)


def test_mole_fractions_become_counts():
    assert counts_by_fraction(["O", "CCO"], [0.8, 0.2], 125) == (100, 25)
    assert counts_by_fraction(["A", "B", "C"], [1, 1, 1], 100) == (34, 33, 33)
    assert counts_by_fraction(["A"], [3.0], 7) == (7,)


@given(st.lists(st.floats(0.05, 1.0), min_size=1, max_size=4), st.integers(200, 2000))
@example([0.75, 0.625, 0.875, 0.05078125], 200)
def test_counts_sum_exactly_and_are_within_one(fractions, total):
    names = [str(i) for i in range(len(fractions))]
    exact = [total * fraction / sum(fractions) for fraction in fractions]
    try:
        counts = counts_by_fraction(names, fractions, total)
    except CompositionError:
        assert min(exact) < 10.0, "less than one of ten or more is within the tolerance"
        return
    assert sum(counts) == total
    for count, one in zip(counts, exact, strict=True):
        assert abs(count - one) < 1.0


def test_impossible_mixtures_are_refused():
    with pytest.raises(CompositionError, match="CCO among 20"):
        counts_by_fraction(["O", "CCO"], [0.99, 0.01], 20)
    with pytest.raises(CompositionError, match="positive"):
        counts_by_fraction(["O", "CCO"], [1.0, 0.0], 100)
    with pytest.raises(CompositionError, match="1 mole fractions for 2"):
        counts_by_fraction(["O", "CCO"], [1.0], 100)


def test_salts():
    # 1 mol/kg: one formula unit per 1000 g/mol of solvent
    assert formula_units_by_molality("NaCl", 1.0, 1000 * 18.015) == 18
    # 0.1 mol/L: 6.02 in (46.4 Å)³
    assert formula_units_by_molarity("NaCl", 0.1, 1e5) == 6
    with pytest.raises(CompositionError, match=r"0\.18 formula units"):
        formula_units_by_molality("NaCl", 0.1, 100 * 18.015)
    with pytest.raises(CompositionError, match="positive"):
        formula_units_by_molality("NaCl", -1.0, 1e5)


def test_charges_must_balance():
    check_neutral(["O", "[Na+]", "[Cl-]"], [100, 4, 4], [0, 1, -1])
    check_neutral(["[Mg+2]", "[Cl-]"], [2, 4], [2, -1])
    with pytest.raises(CompositionError, match=r"4 \[Na\+\] \(\+1\)"):
        check_neutral(["O", "[Na+]", "[Cl-]"], [100, 4, 3], [0, 1, -1])
