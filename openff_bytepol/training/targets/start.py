"""What the start of a run says about molecules that need no labels.

New data say nothing about most molecules, and a network that learns them forgets what it knew of
these. So its own first parameters are a target (Li and Hoiem, "Learning without Forgetting",
https://arxiv.org/abs/1606.09282): with x each of the parameters that ``start_parameters`` names,
x' that of the same member before the run, the loss is the sum over x of

    < h((x - x')/s_x) >  for charges, bond lengths, angles and torsion amplitudes,
    < h(ln(x/x')/s_x) >  for all others,

h the pseudo-Huber function, means over atoms or terms. Atoms have the scales of anchors, bonded
terms those of priors.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor

from openff_bytepol.graph import MolecularGraph
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ATOM_PARAMETERS, ParameterSet
from openff_bytepol.training.config import TargetConfig
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.splits import Split
from openff_bytepol.training.targets.anchors import anchor_losses
from openff_bytepol.training.targets.base import shuffled
from openff_bytepol.training.targets.priors import bonded_scales, mean_loss


@dataclass(frozen=True)
class StartBatch:
    """Molecules without any reference but the start's parameters."""

    graph: MolecularGraph
    smiles: tuple[str, ...]


class StartTarget:
    """Molecules whose parameters shall stay as they were, all for training.

    Parameters
    ----------
    smiles
        Mapped SMILES; those that the library lacks are left out.
    start
        Model before the run; a copy is kept. The one that is trained has as many members.
    library
        Molecules of the run.
    config
        Scales, and which parameters shall stay.
    """

    name = "start"

    def __init__(
        self, smiles: Iterable[str], start: Model, library: MoleculeLibrary, config: TargetConfig
    ) -> None:
        self._start = copy.deepcopy(start).eval().requires_grad_(False)
        self._library = library
        self._config = config
        self._smiles = [one for one in smiles if one in library]

    def size(self, split: Split) -> int:
        return len(self._smiles) if split == "train" else 0

    def order(self, split: Split, seed: int) -> list[int]:
        return shuffled(self.size(split), seed)

    def collate(self, split: Split, items: list[int], seed: int) -> StartBatch:  # noqa: ARG002
        smiles = tuple(self._smiles[i] for i in items)
        return StartBatch(self._library.batch([self._library.index(one) for one in smiles]), smiles)

    def losses(self, model: Model, batch: StartBatch) -> dict[str, Tensor]:
        start = self._start.to(batch.graph.device)
        return start_losses(self._predict(model, batch), self._predict(start, batch), self._config)

    def _predict(self, model: Model, batch: StartBatch) -> ParameterSet:
        if set(self._config.start_parameters) <= ATOM_PARAMETERS.keys():
            return model.network.without_terms(batch.graph)
        parameters: ParameterSet = model.network(batch.graph)
        return parameters

    def describe(self, batch: StartBatch) -> str:
        return ", ".join(batch.smiles)


def start_losses(
    parameters: ParameterSet, start: ParameterSet, config: TargetConfig
) -> dict[str, Tensor]:
    """Loss of each of ``config.start_parameters``, (n_members,).

    Parameters
    ----------
    parameters
        Predicted, with an ensemble axis.
    start
        Of the same molecules before the run, with the same axis.
    config
        Scales and names.
    """
    names: Sequence[str] = config.start_parameters
    atoms = {name: getattr(start, name) for name in names if name in ATOM_PARAMETERS}
    of_terms = {
        name: mean_loss(getattr(parameters, name), getattr(start, name), *scale)
        for name, scale in bonded_scales(config).items()
        if name in names
    }
    return anchor_losses(parameters, atoms, config) | of_terms
