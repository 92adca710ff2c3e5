"""Readers of published dimer sets, each with its own level of theory."""

from __future__ import annotations

import gzip
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from openff_bytepol.exceptions import DataError
from openff_bytepol.training.datasets.imported import Imported
from openff_bytepol.training.perception import mapped_smiles
from openff_bytepol.units import energy_in_kcal

_FIELD = re.compile(r'(\w+)=("[^"]*"|\S+)')
_SUM_TOLERANCE = 0.05
COMPONENTS = ("elst", "exch", "ind", "disp")
_SIDES: Final = ("charge_a", "charge_b", "selection_a", "selection_b")


class Frame(NamedTuple):
    """One frame of an extended XYZ file."""

    fields: dict[str, str]
    atomic_numbers: NDArray[np.int64]
    coordinates: NDArray[np.float64]
    """First three numbers of each line, (n_atoms, 3); Å unless the file says otherwise"""
    lines: list[list[str]]
    """Words of each atom's line."""


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
            if not header.isdigit():
                raise DataError(f"{path}: '{header[:40]}' where a number of atoms should be")
            comment = handle.readline()
            lines = [handle.readline().split() for _ in range(int(header))]
            if any(len(line) < 4 for line in lines):
                raise DataError(f"{path}: truncated after {comment.strip()[:80]}")
            try:
                numbers = np.array([table.GetAtomicNumber(line[0]) for line in lines])
                coordinates = np.array([[float(x) for x in line[1:4]] for line in lines])
            except (RuntimeError, ValueError) as error:
                raise DataError(f"{path}: cannot read {comment.strip()[:80]}: {error}") from error
            fields = {key: value.strip('"') for key, value in _FIELD.findall(comment)}
            yield Frame(fields, numbers, coordinates, lines)


Energies: TypeAlias = tuple[str, dict[str, float]]
"""Level, and energies by component with the total, kcal/mol."""


def _ncia_energies(fields: dict[str, str]) -> Energies:
    if "sapt_b3lyp_elst" in fields:
        level, prefix = "DFT-SAPT(B3LYP)", "sapt_b3lyp_"
    elif "sapt0_elst" in fields:
        level, prefix = "SAPT0", "sapt0_"
    else:
        raise DataError("no energy components")
    energies = {name: float(fields[prefix + name]) for name in COMPONENTS}
    energies["ind"] += float(fields.get(prefix + "dhf", 0.0))
    _checked_total(energies, float(fields[prefix + "total"]))
    return level, energies | {"total": float(fields["ccsdt_cbs"])}


def _sapt10k_energies(fields: dict[str, str]) -> Energies:
    energies = {name: float(fields[name.capitalize()]) for name in COMPONENTS}
    total = _checked_total(energies, float(fields["benchmark_Eint"]))
    return "SAPT(10k)", energies | {"total": total}


def _apnet_energies(fields: dict[str, str]) -> Energies:
    energies = {name: float(fields[name.capitalize()]) for name in COMPONENTS}
    return "SAPT0", energies | {"total": _checked_total(energies, float(fields["Total"]))}


def _qcmlforge_energies(fields: dict[str, str]) -> Energies:
    energies = {name: float(fields[f"{name.capitalize()}_aug"]) for name in COMPONENTS}
    total = _checked_total(energies, float(fields["Total_aug"]))
    return "SAPT0/aug-cc-pVDZ", energies | {"total": total}


def _own_energies(fields: dict[str, str]) -> Energies:
    absent = [key for key in ("level", "energy_unit", "total") if key not in fields]
    if absent:
        raise DataError(f"comment line lacks {', '.join(absent)}")
    factor = energy_in_kcal(fields["energy_unit"])
    energies = {name: factor * float(fields.get(name, math.nan)) for name in (*COMPONENTS, "total")}
    return fields["level"], energies


def _checked_total(components: dict[str, float], total: float) -> float:
    if abs(sum(components.values()) - total) > _SUM_TOLERANCE:
        raise DataError("components do not add up")
    return total


class _Layout(NamedTuple):
    """Names in the comment lines of one published file."""

    energies: Callable[[dict[str, str]], Energies]
    subset: str | None
    """Field with the subset; None where the whole file is one."""
    name: str


_LAYOUTS: Final = {
    "ncia": _Layout(_ncia_energies, "set", "id"),
    "sapt10k": _Layout(_sapt10k_energies, "folder_name", "file_name"),
    "apnet": _Layout(_apnet_energies, None, "id"),
    "qcmlforge": _Layout(_qcmlforge_energies, None, "id"),
    "extxyz": _Layout(_own_energies, None, "name"),
}
LAYOUTS: Final = tuple(_LAYOUTS)


def read_dimers(path: Path, reader: str, exclude_subsets: tuple[str, ...] = ()) -> Imported:
    """Dimers of a file as rows of the dimer schema.

    Parameters
    ----------
    path
        Extended XYZ file.
    reader
        Layout of the comment lines: ``ncia`` (NCIAtlas; DFT-SAPT with B3LYP or SAPT0,
        delta-HF in the induction, total CCSD(T)/CBS), ``sapt10k`` (SO3LR repository,
        doi 10.1063/5.0204064), ``apnet`` (AP-Net, doi 10.1063/5.0011521), ``qcmlforge``
        (QCMLForge; the aug-cc-pVDZ values), or ``extxyz``, your own file: ``name``,
        ``charge_a``, ``charge_b``, ``selection_a``, ``selection_b``, ``level``,
        ``energy_unit``, ``total`` and, where known, ``elst``, ``exch``, ``ind``, ``disp``.
    exclude_subsets
        Subsets left out.

    Raises
    ------
    DataError
        If the file is missing or truncated, or nothing can be used.
    """
    layout = _LAYOUTS[reader]
    needed = {layout.subset or layout.name, layout.name, *_SIDES}
    rows, dropped = [], Counter[str]()
    for frame in read_frames(path):
        absent = needed - set(frame.fields)
        if absent:
            raise DataError(
                f"{path}: a comment line lacks {', '.join(sorted(absent))}, which the layout "
                f"'{reader}' has; is the file in another layout?"
            )
        subset = frame.fields[layout.subset] if layout.subset else reader
        if subset in exclude_subsets:
            dropped["excluded subset"] += 1
            continue
        try:
            level, energies = layout.energies(frame.fields)
            rows.append(
                {"subset": subset, "name": frame.fields[layout.name], "level": level}
                | _molecules(frame)
                | energies
            )
        except DataError as error:
            dropped[str(error)] += 1
    if not rows:
        raise DataError(f"{path}: no usable dimers: {dict(dropped)}")
    return Imported(rows, dropped)


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
