"""Duplicates, impossible entries, suspicious units, levels."""

from __future__ import annotations

import numpy as np
import pytest

from openff_bytepol.exceptions import LabelLevelError
from openff_bytepol.training.datasets.validation import require_level, validate
from openff_bytepol.units import BOHR_IN_ANGSTROM, HARTREE_IN_KCAL, KJ_PER_KCAL
from tests.training.conftest import dimer_row


def test_duplicates_are_found_however_they_are_turned() -> None:
    row = dimer_row(3.0, "first")
    xyz = np.array(row["coordinates"]).reshape(-1, 3)
    turned = row | {"name": "turned", "coordinates": (xyz[:, [1, 2, 0]] + 5.0).ravel()}
    other_level = row | {"name": "other", "level": "another"}
    kept, report = validate("dimers", [row, turned, other_level, dimer_row(3.1, "new")])
    assert [one["name"] for one in kept] == ["first", "other", "new"]
    assert report.dropped == {"duplicate": 1}
    assert report.examples == {"duplicate": ["toy turned"]}


def test_impossible_and_unsupported_entries_are_dropped_with_the_reason() -> None:
    good = dimer_row(3.0)
    stretched = np.array(good["coordinates"]).reshape(-1, 3).copy()
    stretched[1] *= 1.9
    bad = {
        "molecules overlap": dimer_row(0.8),
        "broken connectivity": good | {"coordinates": stretched.ravel()},
        "coordinates look like bohr": good
        | {"coordinates": np.array(good["coordinates"]) / BOHR_IN_ANGSTROM},
        "unsupported chemistry: element": good | {"smiles_a": "[Se:1]([H:2])[H:3]"},
        "unsupported chemistry: radical": good
        | {"smiles_a": "[O:1][H:2]", "coordinates": good["coordinates"][3:]},
        "coordinates and molecules differ in length": good | {"coordinates": [0.0, 1.0, 2.0]},
        "values that are not finite": good | {"coordinates": [np.nan] * 24},
        "components do not add up": dimer_row(3.4) | {"total": 30.0},
        "no energies": good | dict.fromkeys(("elst", "exch", "ind", "disp", "total"), np.nan),
    }
    for reason, row in bad.items():
        kept, report = validate("dimers", [dimer_row(3.2), row])
        assert report.dropped == {reason: 1}, reason
        assert len(kept) == 1


def test_missing_components_are_those_that_the_set_has() -> None:
    rows = [dimer_row(2.9 + 0.1 * i, str(i)) for i in range(5)]
    rows[3]["ind"] = np.nan
    _, report = validate("dimers", rows)
    assert report.dropped == {"missing components": 1}
    totals_only = [row | dict.fromkeys(("elst", "exch", "ind", "disp"), np.nan) for row in rows]
    assert validate("dimers", totals_only)[1].clean


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("hartree", 1 / HARTREE_IN_KCAL), ("kJ/mol", KJ_PER_KCAL), ("eV", 1 / 23.06)],
)
def test_energies_of_another_unit_are_noticed(
    unit: str, factor: float, real_dimers: list[dict]
) -> None:
    names = ("elst", "exch", "ind", "disp", "total")
    rows = real_dimers
    assert validate("dimers", rows)[1].units == []
    wrong = [row | {name: factor * row[name] for name in names} for row in rows]
    assert validate("dimers", wrong)[1].units == [
        f"water, DFT-SAPT(PBE0): energies look like {unit}"
    ]
    if unit == "hartree":
        mixed = [*rows[:25], *wrong[25:]]
        (found,) = validate("dimers", mixed)[1].units
        assert "look like hartree" in found


def test_level_of_another_kind_is_a_typed_error() -> None:
    with pytest.raises(LabelLevelError, match=r"made up \(1\) where SAPT0 is asked for"):
        require_level([dimer_row(3.0)], ["SAPT0"], "file")
    require_level([dimer_row(3.0)], ["SAPT0", "made up"], "file")
