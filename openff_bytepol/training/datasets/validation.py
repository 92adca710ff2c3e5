"""Checks of reference data, and a report of what was dropped for which reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from openff_bytepol.exceptions import ChemistryError, DataError, LabelLevelError
from openff_bytepol.free_atoms import FREE_ATOMS
from openff_bytepol.training.datasets.anchors import contradicting, parameter_fault, repeated
from openff_bytepol.training.datasets.geometry import (
    FloatArray,
    Skeleton,
    fault,
    repeats,
    skeleton,
    sorted_distances,
)
from openff_bytepol.training.datasets.kinds import has_geometry
from openff_bytepol.training.datasets.unit_checks import suspected_units

Row = dict[str, Any]

COMPONENTS: Final = ("elst", "exch", "ind", "disp")
_SUM_TOLERANCE: Final = (2.0, 0.6)
"""A total may differ from the sum of parts by so much, kcal/mol, and part of exchange: the
best total of a set is often of a higher level than its parts."""
_N_EXAMPLES: Final = 5


@dataclass
class Report:
    """What a check found.

    Attributes
    ----------
    kind
        Schema of the rows.
    read, kept
        Numbers of entries.
    dropped
        Reason → number of entries.
    examples
        Reason → names of the first few.
    levels
        Level of theory → number of entries kept.
    units
        Suspicions that values are in other units; empty if none.
    """

    kind: str
    read: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    levels: Counter[str] = field(default_factory=Counter)
    units: list[str] = field(default_factory=list)

    def drop(self, reason: str, name: str) -> None:
        """Count one entry that is left out."""
        self.dropped[reason] += 1
        if len(self.examples[reason]) < _N_EXAMPLES:
            self.examples[reason].append(name)

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.dropped and not self.units

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "kind": self.kind,
            "read": self.read,
            "kept": self.kept,
            "dropped": dict(self.dropped),
            "examples": dict(self.examples),
            "levels": dict(self.levels),
            "units": self.units,
        }


def validate(
    kind: str, rows: Sequence[Row], dropped: Counter[str] | None = None
) -> tuple[list[Row], Report]:
    """Rows that pass, and the report.

    Parameters
    ----------
    kind
        A key of `openff_bytepol.training.datasets.kinds.KINDS`.
    rows
        Rows of that schema.
    dropped
        What the reader left out already.
    """
    report = Report(kind)
    for reason, count in (dropped or {}).items():
        report.dropped[reason] += count
        report.read += count
    report.read += len(rows)
    kept: list[Row] = []
    for row in rows:
        if (fault_found := _fault(kind, row)) is not None:
            report.drop(fault_found, _name(row))
            continue
        kept.append(row)
    unwanted = dict.fromkeys(_incomplete(kept) if kind == "dimers" else (), "missing components")
    for position in duplicates(kind, kept):
        unwanted.setdefault(position, "duplicate")
    for position in contradictions(kind, kept):
        unwanted.setdefault(position, "other parameters of the same molecule")
    for position, reason in sorted(unwanted.items()):
        report.drop(reason, _name(kept[position]))
    unique = [row for position, row in enumerate(kept) if position not in unwanted]
    report.kept = len(unique)
    report.levels = Counter(row_level(row) for row in unique)
    report.units = suspected_units(kind, unique)
    return unique, report


def duplicates(kind: str, rows: Sequence[Row]) -> set[int]:
    """Positions of entries equal to an earlier one.

    They have the same molecules, level and all sorted distances, or, where there are no
    geometries, the same molecule and parameters.

    Parameters
    ----------
    kind
        A key of `openff_bytepol.training.datasets.kinds.KINDS`.
    rows
        Rows of that schema.

    Raises
    ------
    DataError
        If a SMILES is invalid or lacks map numbers.
    """
    if not has_geometry(kind):
        return repeated(rows)
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    fingerprints: list[FloatArray] = []
    for position, row in enumerate(rows):
        molecules = [skeleton(smiles) for smiles in row_smiles(row)]
        groups[row_level(row), *sorted(one.smiles for one in molecules)].append(position)
        fingerprints.append(_fingerprint(molecules, row))
    return {
        members[repeat]
        for members in groups.values()
        for repeat in repeats([fingerprints[i] for i in members])
    }


def contradictions(kind: str, rows: Sequence[Row]) -> set[int]:
    """Positions of entries that say something else about a molecule than an earlier one.

    Only where there are no geometries that could differ.

    Parameters
    ----------
    kind
        A key of `openff_bytepol.training.datasets.kinds.KINDS`.
    rows
        Rows of that schema.

    Raises
    ------
    DataError
        If a SMILES is invalid or lacks map numbers.
    """
    return set() if has_geometry(kind) else contradicting(rows)


def require_level(rows: Iterable[Row], allowed: Iterable[str], where: str) -> None:
    """Refuse rows of another level of theory.

    Raises
    ------
    LabelLevelError
        If a row's level is not among those allowed.
    """
    accepted = set(allowed)
    found = Counter(row_level(row) for row in rows)
    others = {level: count for level, count in found.items() if level not in accepted}
    if others:
        listed = ", ".join(f"{level} ({count})" for level, count in others.items())
        raise LabelLevelError(
            f"{where}: {listed} where {' or '.join(sorted(accepted))} is asked for; keep levels in "
            "separate files, or allow this one too"
        )


def row_smiles(row: Row) -> list[str]:
    """Mapped SMILES of the molecules of a row of any schema."""
    if "smiles_a" in row:
        return [row["smiles_a"], row["smiles_b"]]
    return [row["mapped_smiles"]] if "mapped_smiles" in row else list(row["smiles"])


def row_level(row: Row) -> str:
    """Level of theory of a row of any schema; of anchors, whether they were fitted."""
    if "n_dimers" in row:
        return "fitted" if row["n_dimers"] else "not fitted"
    return str(row.get("level", "AIMNet2"))


def _name(row: Row) -> str:
    if "name" in row:
        return f"{row['subset']} {row['name']}"
    return str(row.get("smiles", row["mapped_smiles"]))


def _fault(kind: str, row: Row) -> str | None:
    """Reason to drop a row, or None."""
    try:
        molecules = [skeleton(smiles) for smiles in row_smiles(row)]
    except (DataError, ChemistryError) as error:
        return f"unsupported chemistry: {str(error).split(': ')[-1]}"
    if not has_geometry(kind):
        return _chemistry_fault(molecules) or parameter_fault(molecules[0], row)
    return (
        _chemistry_fault(molecules)
        or _value_fault(kind, row)
        or _geometry_fault(molecules, row)
        or (_sum_fault(row) if kind == "dimers" else None)
    )


def _chemistry_fault(molecules: list[Skeleton]) -> str | None:
    if any(not set(one.atomic_numbers.tolist()) <= FREE_ATOMS.keys() for one in molecules):
        return "unsupported chemistry: element"
    if any(one.radicals for one in molecules):
        return "unsupported chemistry: radical"
    if any("." in one.smiles for one in molecules):
        return "unsupported chemistry: several species in one molecule"
    return None


def _value_fault(kind: str, row: Row) -> str | None:
    arrays = ("coordinates", "energies", "forces", "points", "potential", "angles")
    if any(not np.isfinite(np.asarray(row[name])).all() for name in arrays if name in row):
        return "values that are not finite"
    if kind == "dimers" and all(np.isnan(row[name]) for name in (*COMPONENTS, "total")):
        return "no energies"
    return None


def _incomplete(rows: Sequence[Row]) -> set[int]:
    """Positions of dimers without an energy that most of their set and level have."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for position, row in enumerate(rows):
        groups[row["subset"], row["level"]].append(position)
    found = set()
    for members in groups.values():
        known = np.isfinite([[rows[i][name] for name in (*COMPONENTS, "total")] for i in members])
        lacking = (~known & (known.mean(0) > 0.5)).any(1)
        found |= {i for i, lacks in zip(members, lacking, strict=True) if lacks}
    return found


def _geometry_fault(molecules: list[Skeleton], row: Row) -> str | None:
    sizes = [len(one.atomic_numbers) for one in molecules]
    flat = np.asarray(row["coordinates"], dtype=float)
    if len(flat) == 0 or len(flat) % (3 * sum(sizes)):
        return "coordinates and molecules differ in length"
    if "energies" in row and len(row["energies"]) * 3 * sum(sizes) != len(flat):
        return "coordinates and energies differ in length"
    for geometry in flat.reshape(-1, sum(sizes), 3):
        reason = fault(molecules, np.split(geometry, np.cumsum(sizes)[:-1]))
        if reason is not None:
            return reason
    return None


def _sum_fault(row: Row) -> str | None:
    total = sum(row[name] for name in COMPONENTS)
    allowed = _SUM_TOLERANCE[0] + _SUM_TOLERANCE[1] * abs(row["exch"])
    return "components do not add up" if abs(total - row["total"]) > allowed else None


def _fingerprint(molecules: list[Skeleton], row: Row) -> FloatArray:
    """Sorted distances of the first geometry of a row."""
    numbers = np.concatenate([one.atomic_numbers for one in molecules])
    coordinates = np.asarray(row["coordinates"], dtype=float).reshape(-1, 3)[: len(numbers)]
    return sorted_distances(numbers, coordinates)
