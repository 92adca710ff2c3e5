"""Loss of the parameters of one molecule, those of all other molecules fixed.

The loss is that of the dimers which hold the molecule, the mean of that of contacts from liquids
and that of all others, so that many of one kind do not drown the other. Added are those of
trimers which hold the molecule, of its dipole and polarizability, of its C6, and the limits on its
charges and walls. Energies are in single precision, as in training.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor

from openff_bytepol.parameters import ATOM_PARAMETERS, TERM_PARAMETERS, ParameterSet
from openff_bytepol.smiles import canonical_smiles
from openff_bytepol.training.config import TargetConfig
from openff_bytepol.training.labels.geometries import from_mapped_smiles
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.targets.base import robust
from openff_bytepol.training.targets.clusters import (
    cluster_loss,
    collate_clusters,
    three_body_energies,
)
from openff_bytepol.training.targets.dimers import (
    CONTACTS,
    collate_dimers,
    dimer_energies,
    dimer_losses,
    limit_losses,
)
from openff_bytepol.training.targets.responses import (
    collate_responses,
    predict_responses,
    response_losses,
)

Rows: TypeAlias = Sequence[dict[str, Any]]

LOG_C6_SCALE: Final = 0.05
"""Of ln(C6/C6_ref) of a molecule; about the mean error of DFT-D4
(https://doi.org/10.1063/1.5090222). Its division among atoms, which training follows by
``log_c6_scale``, is less certain."""


@dataclass(frozen=True)
class _Molecules:
    """Molecules of a batch, among them the free one, perhaps several times."""

    fixed: ParameterSet
    """With an ensemble axis of one; values of the free molecule do not matter."""
    rows: Tensor
    """Atoms of the free molecule; (n,)."""
    atoms: Tensor
    """Which atom each of them is; (n,)."""

    def with_values(self, values: Mapping[str, Tensor]) -> ParameterSet:
        moved = {
            name: getattr(self.fixed, name).index_copy(
                -1, self.rows, values[name].float()[None, self.atoms]
            )
            for name in ATOM_PARAMETERS
        }
        return replace(self.fixed, **moved)


class AnchorLoss:
    """Loss of the nonbonded parameters of one molecule.

    Parameters
    ----------
    mapped_smiles
        The molecule, in whose atom order parameters are given; in the library.
    dimers
        Rows of the dimer schema. Every one holds the molecule, in any order of its atoms, and
        molecules of the library only.
    responses
        Rows of the responses schema of the molecule; may be empty.
    trimers
        Rows of the clusters schema with three-body energies, which hold the molecule and molecules
        of the library only.
    three_body_weight
        Of their loss.
    c6
        Of the molecule, kcal/mol·Å⁶; None if it is not held.
    c6_weight
        Of its loss.
    library
        Molecules of all rows.
    predicted
        Parameters of each molecule of the library, without an ensemble axis.
    config
        Scales.
    """

    def __init__(
        self,
        mapped_smiles: str,
        dimers: Rows,
        responses: Rows,
        trimers: Rows = (),
        *,
        three_body_weight: float = 1.0,
        c6: float | None = None,
        c6_weight: float = 1.0,
        library: MoleculeLibrary,
        predicted: Sequence[ParameterSet],
        config: TargetConfig,
    ) -> None:
        self._config = config
        self._c6 = c6
        self._c6_weight = c6_weight
        used = {row[f"smiles_{side}"] for row in dimers for side in "ab"}
        used |= {row["mapped_smiles"] for row in responses}
        used |= {smiles for row in trimers for smiles in row["smiles"]}
        orders = {library.index(s): order for s, order in _orders(mapped_smiles, used).items()}
        kinds = [
            [row for row in dimers if row["subset"] == CONTACTS],
            [row for row in dimers if row["subset"] != CONTACTS],
        ]
        batches = [collate_dimers(rows, library) for rows in kinds if rows]
        self._dimers = [(b, _gather(b.molecules, predicted, orders)) for b in batches]
        self._three_body_weight = three_body_weight
        self._trimers = None
        if trimers:
            clusters = collate_clusters(trimers, library)
            self._trimers = (clusters, _gather(clusters.molecules, predicted, orders))
        self._responses = None
        if responses:
            numbers = [library.index(row["mapped_smiles"]) for row in responses]
            batch = collate_responses(responses, library)
            self._responses = (batch, _gather(numbers, predicted, orders))
        self._alone = _gather([library.index(mapped_smiles)], predicted, orders)

    def __call__(self, values: Mapping[str, Tensor]) -> Tensor:
        """Loss of `ATOM_PARAMETERS` by name, (n_atoms,) each; ().

        Raises
        ------
        PolarizationCatastropheError
            If induced dipoles have no minimum in a dimer or trimer.
        """
        total = torch.zeros(1)
        for batch, molecules in self._dimers:
            energies = dimer_energies(molecules.with_values(values), batch)
            parts = dimer_losses(energies, batch, self._config)
            total = total + _sum(parts) / len(self._dimers)
        if self._trimers is not None:
            clusters, molecules = self._trimers
            found = three_body_energies(molecules.with_values(values), clusters)
            loss = cluster_loss(found, clusters.reference, self._config)
            total = total + self._three_body_weight * loss
        if self._responses is not None:
            responses, molecules = self._responses
            moments = predict_responses(molecules.with_values(values), responses)
            total = total + _sum(response_losses(*moments, responses, self._config))
        if self._c6 is not None:
            total = total + self._c6_weight * c6_loss(values["c6"].float(), self._c6)
        limits = limit_losses(self._alone.with_values(values), self._config)
        return (total + sum(limits.values(), torch.zeros(1)))[0]


def c6_loss(c6: Tensor, reference: float) -> Tensor:
    """Pseudo-Huber of ln(C6/C6_ref)/`LOG_C6_SCALE`, with C6 = (Σ√c6)² as pairs mix geometrically.

    Parameters
    ----------
    c6
        Of the atoms of one molecule, (n_atoms,).
    reference
        Of two equal molecules, in the same unit.

    Returns
    -------
    Tensor
        ().
    """
    return robust((2.0 * c6.sqrt().sum().log() - math.log(reference)) / LOG_C6_SCALE)


def _sum(losses: Mapping[str, Tensor]) -> Tensor:
    return torch.stack(list(losses.values())).sum(0)


def _orders(mapped_smiles: str, others: set[str]) -> dict[str, list[int]]:
    """Of each mapped SMILES of the same molecule, which atom is the first, second, … of it."""
    molecule = from_mapped_smiles(mapped_smiles)
    name = canonical_smiles(mapped_smiles)
    return {
        one: list(from_mapped_smiles(one).GetSubstructMatch(molecule))
        for one in {mapped_smiles, *others}
        if canonical_smiles(one) == name
    }


def _gather(
    numbers: Sequence[int], predicted: Sequence[ParameterSet], orders: Mapping[int, list[int]]
) -> _Molecules:
    rows: list[int] = []
    atoms: list[int] = []
    start = 0
    for number in numbers:
        order = orders.get(number, [])
        rows += [start + i for i in order]
        atoms += range(len(order))
        start += predicted[number].n_atoms
    together = ParameterSet.concatenate([predicted[n] for n in numbers]).to(dtype=torch.float32)
    names = (*ATOM_PARAMETERS, *(n for terms in TERM_PARAMETERS.values() for n in terms))
    members = {name: getattr(together, name)[None] for name in names}
    return _Molecules(replace(together, **members), torch.tensor(rows), torch.tensor(atoms))
