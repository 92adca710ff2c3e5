"""Physical priors: charges, C6, polarizabilities and Sage's bonded terms.

Loss: mean pseudo-Huber of (x - x_ref)/scale for charges, bond lengths, angles and
torsion amplitudes, and of ln(x/x_ref)/scale for C6, polarizabilities and force constants.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from openff_bytepol.graph import MolecularGraph
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.training.config import TargetConfig
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.splits import Split
from openff_bytepol.training.targets.base import robust, shuffled

_TERMS = {"bonds": ("bond_k", "bond_r0"), "angles": ("angle_k", "angle_theta0")}
_WIDTHS = {"bonds": 2, "angles": 3, "propers": 4}


@dataclass(frozen=True)
class PriorBatch:
    """Reference parameters in the order of the batched graph; NaN where there is none."""

    graph: MolecularGraph
    reference: dict[str, Tensor]
    smiles: tuple[str, ...]


class PriorTarget:
    """Molecules with prior parameters.

    Parameters
    ----------
    rows
        Rows of the molecules schema by split.
    library
        Molecules of the run.
    config
        Scales.
    """

    name = "priors"

    def __init__(
        self,
        rows: Mapping[Split, Sequence[dict[str, Any]]],
        library: MoleculeLibrary,
        config: TargetConfig,
    ) -> None:
        self._config = config
        self._library = library
        self._items = {
            split: [
                (library.index(row["mapped_smiles"]), row["smiles"], _align(row, library))
                for row in of_split
                if row["mapped_smiles"] in library
            ]
            for split, of_split in rows.items()
        }

    def size(self, split: Split) -> int:
        return len(self._items[split])

    def order(self, split: Split, seed: int) -> list[int]:
        return shuffled(self.size(split), seed)

    def collate(self, split: Split, items: list[int], seed: int) -> PriorBatch:  # noqa: ARG002
        chosen = [self._items[split][i] for i in items]
        names = chosen[0][2].keys()
        return PriorBatch(
            self._library.batch([molecule for molecule, _, _ in chosen]),
            {name: torch.cat([reference[name] for _, _, reference in chosen]) for name in names},
            tuple(smiles for _, smiles, _ in chosen),
        )

    def losses(self, model: Model, batch: PriorBatch) -> dict[str, Tensor]:
        return prior_losses(model.network(batch.graph), batch.reference, self._config)

    def describe(self, batch: PriorBatch) -> str:
        return ", ".join(batch.smiles)


def prior_losses(
    parameters: ParameterSet, reference: dict[str, Tensor], config: TargetConfig
) -> dict[str, Tensor]:
    """Loss of each quantity, (n_members,); reference values that are NaN do not count."""
    scales = {
        "charges": (config.charge_scale, False),
        "c6": (config.log_c6_scale, True),
        "polarizabilities": (config.log_polarizability_scale, True),
        **bonded_scales(config),
    }
    losses = {}
    for name, target in reference.items():
        known = ~target.isnan()
        losses[name] = mean_loss(getattr(parameters, name)[:, known], target[known], *scales[name])
    return losses


def bonded_scales(config: TargetConfig) -> dict[str, tuple[float, bool]]:
    """Scale of each parameter of bonded terms, and whether it is that of its logarithm."""
    return {
        "bond_k": (config.log_force_constant_scale, True),
        "bond_r0": (config.bond_length_scale, False),
        "angle_k": (config.log_force_constant_scale, True),
        "angle_theta0": (config.angle_scale, False),
        "proper_k": (config.proper_scale, False),
        "improper_k": (config.proper_scale, False),
    }


def mean_loss(value: Tensor, target: Tensor, scale: float, logarithmic: bool) -> Tensor:
    """Mean pseudo-Huber of the deviations of a parameter, (n_members,); 0 if there are none.

    Parameters
    ----------
    value
        (n_members, n, …).
    target
        (n, …), or with the members' axis, too.
    scale
        Of deviations, or of those of logarithms.
    logarithmic
        Whether logarithms are compared.
    """
    if logarithmic:
        value, target = value.clamp(min=1e-6).log(), target.clamp(min=1e-6).log()
    error = robust((value - target) / scale).flatten(1)
    return error.sum(-1) / max(1, error.shape[-1])


def _align(row: dict[str, Any], library: MoleculeLibrary) -> dict[str, Tensor]:
    """Reference values of one row in the order of its graph's terms."""
    graph = library.graphs[library.index(row["mapped_smiles"])]
    reference = {
        name: torch.tensor(row[name], dtype=torch.float32)
        for name in ("charges", "c6", "polarizabilities")
    }
    for index, width in _WIDTHS.items():
        atoms = np.array(row[index], dtype=np.int64).reshape(-1, width)
        place = {_key(terms): number for number, terms in enumerate(atoms.tolist())}
        order = [place.get(_key(terms), -1) for terms in getattr(graph, index).tolist()]
        names = _TERMS.get(index, ("proper_k",))
        for name in names:
            columns = (-1, 4) if name == "proper_k" else (-1,)
            values = np.array(row[name], dtype=np.float32).reshape(columns)
            blank = np.full((1, *values.shape[1:]), math.nan, dtype=np.float32)
            reference[name] = torch.from_numpy(np.concatenate([values, blank])[order])
    reference["bond_k"][reference["bond_k"] <= 0.0] = math.nan
    reference["angle_k"][reference["angle_k"] <= 0.0] = math.nan
    return reference


def _key(atoms: list[int]) -> tuple[int, ...]:
    return tuple(atoms if atoms[0] < atoms[-1] else atoms[::-1])
