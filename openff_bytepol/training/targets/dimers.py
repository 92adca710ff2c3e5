"""Interaction energies of dimers by component.

With residuals r between model and reference (SAPT) and s = scale + fraction·size,
the loss of a dimer is the sum of pseudo-Huber(r/s) over

- electrostatics + exchange, together;
- electrostatics alone, weighted by exp(-exchange/e0): where molecules overlap, point charges
  leave charge penetration to the repulsion;
- induction (with delta-HF) against polarization + charge transfer;
- dispersion;
- the total against the benchmark total.

Where two contacts from a liquid differ by a shift of one molecule alone, pseudo-Huber of the
residual of their difference over their distance counts as well, and so do the means of these
residuals, and of those of the totals of contacts, over contacts of the same two molecules:
totals that are right on average leave the pressure of a liquid open, which is made of forces.
Means of n contacts count by n/(n + `FEW`): those of a handful are what happened to be sampled.

Components that the reference lacks are NaN and do not count. Where charges have limits,
pseudo-Huber((|q| - limit)/charge_scale) of the atoms above theirs is added: without it a
few sigma-hole dimers drive the charges of halomethanes to absurd values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from openff_bytepol.free_atoms import FREE_ATOMS
from openff_bytepol.graph import MolecularGraph
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import InteractionComponents, Pairs, interaction_components
from openff_bytepol.training.config import TargetConfig
from openff_bytepol.training.labels.schema import VERSION, unit_field
from openff_bytepol.training.molecules import MoleculeLibrary, gather_nonbonded
from openff_bytepol.training.splits import Split
from openff_bytepol.training.targets.base import robust, shuffled_in_blocks, weighted_mean
from openff_bytepol.training.targets.walls import wall_penalty

FloatArray: TypeAlias = NDArray[np.float64]

CONTACTS: Final = "liquid contacts"
"""Subset of the dimers that are a sample of how molecules meet in a liquid."""
MINIMA: Final = "bound pairs"
"""Subset of those that were chosen for their energy, and so are no such sample."""
FEW: Final = 20.0
SHORTEST_STEP: Final = 0.02
LONGEST_STEP: Final = 0.5
"""Between neighbours on a line, Å."""
SAME_SHAPE: Final = 0.01
"""Largest difference of coordinates of a molecule that is merely shifted, Å."""
STEEP: Final = 60.0
"""Exchange (kcal/mol) at which the width of a contact's loss is twice that of a far one."""
REFERENCES: Final = ("elst", "exch", "ind", "disp", "total")

DIMERS: Final = pa.schema(
    [
        unit_field("subset", pa.string(), "", "set the dimer comes from"),
        unit_field("name", pa.string(), "", "name within the set"),
        unit_field("level", pa.string(), "", "level of theory of the components"),
        unit_field("smiles_a", pa.string(), "", "mapped SMILES of the first molecule"),
        unit_field("smiles_b", pa.string(), "", "mapped SMILES of the second molecule"),
        unit_field("coordinates", pa.list_(pa.float64()), "Å", "flattened, a then b"),
        unit_field("elst", pa.float64(), "kcal/mol", "electrostatics"),
        unit_field("exch", pa.float64(), "kcal/mol", "exchange"),
        unit_field("ind", pa.float64(), "kcal/mol", "induction with delta-HF"),
        unit_field("disp", pa.float64(), "kcal/mol", "dispersion with exchange-dispersion"),
        unit_field("total", pa.float64(), "kcal/mol", "best total interaction energy"),
        unit_field("weight", pa.float64(), "", "weight of the source in the loss"),
    ],
    metadata={"schema": "openff-bytepol dimers", "version": VERSION},
)


@dataclass(frozen=True)
class DimerBatch:
    """Dimers placed one after another; distinct molecules only once in the graph."""

    graph: MolecularGraph
    atoms: Tensor
    """Row in the graph of each atom of the dimers."""
    coordinates: Tensor
    pairs: Pairs
    reference: dict[str, Tensor]
    """`REFERENCES`, kcal/mol, (n_dimers,)."""
    weights: Tensor
    steps: Tensor
    """Pairs of contacts next to each other on a line, (2, n_steps)."""
    lengths: Tensor
    """Of the steps, Å, (n_steps,)."""
    kinds: Tensor
    """Number of each dimer's pair of molecules, below the number of dimers; (n_dimers,)."""
    contacts: Tensor
    """Which dimers are contacts from liquids; (n_dimers,)."""
    molecules: tuple[int, ...]
    """Number in the library of each molecule of the graph."""
    names: tuple[str, ...]


class DimerTarget:
    """Dimers with reference components; also the target ``contacts``, of `CONTACTS` and `MINIMA`.

    Parameters
    ----------
    rows
        Rows of the dimer schema by split.
    library
        Molecules of the run.
    config
        Scales and the energy limit.
    """

    name = "dimers"

    def __init__(
        self,
        rows: Mapping[Split, Sequence[dict[str, Any]]],
        library: MoleculeLibrary,
        config: TargetConfig,
    ) -> None:
        self._config = config
        self._library = library
        self._rows = {
            split: [r for r in of_split if r["smiles_a"] in library and r["smiles_b"] in library]
            for split, of_split in rows.items()
        }
        self._ions = _lone_ions(self._rows["train"], library) if config.wall_energy else ()
        self._same_pair = {split: _by_pair(kept) for split, kept in self._rows.items()}
        self._whole: dict[Split, DimerBatch] = {}

    def size(self, split: Split) -> int:
        return len(self._rows[split])

    def rows(self, split: Split) -> Sequence[dict[str, Any]]:
        """Rows of a split, in the order of its items."""
        return self._rows[split]

    def order(self, split: Split, seed: int) -> list[int]:
        """Shuffled in blocks of geometries of one pair of molecules.

        Contacts that are neighbours on a line stay together.
        """
        return shuffled_in_blocks(self._same_pair[split], seed)

    def collate(self, split: Split, items: list[int], seed: int) -> DimerBatch:  # noqa: ARG002
        """Batch of the items; that of all of them, in their own order, is made once."""
        rows = self._rows[split]
        if len(items) < len(rows):
            return collate_dimers([rows[i] for i in items], self._library, self._ions)
        if split not in self._whole:
            self._whole[split] = collate_dimers(rows, self._library, self._ions)
        return self._whole[split]

    def losses(self, model: Model, batch: DimerBatch) -> dict[str, Tensor]:
        parameters = model.network.without_terms(batch.graph)
        losses = dimer_losses(dimer_energies(parameters, batch), batch, self._config)
        return losses | limit_losses(parameters, self._config)

    def describe(self, batch: DimerBatch) -> str:
        return ", ".join(batch.names)


def collate_dimers(
    rows: Sequence[dict[str, Any]], library: MoleculeLibrary, ions: Sequence[int] = ()
) -> DimerBatch:
    """Batch of dimers; every molecule must be in the library.

    Molecules numbered ``ions`` are in its graph even where no dimer has them, so that walls
    between them and all others are looked at.
    """
    steps = _steps(rows)
    molecules = [(library.index(r["smiles_a"]), library.index(r["smiles_b"])) for r in rows]
    numbers = {pair: number for number, pair in enumerate(dict.fromkeys(molecules))}
    distinct = sorted({*ions, *(m for pair in molecules for m in pair)})
    in_graph = library.atom_rows(distinct)
    return DimerBatch(
        graph=library.batch(distinct),
        atoms=torch.cat([in_graph[molecule] for pair in molecules for molecule in pair]),
        coordinates=torch.cat(
            [torch.tensor(r["coordinates"], dtype=torch.float32).reshape(-1, 3) for r in rows]
        ),
        pairs=Pairs.concatenate([library.pairs(pair) for pair in molecules]),
        reference={
            name: torch.tensor([r[name] for r in rows], dtype=torch.float32) for name in REFERENCES
        },
        weights=torch.tensor([r["weight"] for r in rows], dtype=torch.float32),
        steps=torch.tensor([step[:2] for step in steps], dtype=torch.int64).reshape(-1, 2).T,
        lengths=torch.tensor([step[2] for step in steps]),
        kinds=torch.tensor([numbers[pair] for pair in molecules]),
        contacts=torch.tensor([row["subset"] == CONTACTS for row in rows]),
        molecules=tuple(distinct),
        names=tuple(f"{r['subset']} {r['name']}" for r in rows),
    )


def _lone_ions(rows: Sequence[dict[str, Any]], library: MoleculeLibrary) -> tuple[int, ...]:
    """Numbers of the molecules of one atom."""
    smiles = {row[key] for row in rows for key in ("smiles_a", "smiles_b")}
    numbers = (library.index(one) for one in smiles)
    return tuple(sorted(n for n in numbers if library.graphs[n].n_atoms == 1))


def predict_dimers(model: Model, batch: DimerBatch) -> InteractionComponents:
    """Components of every member, kcal/mol, (n_members, n_dimers)."""
    return dimer_energies(model.network.without_terms(batch.graph), batch)


def dimer_energies(parameters: ParameterSet, batch: DimerBatch) -> InteractionComponents:
    """Components from the parameters of the batch's distinct molecules, kcal/mol."""
    placed = gather_nonbonded(parameters, batch.atoms, batch.pairs.atom_molecule)
    return interaction_components(placed, batch.coordinates, pairs=batch.pairs)


def limit_losses(parameters: ParameterSet, config: TargetConfig) -> dict[str, Tensor]:
    """Penalties on parameters themselves, those that are asked for; (n_members,)."""
    losses = {}
    if config.charge_limits:
        losses["charge limits"] = charge_penalty(parameters, config)
    if config.wall_energy:
        losses["walls"] = wall_penalty(parameters, config.wall_energy)
    return losses


def charge_penalty(parameters: ParameterSet, config: TargetConfig) -> Tensor:
    """Pseudo-Huber of (|q| - limit)/charge_scale, summed over atoms, per molecule.

    Returns
    -------
    Tensor
        (n_members,).
    """
    limits = torch.full((max(FREE_ATOMS) + 1,), torch.inf, device=parameters.charges.device)
    for number, bound in config.charge_limits.items():
        limits[number] = bound
    limit = limits[parameters.atomic_numbers]
    excess = (parameters.charges.abs() - limit).clamp(min=0.0) / config.charge_scale
    return robust(excess).sum(-1) / parameters.n_molecules


def dimer_losses(
    predicted: InteractionComponents, batch: DimerBatch, config: TargetConfig
) -> dict[str, Tensor]:
    """Weighted mean of each part of the loss over dimers, (n_members,).

    Totals of contacts from liquids rise by what three-body dispersion takes from their dispersion
    energy there, ``config.three_body_dispersion``.
    """
    reference = batch.reference
    exchange = reference["exch"].abs()
    contact = reference["elst"] + reference["exch"]
    taken = config.three_body_dispersion * predicted.disp.detach().mean(0)
    total = reference["total"] - torch.where(batch.contacts, taken, torch.zeros_like(taken))
    pairs = {
        "contact": (predicted.elec + predicted.pauli, contact),
        "electrostatics": (predicted.elec, reference["elst"]),
        "induction": (predicted.pol + predicted.ct, reference["ind"]),
        "dispersion": (predicted.disp, reference["disp"]),
        "total": (predicted.total, total),
    }
    widths = {
        "contact": exchange + contact.abs() + exchange.square() / STEEP,
        "electrostatics": reference["elst"].abs(),
        "induction": reference["ind"].abs() + exchange,
        "dispersion": reference["disp"].abs(),
        "total": 0.3 * (exchange.nan_to_num() + total.abs()) + 0.5 * total.clamp(min=0.0),
    }
    factors = {"total": config.dimer_total_weight}
    separated = {"electrostatics": torch.exp(-exchange / config.electrostatics_exchange)}
    losses = {}
    for name, (value, target) in pairs.items():
        known = ~target.isnan()
        width = config.dimer_energy_scale + config.dimer_relative_scale * widths[name][known]
        error = robust((value[:, known] - target[known]) / width)
        losses[name] = factors.get(name, 1.0) * weighted_mean(
            error * separated[name][known] if name in separated else error, batch.weights[known]
        )
    if config.dimer_slope_weight or config.dimer_mean_weight:
        losses |= _line_losses(predicted.total - total, batch, config)
    return losses


def _line_losses(residuals: Tensor, batch: DimerBatch, config: TargetConfig) -> dict[str, Tensor]:
    """Losses of slopes, and of means over contacts of the same two molecules, (n_members,)."""
    known = batch.contacts & ~residuals.isnan().any(0)
    both = known[batch.steps].all(0)
    near, far = batch.steps[:, both]
    slopes = (residuals[:, far] - residuals[:, near]) / batch.lengths[both]
    means = _mean_loss(residuals[:, known], config.dimer_mean_scale, batch, known)
    means = means + _mean_loss(slopes, config.dimer_mean_slope_scale, batch, near)
    single = robust(slopes / config.dimer_slope_scale)
    return {
        "slopes": config.dimer_slope_weight * weighted_mean(single, batch.weights[near]),
        "means": config.dimer_mean_weight * means,
    }


def _mean_loss(values: Tensor, scale: float, batch: DimerBatch, chosen: Tensor) -> Tensor:
    """Pseudo-Huber of means over the same two molecules, averaged by n/(n + `FEW`), (n_members,).

    Parameters
    ----------
    values
        Of the chosen dimers, (n_members, n).
    scale
        In the same unit.
    batch
        Dimers.
    chosen
        Their rows in the batch, or a mask of them.
    """
    groups, weights = batch.kinds[chosen], batch.weights[chosen]
    sums = weights.new_zeros(len(batch.weights)).index_add(0, groups, weights)
    totals = values.new_zeros(len(values), len(sums)).index_add(1, groups, values * weights)
    means = totals / sums.clamp(min=1e-12)
    counts = torch.bincount(groups, minlength=len(sums))
    return weighted_mean(robust(means / scale), counts / (counts + FEW))


def _by_pair(rows: Sequence[dict[str, Any]]) -> list[list[list[int]]]:
    """Items with the same two molecules, in lines (`_lines`), as pairs first occur."""
    groups: dict[tuple[str, str], list[int]] = {}
    for item, row in enumerate(rows):
        groups.setdefault((row["smiles_a"], row["smiles_b"]), []).append(item)
    return [_lines([rows[i] for i in items], items) for items in groups.values()]


def _lines(rows: Sequence[dict[str, Any]], items: Sequence[int]) -> list[list[int]]:
    """Contacts in groups that differ by a shift of one molecule alone, nearest first.

    Copies of a row go to different groups; dimers that are no contacts are groups of their own.
    """
    alone = [[i] for row, i in zip(rows, items, strict=True) if row["subset"] != CONTACTS]
    groups: dict[tuple[Any, ...], list[tuple[float, int]]] = {}
    shapes: dict[tuple[Any, ...], list[FloatArray]] = {}
    copies: Counter[tuple[Any, ...]] = Counter()
    for row, item in zip(rows, items, strict=True):
        if row["subset"] != CONTACTS:
            continue
        shift, first, second = _separation(row)
        names = (row["level"], row["smiles_a"], row["smiles_b"], (first.round(2) + 0.0).tobytes())
        known = shapes.setdefault(names, [])
        same = [np.allclose(second, one, rtol=0.0, atol=SAME_SHAPE) for one in known]
        if not any(same):
            known.append(second)
        line = (names, same.index(True) if any(same) else len(same))
        place = (line, tuple(shift.round(2)))
        groups.setdefault((line, copies[place]), []).append((float(np.linalg.norm(shift)), item))
        copies[place] += 1
    return alone + [[item for _, item in sorted(group)] for group in groups.values()]


def _steps(rows: Sequence[dict[str, Any]]) -> list[tuple[int, int, float]]:
    """Contacts of liquids that are neighbours on lines, and their distance, Å."""
    found = []
    for line in _lines(rows, range(len(rows))):
        for near, far in pairwise(line):
            length = np.linalg.norm(_separation(rows[far])[0] - _separation(rows[near])[0])
            if SHORTEST_STEP < length < LONGEST_STEP:
                found.append((near, far, float(length)))
    return found


def _separation(row: dict[str, Any]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Vector between the centres (3,), and both molecules about their own, Å."""
    coordinates = np.asarray(row["coordinates"], dtype=np.float64).reshape(-1, 3)
    first, second = np.split(coordinates, [row["smiles_a"].count(":")])
    return second.mean(0) - first.mean(0), first - first.mean(0), second - second.mean(0)
