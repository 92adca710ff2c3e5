"""What a label will cost: core-hours from size and level, learned from finished records.

A record of s functions takes exp(a)·s^b core-hours, with a and b for every level and kind.
Until records are finished a and b are rough known values; then their posterior means under
Gaussian errors of the logarithm, so that a few records move the factor and many the
exponent.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from rdkit import Chem

from active_learning.labelling.base import LabelJob

_HEAVY, _HYDROGEN = 14.0, 5.0
"""Functions of a double-zeta basis; a level's own basis only changes its factor."""
_SIZE: Final = 150.0
_NOISE: Final = 0.3
"""Standard deviation of the logarithm of one record's time."""


class _Prior(NamedTuple):
    core_hours: float
    """At `_SIZE` functions, one geometry."""
    exponent: float


_PRIORS: Final = (
    (("gfn", "xtb"), _Prior(1e-5, 1.5)),
    (("aimnet",), _Prior(1e-5, 1.0)),
    (("sapt",), _Prior(1.5e-2, 2.9)),
    (("eda",), _Prior(1.3e-1, 3.0)),
    (("mp2",), _Prior(5e-2, 4.0)),
)
"""Words in the name of a level → what one record takes on an ordinary core."""
_OTHERWISE: Final = _Prior(6e-2, 2.8)
_PRIOR_WIDTH: Final = (1.0, 0.5)
"""Standard deviations of the logarithm of the factor, and of the exponent."""
_GRADIENTS_PER_POINT: Final = 8.0
"""Of a relaxed torsion scan."""


def size_of(molecules: Sequence[str]) -> float:
    """Double-zeta basis functions of molecules together, by SMILES, mapped or not."""
    total = 0.0
    for smiles in molecules:
        mol = Chem.MolFromSmiles(smiles)
        hydrogens = sum(atom.GetTotalNumHs(includeNeighbors=True) for atom in mol.GetAtoms())
        total += _HEAVY * mol.GetNumHeavyAtoms() + _HYDROGEN * hydrogens
    return total


def records_of(job: LabelJob) -> int:
    """Geometries that a job labels."""
    if job.kind == "torsion":
        return max(1, round(360.0 / job.spacing))
    return len(job.coordinates)


class CostModel:
    """Predicted core-hours of jobs.

    Parameters
    ----------
    finished
        Jobs with the core-hours they took.
    """

    def __init__(self, finished: Iterable[tuple[LabelJob, float]] = ()) -> None:
        groups: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
        for job, core_hours in finished:
            if core_hours > 0.0:
                per_record = core_hours / records_of(job)
                groups[job.level, job.kind].append(
                    (math.log(size_of(job.smiles) / _SIZE), math.log(per_record))
                )
        self._fits = {key: _posterior(key, points) for key, points in groups.items()}
        self.n_records = {" ".join(key): len(points) for key, points in groups.items()}

    def predict(self, job: LabelJob, level: str | None = None) -> float:
        """Core-hours of a job, at another level if asked."""
        per_record = self.per_record(level or job.level, job.kind, size_of(job.smiles))
        return records_of(job) * per_record

    def per_record(self, level: str, kind: str, size: float) -> float:
        """Core-hours of one geometry of so many functions (see `size_of`)."""
        key = (level, kind)
        a, b = self._fits.get(key) or _prior(key)
        return math.exp(a + b * math.log(size / _SIZE))

    def describe(self) -> dict[str, Any]:
        """Core-hours of one record of 150 functions, and exponent, of every fitted level."""
        return {
            " ".join(key): {"core_hours": math.exp(a), "exponent": b, "records": n}
            for (key, (a, b)), n in zip(self._fits.items(), self.n_records.values(), strict=True)
        }


def _prior(key: tuple[str, str]) -> tuple[float, float]:
    level, kind = key
    prior = next((p for words, p in _PRIORS if any(w in level.lower() for w in words)), _OTHERWISE)
    factor = _GRADIENTS_PER_POINT if kind == "torsion" else 1.0
    return math.log(factor * prior.core_hours), prior.exponent


def _posterior(key: tuple[str, str], points: list[tuple[float, float]]) -> tuple[float, float]:
    mean = np.array(_prior(key))
    precision = np.diag(1.0 / np.square(_PRIOR_WIDTH))
    x, y = np.array(points).T
    design = np.stack([np.ones_like(x), x], axis=1)
    left = precision + design.T @ design / _NOISE**2
    right = precision @ mean + design.T @ y / _NOISE**2
    a, b = np.linalg.solve(left, right)
    return float(a), float(b)
