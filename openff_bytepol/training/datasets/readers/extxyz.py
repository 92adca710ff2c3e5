"""Your own single molecules in extended XYZ.

Each frame needs ``energy=`` (any zero), ``energy_unit=``, ``level=`` and ``charge=`` in its
comment line; forces are three further columns and need ``force_unit=`` (energy/length).
``length_unit=`` defaults to angstrom, the unit of XYZ files; no other unit is guessed.
``mapped_smiles=`` gives bond orders; without it they are perceived.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.exceptions import DataError, UnitError
from openff_bytepol.training.datasets.imported import Imported
from openff_bytepol.training.dimer_files import Frame, read_frames
from openff_bytepol.training.perception import mapped_smiles
from openff_bytepol.units import energy_in_kcal, length_in_angstrom

_NEEDED: Final = ("energy", "energy_unit", "level", "charge")


def read_monomers(path: Path) -> Imported:
    """Frames of one molecule at one level as one row of the monomer schema.

    Raises
    ------
    DataError
        If the file is missing or truncated, or a frame lacks a field.
    UnitError
        If a unit is missing or unknown.
    """
    groups: dict[tuple[str, str], list[tuple[Frame, float, Any]]] = {}
    dropped = Counter[str]()
    for number, raw in enumerate(read_frames(path)):
        fields = raw.fields
        absent = [key for key in _NEEDED if key not in fields]
        if absent:
            raise DataError(f"{path}: frame {number} lacks {', '.join(absent)}")
        factor = length_in_angstrom(fields.get("length_unit", "angstrom"))
        frame = raw._replace(coordinates=raw.coordinates * factor)
        energy = float(fields["energy"]) * energy_in_kcal(fields["energy_unit"])
        try:
            smiles = fields.get("mapped_smiles") or mapped_smiles(
                frame.atomic_numbers, frame.coordinates, int(fields["charge"])
            )
        except DataError as error:
            dropped[str(error)] += 1
            continue
        entry = (frame, energy, _forces(path, number, frame))
        groups.setdefault((smiles, fields["level"]), []).append(entry)
    rows = []
    for number, ((smiles, level), entries) in enumerate(groups.items()):
        energies = np.array([entry[1] for entry in entries])
        complete = all(entry[2] is not None for entry in entries)
        rows.append(
            {
                "subset": path.name,
                "name": str(number),
                "level": level,
                "mapped_smiles": smiles,
                "coordinates": np.concatenate([e[0].coordinates.ravel() for e in entries]),
                "energies": energies - energies.min(),
                "forces": np.concatenate([e[2].ravel() for e in entries]) if complete else [],
            }
        )
    return Imported(rows, dropped)


def _forces(path: Path, number: int, frame: Frame) -> NDArray[np.float64] | None:
    if any(len(line) < 7 for line in frame.lines):
        return None
    energy, _, length = frame.fields.get("force_unit", "").rpartition("/")
    if not energy:
        raise UnitError(f"{path}: frame {number} has forces but no force_unit=ENERGY/LENGTH")
    factor = energy_in_kcal(energy) / length_in_angstrom(length)
    return factor * np.array([[float(x) for x in line[4:7]] for line in frame.lines])
