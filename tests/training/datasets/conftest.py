"""Dimers in the layouts of published and own files."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from openff_bytepol.training.datasets.readers import read
from openff_bytepol.units import BOHR_IN_ANGSTROM
from tests.training.conftest import METHANE_XYZ, WATER_XYZ

FIELDS = 'name="d" charge_a=0 charge_b=0 selection_a=1-3 selection_b=4-8 level="SAPT0/x"'


def own_frame(distance: float, fields: str) -> str:
    """Water over methane in extended XYZ."""
    xyz = np.concatenate([WATER_XYZ, METHANE_XYZ + np.array([0.0, 0.0, distance])])
    atoms = "\n".join(
        f"{s} {x:.6f} {y:.6f} {z:.6f}" for s, (x, y, z) in zip("OHHCHHHH", xyz, strict=True)
    )
    return f"8\n{FIELDS} {fields}\n{atoms}\n"


def moved(shift: float) -> np.ndarray:
    """Water moved along z by so many Å, in bohr."""
    return (WATER_XYZ + np.array([0.0, 0.0, shift])) / BOHR_IN_ANGSTROM


def pointer_block(distance: float, exchange: float = 20.0) -> str:
    """Two waters in the layout of POInter: bohr and millihartree."""
    lines = []
    for shift in (0.0, distance):
        lines.append("3")
        for symbol, (x, y, z) in zip("OHH", moved(shift), strict=True):
            lines.append(f"{symbol} {x:.6f} {y:.6f} {z:.6f}")
    values = {"E1pol": -10.0, "E1exch": exchange, "E2ind": -9.0, "E2ind-exch": 7.0, "dhf": -1.0,
              "E2disp": -8.0, "E2disp-exch": 2.0, "E1tot+E2tot": 2.0}  # fmt: skip
    return "\n".join([*lines, *(f"{key} {value}" for key, value in values.items())]) + "\n\n"


@pytest.fixture(scope="module")
def real_dimers(reference_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """A few water dimers of POInter."""
    with gzip.open(reference_data / "data/dimers/pointer_h2o_h2o.sapt.gz", "rt") as handle:
        blocks = handle.read().split("\n\n")[:30]
    path = tmp_path_factory.mktemp("pointer") / "water.sapt"
    path.write_text("\n\n".join(blocks))
    return [row | {"weight": 1.0} for row in read(path, "pointer")[1].rows]
