"""DFT-SAPT homodimer scans of POInter (Van Vleet, Misquitta, Schmidt and co-workers).

Blocks of two molecules in bohr followed by energies in millihartree,
https://doi.org/10.1021/acs.jctc.5b01209.
"""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from openff_bytepol.exceptions import DataError
from openff_bytepol.training.datasets.imported import Imported
from openff_bytepol.training.perception import mapped_smiles
from openff_bytepol.units import energy_in_kcal, length_in_angstrom

LEVEL: Final = "DFT-SAPT(PBE0)"
_SUMS: Final = {
    "elst": ("E1pol",),
    "exch": ("E1exch",),
    "ind": ("E2ind", "E2ind-exch", "dhf"),
    "disp": ("E2disp", "E2disp-exch"),
    "total": ("E1tot+E2tot", "dhf"),
}
_TOLERANCE: Final = 0.05


def read_pointer(path: Path) -> Imported:
    """Dimers of a ``.sapt`` file as rows of the dimer schema.

    Induction includes delta-HF. Both molecules are neutral.

    Raises
    ------
    DataError
        If the file is missing, truncated or in another layout.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as handle:
        blocks = [block.splitlines() for block in handle.read().split("\n\n") if block.strip()]
    subset = path.name.split(".")[0]
    rows, dropped = [], Counter[str]()
    for number, lines in enumerate(blocks):
        row = _row(path, lines, number)
        components = sum(row[name] for name in ("elst", "exch", "ind", "disp"))
        if abs(components - row["total"]) > _TOLERANCE:
            dropped["components do not add up"] += 1
            continue
        rows.append({"subset": subset, "name": str(number), "level": LEVEL} | row)
    return Imported(rows, dropped)


def _row(path: Path, lines: list[str], number: int) -> dict[str, Any]:
    try:
        first, rest = _molecule(lines)
        second, rest = _molecule(rest)
        values = {words[0]: float(words[1]) for line in rest if (words := line.split())}
        energies = {name: sum(values[key] for key in keys) for name, keys in _SUMS.items()}
    except (ValueError, IndexError, KeyError, RuntimeError) as error:
        raise DataError(f"{path}: block {number} is not a POInter dimer ({error!r})") from error
    factor = energy_in_kcal("millihartree")
    return {
        "smiles_a": mapped_smiles(*first, 0),
        "smiles_b": mapped_smiles(*second, 0),
        "coordinates": np.concatenate([first[1], second[1]]).ravel(),
        **{name: factor * value for name, value in energies.items()},
    }


def _molecule(
    lines: list[str],
) -> tuple[tuple[NDArray[np.int64], NDArray[np.float64]], list[str]]:
    count = int(lines[0])
    table = Chem.GetPeriodicTable()
    words = [line.split() for line in lines[1 : count + 1]]
    numbers = np.array([table.GetAtomicNumber(word[0]) for word in words])
    coordinates = np.array([[float(x) for x in word[1:4]] for word in words])
    return (numbers, coordinates * length_in_angstrom("bohr")), lines[count + 1 :]
