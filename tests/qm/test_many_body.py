"""Three-body energies against 3B-69 and in their limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from openff_bytepol.exceptions import DataError
from openff_bytepol.qm import Fragment, Level
from openff_bytepol.qm.fragments import split_coordinates
from openff_bytepol.training.datasets.readers.gscdb import read_trimers
from tests.qm import systems

pytest.importorskip("pyscf")
from openff_bytepol.qm.many_body import three_body
from openff_bytepol.qm.mean_field import build_molecule, build_part

LEVEL = Level("x", "three-body", "pyscf", "mp2", "def2-svpd")
SMALL = replace(LEVEL, basis="def2-svp")


def waters(*shifts: tuple[float, float, float]) -> list[Fragment]:
    water = systems.WATER
    return [Fragment(water.symbols, water.coordinates + np.array(shift)) for shift in shifts]


def test_water_trimers_of_3b69(reference_data: Path) -> None:
    rows = read_trimers(reference_data / "data/monomers/gscdb138_subset.tar.gz").rows
    found = [
        three_body(split_coordinates(r["smiles"], r["coordinates"].reshape(-1, 3)), LEVEL)
        for r in rows[:3]
    ]
    assert found == pytest.approx([-1.374, 1.015, -2.422], abs=0.002)
    assert found == pytest.approx([row["three_body"] for row in rows[:3]], abs=0.08)


def test_order_of_molecules_does_not_matter() -> None:
    trimer = waters((0.0, 0.0, 0.0), (0.3, 0.4, 2.9), (2.9, 0.2, 0.5))
    turned = [trimer[2], trimer[0], trimer[1]]
    energy = three_body(trimer, SMALL)
    assert abs(energy) > 0.05
    assert three_body(turned, SMALL) == pytest.approx(energy, abs=1e-4)


def test_it_vanishes_where_one_molecule_is_far_away() -> None:
    trimer = waters((0.0, 0.0, 0.0), (0.3, 0.4, 2.9), (40.0, 0.0, 0.0))
    assert three_body(trimer, SMALL) == pytest.approx(0.0, abs=1e-3)


def test_parts_have_the_basis_functions_of_the_whole_in_the_same_order() -> None:
    trimer = [systems.WATER, systems.NEON, systems.HYDROXIDE]
    whole = build_part(trimer, (0, 1, 2), "def2-svp")
    outer = build_part(trimer, (0, 2), "def2-svp")
    assert whole.nao == outer.nao
    assert (whole.charge, outer.nelectron) == (-1, 20)
    np.testing.assert_array_equal(whole.atom_coords(), outer.atom_coords())
    ghosts = build_molecule(systems.NEON, "def2-svp", [systems.WATER, systems.HYDROXIDE], 1)
    np.testing.assert_array_equal(whole.atom_coords(), ghosts.atom_coords())
    assert ghosts.nelectron == 10


@pytest.mark.parametrize(
    ("count", "level", "message"),
    [
        (2, LEVEL, "three molecules, not 2"),
        (3, replace(LEVEL, method="hf"), "need mp2"),
        (3, replace(LEVEL, auxiliary_basis=None), "density fitting"),
    ],
)
def test_what_cannot_be_computed_is_refused(count: int, level: Level, message: str) -> None:
    with pytest.raises(DataError, match=message):
        three_body([systems.WATER] * count, level)
