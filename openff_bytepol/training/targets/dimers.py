"""Interaction energies of dimers by component.

With residuals r between model and reference (SAPT) and s = scale + fraction·size,
the loss of a dimer is the sum of pseudo-Huber(r/s) over

- electrostatics + exchange, together;
- electrostatics alone, weighted by exp(-exchange/e0): where molecules overlap, point charges
  leave charge penetration to the repulsion;
- induction (with delta-HF) against polarization + charge transfer;
- dispersion;
- the total against the benchmark total.

Components that the reference lacks are NaN and do not count. Where charges have limits,
pseudo-Huber((|q| - limit)/charge_scale) of the atoms above theirs is added: without it a
few sigma-hole dimers drive the charges of halomethanes to absurd values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import torch
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
from openff_bytepol.training.targets.base import robust, weighted_mean
from openff_bytepol.training.targets.walls import wall_penalty

BLOCK: Final = 4
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
    names: tuple[str, ...]


class DimerTarget:
    """Dimers with reference components.

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
        self._same_pair = {split: _by_pair(kept) for split, kept in self._rows.items()}

    def size(self, split: Split) -> int:
        return len(self._rows[split])

    def rows(self, split: Split) -> Sequence[dict[str, Any]]:
        """Rows of a split, in the order of its items."""
        return self._rows[split]

    def order(self, split: Split, seed: int) -> list[int]:
        """Shuffled in blocks of up to `BLOCK` geometries of one pair of molecules.

        A batch then holds fewer distinct molecules, so the network has less to do.
        """
        generator = np.random.default_rng(seed)
        blocks = []
        for members in self._same_pair[split]:
            mixed = generator.permutation(members)
            blocks += [mixed[i : i + BLOCK].tolist() for i in range(0, len(mixed), BLOCK)]
        return [item for i in generator.permutation(len(blocks)) for item in blocks[i]]

    def collate(self, split: Split, items: list[int], seed: int) -> DimerBatch:  # noqa: ARG002
        return collate_dimers([self._rows[split][i] for i in items], self._library)

    def losses(self, model: Model, batch: DimerBatch) -> dict[str, Tensor]:
        parameters = model.network.without_terms(batch.graph)
        losses = dimer_losses(dimer_energies(parameters, batch), batch, self._config)
        if self._config.charge_limits:
            losses["charge limits"] = charge_penalty(parameters, self._config)
        if self._config.wall_energy:
            losses["walls"] = wall_penalty(parameters, self._config.wall_energy)
        return losses

    def describe(self, batch: DimerBatch) -> str:
        return ", ".join(batch.names)


def collate_dimers(rows: Sequence[dict[str, Any]], library: MoleculeLibrary) -> DimerBatch:
    """Batch of dimers; every molecule must be in the library."""
    molecules = [(library.index(r["smiles_a"]), library.index(r["smiles_b"])) for r in rows]
    distinct = sorted({m for pair in molecules for m in pair})
    sizes = [library.graphs[m].n_atoms for m in distinct]
    starts = dict(zip(distinct, torch.tensor([0, *sizes]).cumsum(0).tolist(), strict=False))
    atoms = [
        torch.arange(starts[m], starts[m] + library.graphs[m].n_atoms)
        for pair in molecules
        for m in pair
    ]
    return DimerBatch(
        graph=library.batch(distinct),
        atoms=torch.cat(atoms),
        coordinates=torch.cat(
            [torch.tensor(r["coordinates"], dtype=torch.float32).reshape(-1, 3) for r in rows]
        ),
        pairs=Pairs.concatenate([library.pairs(pair) for pair in molecules]),
        reference={
            name: torch.tensor([r[name] for r in rows], dtype=torch.float32) for name in REFERENCES
        },
        weights=torch.tensor([r["weight"] for r in rows], dtype=torch.float32),
        names=tuple(f"{r['subset']} {r['name']}" for r in rows),
    )


def predict_dimers(model: Model, batch: DimerBatch) -> InteractionComponents:
    """Components of every member, kcal/mol, (n_members, n_dimers)."""
    return dimer_energies(model.network.without_terms(batch.graph), batch)


def dimer_energies(parameters: ParameterSet, batch: DimerBatch) -> InteractionComponents:
    """Components from the parameters of the batch's distinct molecules, kcal/mol."""
    placed = gather_nonbonded(parameters, batch.atoms, batch.pairs.atom_molecule)
    return interaction_components(placed, batch.coordinates, pairs=batch.pairs)


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
    """Weighted mean of each part of the loss over dimers, (n_members,)."""
    reference = batch.reference
    exchange = reference["exch"].abs()
    contact = reference["elst"] + reference["exch"]
    total = reference["total"]
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
        "total": 0.3 * (exchange.nan_to_num() + total.abs()) + 2.0 * total.clamp(min=0.0),
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
    return losses


def _by_pair(rows: Sequence[dict[str, Any]]) -> list[list[int]]:
    """Items with the same two molecules, in the order in which pairs first occur."""
    groups: dict[tuple[str, str], list[int]] = {}
    for item, row in enumerate(rows):
        groups.setdefault((row["smiles_a"], row["smiles_b"]), []).append(item)
    return list(groups.values())
