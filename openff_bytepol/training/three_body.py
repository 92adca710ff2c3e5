"""Three-body energies of a model against those of quantum chemistry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.training.datasets.readers.gscdb import read_trimers
from openff_bytepol.training.datasets.schemas import CLUSTERS
from openff_bytepol.training.labels.schema import read_table
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.targets.clusters import (
    collate_clusters,
    known_trimers,
    three_body_energies,
)

FloatArray = NDArray[np.float64]

STATISTICS: Final = ("mean_absolute_error", "mean_signed_error", "root_mean_square_error", "slope")

_BATCH: Final = 64


@dataclass(frozen=True)
class ThreeBodyErrors:
    """Predicted and reference three-body energies, kcal/mol."""

    rows: list[dict[str, Any]]
    predicted: FloatArray
    reference: FloatArray
    refused: dict[str, str]
    """Molecules the model does not cover, with the reason."""

    def summary(self, chosen: NDArray[np.bool_] | None = None) -> dict[str, float]:
        """Statistics of some trimers, or all.

        Returns
        -------
        dict
            ``n``; ``mean_absolute_error``, ``mean_signed_error`` (prediction minus reference) and
            ``root_mean_square_error``, kcal/mol; ``slope``, that of the predictions over the
            references by least squares through the origin: below 1 where a model is too weak.
            NaN where there are no trimers.
        """
        mask = np.ones(len(self.rows), dtype=bool) if chosen is None else chosen
        predicted, reference = self.predicted[mask], self.reference[mask]
        if not mask.any():
            return {"n": 0, **dict.fromkeys(STATISTICS, float("nan"))}
        errors = predicted - reference
        squares = float(reference @ reference)
        return {
            "n": int(mask.sum()),
            "mean_absolute_error": float(np.abs(errors).mean()),
            "mean_signed_error": float(errors.mean()),
            "root_mean_square_error": float(np.sqrt(np.square(errors).mean())),
            "slope": float(reference @ predicted) / squares if squares else float("nan"),
        }

    def by(self, key: Callable[[dict[str, Any]], str]) -> dict[str, dict[str, float]]:
        """`summary` of groups of trimers."""
        groups = np.array([key(row) for row in self.rows])
        return {str(group): self.summary(groups == group) for group in sorted(set(groups))}


def read_three_body(path: Path) -> list[dict[str, Any]]:
    """Rows of a Parquet file of the clusters schema, or 3B-69 of a GSCDB138 archive.

    Raises
    ------
    DataError
        If the file is missing or has another layout.
    """
    return read_table(path, CLUSTERS) if path.suffix == ".parquet" else read_trimers(path).rows


def evaluate_three_body(model: Model, rows: Sequence[dict[str, Any]]) -> ThreeBodyErrors:
    """Three-body energies against rows of the clusters schema.

    Parameters
    ----------
    model
        Ensembles are evaluated with their mean parameters.
    rows
        Those that are no trimers, have no three-body energy, or hold molecules that the model
        does not cover are left out.
    """
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    trimers = known_trimers(rows)
    library.add(smiles for row in trimers for smiles in row["smiles"])
    kept = [row for row in trimers if all(smiles in library for smiles in row["smiles"])]
    parameters = model.predict(library.graphs)
    predicted: list[FloatArray] = []
    for start in range(0, len(kept), _BATCH):
        batch = collate_clusters(kept[start : start + _BATCH], library)
        together = ParameterSet.concatenate([parameters[i] for i in batch.molecules])
        with torch.no_grad():
            predicted.append(three_body_energies(together, batch).double().numpy())
    return ThreeBodyErrors(
        kept,
        np.concatenate(predicted or [np.empty(0)]),
        np.array([row["three_body"] for row in kept]),
        library.refused,
    )
