"""Nonbonded parameters that were fitted directly to the dimers of a molecule.

With q the charges, and x each of the other parameters of `ATOM_PARAMETERS`, the loss is

    < h((q - q_anchor)/s_q) > + sum over x of < h(ln(x/x_anchor)/s_x) >,

h the pseudo-Huber function, means over the atoms of a batch. Repulsion and charge transfer are
exponentials of ``lambdas`` and ``ct_lambdas``, so the scale of these is a tenth of the others'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import torch
from torch import Tensor

from openff_bytepol.graph import MolecularGraph
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ATOM_PARAMETERS, ParameterSet
from openff_bytepol.training.config import TargetConfig
from openff_bytepol.training.labels.schema import VERSION, unit_field
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.splits import Split
from openff_bytepol.training.targets.base import robust, shuffled

SENSITIVE: Final = 0.1
"""Scale of the logarithms of ``lambdas`` and ``ct_lambdas`` over that of other parameters."""

ANCHORS: Final = pa.schema(
    [
        unit_field(
            "mapped_smiles", pa.string(), "", "SMILES whose map numbers give the atom order"
        ),
        *(
            unit_field(name, pa.list_(pa.float64()), unit, "fitted, of each atom")
            for name, unit in ATOM_PARAMETERS.items()
        ),
        unit_field("n_dimers", pa.int32(), "", "dimers they were fitted to"),
        unit_field("loss_before", pa.float64(), "", "of the parameters they started from"),
        unit_field("loss_after", pa.float64(), "", "of the fitted parameters"),
    ],
    metadata={"schema": "openff-bytepol anchors", "version": VERSION},
)


@dataclass(frozen=True)
class AnchorBatch:
    """Fitted parameters in the order of the batched graph."""

    graph: MolecularGraph
    reference: dict[str, Tensor]
    """By name and in the units of `ATOM_PARAMETERS`; (n_atoms,) each."""
    smiles: tuple[str, ...]


class AnchorTarget:
    """Molecules with fitted parameters, all for training.

    Parameters
    ----------
    rows
        Rows of the anchors schema.
    library
        Molecules of the run; rows of molecules that it lacks are left out.
    config
        Scales.
    """

    name = "anchors"

    def __init__(
        self, rows: Sequence[dict[str, Any]], library: MoleculeLibrary, config: TargetConfig
    ) -> None:
        self._config = config
        self._library = library
        self._rows = [row for row in rows if row["mapped_smiles"] in library]

    def size(self, split: Split) -> int:
        return len(self._rows) if split == "train" else 0

    def order(self, split: Split, seed: int) -> list[int]:
        return shuffled(self.size(split), seed)

    def collate(self, split: Split, items: list[int], seed: int) -> AnchorBatch:  # noqa: ARG002
        """Batch of the items; what is asked for several times is there once."""
        rows = [self._rows[i] for i in dict.fromkeys(items)]
        smiles = tuple(row["mapped_smiles"] for row in rows)
        return AnchorBatch(
            self._library.batch([self._library.index(one) for one in smiles]),
            {
                name: torch.cat([torch.tensor(row[name], dtype=torch.float32) for row in rows])
                for name in ATOM_PARAMETERS
            },
            smiles,
        )

    def losses(self, model: Model, batch: AnchorBatch) -> dict[str, Tensor]:
        parameters = model.network.without_terms(batch.graph)
        return anchor_losses(parameters, batch.reference, self._config)

    def describe(self, batch: AnchorBatch) -> str:
        return ", ".join(batch.smiles)


def anchor_losses(
    parameters: ParameterSet, reference: dict[str, Tensor], config: TargetConfig
) -> dict[str, Tensor]:
    """Loss of each parameter, a mean over atoms; (n_members,).

    Parameters
    ----------
    parameters
        Predicted, with an ensemble axis.
    reference
        Fitted values by name; (n_atoms,) each.
    config
        Scales.
    """
    losses = {}
    for name, target in reference.items():
        value = getattr(parameters, name)
        if name == "charges":
            error = (value - target) / config.anchor_charge_scale
        else:
            scale = config.anchor_log_scale * (SENSITIVE if name.endswith("lambdas") else 1.0)
            error = (value.log() - target.log()) / scale
        losses[name] = robust(error).mean(-1)
    return losses
