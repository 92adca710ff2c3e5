"""Is the new model better where it should be, and not worse anywhere else?

Every set gives one error per item (dimer, molecule, torsion scan) for the old and the new
model. The mean difference is resampled over items (paired bootstrap; over molecules or
pairs of molecules where several items share them), so that what counts is what would hold
for other items of the same kind.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from active_learning.config import CampaignConfig, GateConfig
from active_learning.dataset import Labels, Row
from openff_bytepol.exceptions import BytePolError
from openff_bytepol.nn.model import Model
from openff_bytepol.potentials import energy
from openff_bytepol.training.evaluate import evaluate_dimers, evaluate_torsions, predict_molecules
from openff_bytepol.training.labels.schema import MOLECULES, read_table
from openff_bytepol.training.references import read_torsion_scans
from openff_bytepol.training.targets.dimers import DIMERS

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Old and new model on one set."""

    name: str
    quantity: str
    items: int
    groups: int
    """Molecules or pairs that are resampled."""
    old: float
    """Mean absolute error, kcal/mol."""
    new: float
    low: float
    """Confidence interval of new - old."""
    high: float
    required: str
    """``better`` or ``not worse``."""
    passed: bool
    reason: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Errors:
    """Absolute errors of a model by item; equal groups are resampled together."""

    groups: list[str]
    values: FloatArray


def compare(
    name: str, quantity: str, old: Errors, new: Errors, config: GateConfig, *, seed: int
) -> Comparison:
    """Judge one set by a paired bootstrap.

    ``better`` needs the upper end of the interval of new - old below 0, ``not worse`` below
    ``tolerance`` times the old error. Sets of fewer than ``min_groups`` groups show nothing
    but that.

    Raises
    ------
    ValueError
        If the two models were evaluated on different items.
    """
    if old.groups != new.groups:
        raise ValueError(f"{name}: the two models cover different items")
    low, high, n_groups = paired_interval(old, new, config, seed=seed)
    conclusive = n_groups >= config.min_groups
    required = "better" if name in config.better and conclusive else "not worse"
    before, after = float(old.values.mean()), float(new.values.mean())
    limit = 0.0 if required == "better" else config.tolerance * before
    passed = high < limit or (required == "not worse" and after <= before)
    sign = "<" if passed else "≥"
    reason = (
        f"change {after - before:+.4f} kcal/mol, {config.confidence:.0%} interval "
        f"[{low:+.4f}, {high:+.4f}]; its upper end {sign} {limit:.4f}"
    )
    return Comparison(
        name, quantity, len(old.values), n_groups, before, after, low, high, required, passed,
        reason,
    )  # fmt: skip


def paired_interval(
    old: Errors, new: Errors, config: GateConfig, *, seed: int
) -> tuple[float, float, int]:
    """Bootstrap interval of the mean of new - old over groups, and the number of groups."""
    labels, owner = np.unique(np.array(old.groups), return_inverse=True)
    sums = np.bincount(owner, weights=new.values - old.values)
    counts = np.bincount(owner)
    generator = np.random.default_rng(seed)
    picks = generator.integers(len(labels), size=(config.bootstrap, len(labels)))
    means = sums[picks].sum(1) / counts[picks].sum(1)
    tail = 100.0 * (1.0 - config.confidence) / 2.0
    low, high = np.percentile(means, [tail, 100.0 - tail])
    return float(low), float(high), len(labels)


def dimer_errors(model: Model, rows: Sequence[Row]) -> Errors:
    """Absolute error of the total interaction energy, kcal/mol, by pair of molecules."""
    found = evaluate_dimers(model, rows)
    values = np.abs(found.predicted["total"] - found.reference["total"])
    groups = ["|".join(sorted((row["smiles_a"], row["smiles_b"]))) for row in found.rows]
    return Errors(groups, values)


@torch.no_grad()
def molecule_errors(model: Model, rows: Sequence[Row]) -> Errors:
    """Mean absolute error of relative energies of each molecule, kcal/mol."""
    parameters, _ = predict_molecules(model, [row["mapped_smiles"] for row in rows])
    groups, values = [], []
    for row in rows:
        if row["mapped_smiles"] in parameters:
            predicted = parameters[row["mapped_smiles"]]
            xyz = torch.tensor(np.asarray(row["coordinates"], dtype=np.float64))
            xyz = xyz.reshape(len(row["energies"]), -1, 3)
            energies = energy(predicted, xyz).total.squeeze(-1).numpy()
            residuals = energies - np.asarray(row["energies"])
            weights = 1.0 / (1.0 + np.asarray(row["energies"]) / 10.0)
            residuals = residuals - np.average(residuals, weights=weights)
            groups.append(row["smiles"])
            values.append(float(np.average(np.abs(residuals), weights=weights)))
    return Errors(groups, np.array(values))


def torsion_errors(model: Model, path: Path) -> Errors:
    """Root mean square error of each scan, kcal/mol."""
    rows = [r for r in evaluate_torsions(model, read_torsion_scans(path)) if "refused" not in r]
    return Errors([row["smiles"] for row in rows], np.array([row["bytepol"] for row in rows]))


def judge_model(
    parent: Model, candidate: Model, held_out: Mapping[str, Labels], config: CampaignConfig
) -> list[Comparison]:
    """Compare on held-out labels by name (``new``, ``replay``) and the configuration's sets."""
    gates = config.gates
    sets: list[tuple[str, str, Any, Any]] = []
    for name, labels in held_out.items():
        if labels.dimers:
            sets.append((name, "dimers", dimer_errors, labels.dimers))
        if labels.molecules:
            sets.append((name, "molecules", molecule_errors, labels.molecules))
    for name, pattern in gates.dimers.items():
        rows = [r for path in config.files(pattern) for r in read_table(path, DIMERS)]
        sets.append((name, "dimers", dimer_errors, rows))
    for name, pattern in gates.molecules.items():
        rows = [r for path in config.files(pattern) for r in read_table(path, MOLECULES)]
        sets.append((name, "molecules", molecule_errors, rows))
    sets += [
        (name, "torsions", torsion_errors, path)
        for name, pattern in gates.torsions.items()
        for path in config.files(pattern)
    ]
    found = []
    for name, quantity, measure, data in sets:
        old, now = measure(parent, data), measure(candidate, data)
        if len(old.values):
            found.append(compare(name, quantity, old, now, gates, seed=config.seed))
    return found


def run_command(command: Sequence[str], parent: Path, candidate: Path) -> tuple[bool, str]:
    """Let a program of the user's veto: its exit code, and the end of its output."""
    try:
        finished = subprocess.run(
            [*command, str(parent), str(candidate)], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise BytePolError(f"gates.command {command[0]}: {error}") from error
    output = (finished.stdout + finished.stderr).strip()
    return finished.returncode == 0, output[-500:]
