"""Readers of published dimer sets, each with its own level of theory."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from openff_bytepol.exceptions import DataError
from openff_bytepol.training.perception import mapped_smiles

_FIELD = re.compile(r'(\w+)=("[^"]*"|\S+)')
_SUM_TOLERANCE = 0.05
COMPONENTS = ("elst", "exch", "ind", "disp")


class Frame(NamedTuple):
    """One frame of an extended XYZ file."""

    fields: dict[str, str]
    atomic_numbers: NDArray[np.int64]
    coordinates: NDArray[np.float64]
    """Å, (n_atoms, 3)"""


class DimerFile(NamedTuple):
    """What a reader found."""

    rows: list[dict[str, Any]]
    """Rows of the dimer schema."""
    dropped: Counter[str]
    """Dimers left out, by reason."""


def read_frames(path: Path) -> Iterator[Frame]:
    """Frames of an extended XYZ file, gzipped or not.

    Raises
    ------
    DataError
        If the file is missing or truncated.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such dimer file")
    table = Chem.GetPeriodicTable()
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as handle:
        while header := handle.readline().strip():
            count = int(header)
            comment = handle.readline()
            lines = [handle.readline().split() for _ in range(count)]
            if any(len(line) < 4 for line in lines):
                raise DataError(f"{path}: truncated after {comment.strip()[:80]}")
            yield Frame(
                {key: value.strip('"') for key, value in _FIELD.findall(comment)},
                np.array([table.GetAtomicNumber(line[0]) for line in lines]),
                np.array([[float(x) for x in line[1:4]] for line in lines]),
            )


def _ncia_energies(fields: dict[str, str]) -> tuple[str, dict[str, float]]:
    if "sapt_b3lyp_elst" in fields:
        level, prefix = "DFT-SAPT(B3LYP)", "sapt_b3lyp_"
    elif "sapt0_elst" in fields:
        level, prefix = "SAPT0", "sapt0_"
    else:
        raise DataError("no energy components")
    energies = {name: float(fields[prefix + name]) for name in COMPONENTS}
    energies["ind"] += float(fields.get(prefix + "dhf", 0.0))
    components, total = sum(energies.values()), float(fields[prefix + "total"])
    if abs(components - total) > _SUM_TOLERANCE:
        raise DataError("components do not add up")
    return level, energies | {"total": float(fields["ccsdt_cbs"])}


def _sapt10k_energies(fields: dict[str, str]) -> tuple[str, dict[str, float]]:
    energies = {name: float(fields[name.capitalize()]) for name in COMPONENTS}
    total = float(fields["benchmark_Eint"])
    if abs(sum(energies.values()) - total) > _SUM_TOLERANCE:
        raise DataError("components do not add up")
    return "SAPT(10k)", energies | {"total": total}


_READERS = {
    "ncia": (_ncia_energies, "set", "id"),
    "sapt10k": (_sapt10k_energies, "folder_name", "file_name"),
}


def read_dimers(path: Path, reader: str, exclude_subsets: tuple[str, ...] = ()) -> DimerFile:
    """Dimers of a file as rows of the dimer schema.

    Parameters
    ----------
    path
        Extended XYZ file.
    reader
        ``ncia`` (NCIAtlas; DFT-SAPT with B3LYP or SAPT0, delta-HF in the induction, total
        CCSD(T)/CBS) or ``sapt10k`` (SO3LR repository, doi 10.1063/5.0204064).
    exclude_subsets
        Subsets left out.

    Raises
    ------
    DataError
        If the file is missing or truncated, or nothing can be used.
    """
    energies_of, subset_field, name_field = _READERS[reader]
    rows, dropped = [], Counter[str]()
    for frame in read_frames(path):
        absent = {subset_field, name_field, "charge_a", "selection_a"} - set(frame.fields)
        if absent:
            raise DataError(
                f"{path}: a comment line lacks {', '.join(sorted(absent))}, which the layout "
                f"'{reader}' has; is the file in another layout?"
            )
        subset = frame.fields[subset_field]
        if subset in exclude_subsets:
            dropped["excluded subset"] += 1
            continue
        try:
            level, energies = energies_of(frame.fields)
            rows.append(
                {"subset": subset, "name": frame.fields[name_field], "level": level}
                | _molecules(frame)
                | energies
            )
        except DataError as error:
            dropped[str(error)] += 1
    if not rows:
        raise DataError(f"{path}: no usable dimers: {dict(dropped)}")
    return DimerFile(rows, dropped)


def _molecules(frame: Frame) -> dict[str, Any]:
    parts = {}
    order = []
    for side in "ab":
        chosen = _selection(frame.fields[f"selection_{side}"])
        charge = int(float(frame.fields[f"charge_{side}"]))
        parts[f"smiles_{side}"] = mapped_smiles(
            frame.atomic_numbers[chosen], frame.coordinates[chosen], charge
        )
        order.append(chosen)
    atoms = np.concatenate(order)
    if len(atoms) != len(frame.atomic_numbers):
        raise DataError("selections do not cover the dimer")
    return parts | {"coordinates": frame.coordinates[atoms].ravel()}


def _selection(text: str) -> NDArray[np.int64]:
    """Zero-based atoms of a list of one-based ranges such as ``1-3,5``."""
    ranges = [[int(end) for end in part.split("-")] for part in text.split(",")]
    return np.concatenate([np.arange(ends[0] - 1, ends[-1]) for ends in ranges])
