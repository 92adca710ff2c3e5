"""Values in other units than the schema's, found by what physics allows.

Each quantity has an estimate that is right within a factor of two or three: dispersion of
a dimer from free-atom C6, a molecular polarizability from the atoms', the range of relative
energies from experience. The median ratio over a set tells hartree (1/627), eV (1/23) and
kJ/mol (4.2) from kcal/mol; single entries tell hartree. Coordinates in bohr or nanometre
show in the bonds (`openff_bytepol.training.datasets.geometry.fault`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from openff_bytepol.free_atoms import FREE_ATOMS
from openff_bytepol.training.datasets.geometry import Skeleton, skeleton
from openff_bytepol.units import (
    BOHR_IN_ANGSTROM,
    EV_IN_KCAL,
    HARTREE_IN_KCAL,
    KJ_PER_KCAL,
    NM_PER_ANGSTROM,
)

Row = dict[str, Any]

_ENERGY_UNITS: Final = {
    "hartree": 1.0 / HARTREE_IN_KCAL,
    "eV": 1.0 / EV_IN_KCAL,
    "kJ/mol": KJ_PER_KCAL,
}
_VOLUME_UNITS: Final = {"bohr³": BOHR_IN_ANGSTROM**-3, "nm³": NM_PER_ANGSTROM**3}
_SPREAD: Final = 3.0
"""Typical range of conformers and torsions, kcal/mol."""
_CONTACT: Final = 0.2
"""Dimers whose estimated dispersion is weaker are too far apart to tell, kcal/mol."""
_FAR: Final = 100.0
"""Units that differ by more are told apart for single entries too."""
_ENOUGH: Final = 10
"""Entries that the median needs for units that differ by less."""


def suspected_units(kind: str, rows: Sequence[Row]) -> list[str]:
    """One sentence for each group of rows whose values look like another unit's."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[f"{row.get('subset', row.get('source'))}, {row.get('level', 'AIMNet2')}"].append(row)
    found = []
    for name, members in groups.items():
        for quantity, ratio, units in _CHECKS.get(kind, ()):
            ratios = np.array([value for row in members if (value := ratio(row)) is not None])
            unit = _nearest(ratios, units)
            if unit is not None and (len(ratios) >= _ENOUGH or _is_far(units[unit])):
                found.append(f"{name}: {quantity} look like {unit}")
                continue
            far = {unit: value for unit, value in units.items() if _is_far(value)}
            count = sum(_nearest(np.array([one]), far) is not None for one in ratios) if far else 0
            if count and quantity not in _NEVER_SINGLE:
                found.append(f"{name}: {count} of {len(ratios)} {quantity} look like {min(far)}")
    return found


def _is_far(factor: float) -> bool:
    return not 1.0 / _FAR < factor < _FAR


def _nearest(ratios: np.ndarray[Any, Any], units: dict[str, float]) -> str | None:
    """The unit whose factor is closest to the median ratio, None for the schema's own."""
    usable = ratios[np.isfinite(ratios) & (ratios > 0.0)]
    if not usable.size:
        return None
    middle = np.log(np.median(usable))
    distances = {unit: abs(middle - np.log(factor)) for unit, factor in units.items()}
    best = min(distances, key=lambda unit: distances[unit])
    return best if distances[best] < abs(middle) else None


def _dispersion_estimate(row: Row) -> float:
    """Dispersion of free-atom C6, damped at the van der Waals radii, kcal/mol."""
    one, other = skeleton(row["smiles_a"]), skeleton(row["smiles_b"])
    xyz = np.asarray(row["coordinates"], dtype=float).reshape(-1, 3)
    a, b = np.split(xyz, [len(one.atomic_numbers)])
    distances = np.linalg.norm(a[:, None] - b[None], axis=-1)
    c6 = np.sqrt(_atoms(one, "c6")[:, None] * _atoms(other, "c6")[None])
    radii = 0.5 * (_atoms(one, "radius")[:, None] + _atoms(other, "radius")[None])
    return float((c6 / (distances**6 + radii**6)).sum())


def _dispersion_ratio(row: Row) -> float | None:
    estimate = _dispersion_estimate(row)
    return None if np.isnan(row["disp"]) or estimate < _CONTACT else -float(row["disp"]) / estimate


def _total_ratio(row: Row) -> float | None:
    """Only for entries without components."""
    estimate = _dispersion_estimate(row)
    known = not np.isnan(row["disp"])
    return None if known or estimate < _CONTACT else abs(float(row["total"])) / estimate


def _polarizability_ratio(row: Row) -> float | None:
    diagonal = np.asarray(row["polarizability"], dtype=float).reshape(3, 3).diagonal()
    if np.isnan(diagonal).all():
        return None
    atoms = _atoms(skeleton(row["mapped_smiles"]), "polarizability").sum()
    return float(np.nanmean(diagonal) / atoms)


def _spread_ratio(row: Row) -> float | None:
    """Range of relative energies over a typical one."""
    energies = np.asarray(row["energies"], dtype=float)
    return float(np.ptp(energies) / _SPREAD) if len(energies) > 1 else None


def _atoms(one: Skeleton, name: str) -> np.ndarray[Any, Any]:
    return np.array([getattr(FREE_ATOMS[int(z)], name) for z in one.atomic_numbers])


_Check = tuple[str, Callable[[Row], float | None], dict[str, float]]
_HARTREE: Final = {"hartree": 1.0 / HARTREE_IN_KCAL}
_NEVER_SINGLE: Final = ("relative energies", "totals")
"""Quantities that may be small for one entry by chance."""
_CHECKS: Final[dict[str, tuple[_Check, ...]]] = {
    "dimers": (
        ("energies", _dispersion_ratio, _ENERGY_UNITS),
        ("totals", _total_ratio, _HARTREE),
    ),
    "monomers": (("relative energies", _spread_ratio, _HARTREE),),
    "torsions": (("relative energies", _spread_ratio, _HARTREE),),
    "responses": (("polarizabilities", _polarizability_ratio, _VOLUME_UNITS),),
}
