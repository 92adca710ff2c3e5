"""Last-layer Laplace: uncertainty of dimer energies from one model, without an ensemble.

Around the trained weights w of the last maps of the nonbonded heads the energy is linear,
E(w + d) ≈ E(w) + g·d with g = dE/dw, and the posterior of d is Gaussian with the inverse of
H = sum of g·gᵀ/s² over the training data + 1/p as covariance, so that

    var E = scale² · gᵀ·H⁻¹·g.

With linear heads g is the last layer's input, which is LLPR (Bigi, Chong, Ceriotti and
Grasselli, Mach. Learn.: Sci. Technol. 5, 045018 (2024), arXiv:2403.02251); the exponentials
and the physics behind our heads make it a generalised Gauss-Newton form of the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from openff_bytepol.exceptions import ModelError
from openff_bytepol.nn.model import Model
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.targets.dimers import collate_dimers, predict_dimers
from openff_bytepol.uncertainty.energies import complete_rows

FloatArray = NDArray[np.float64]
_BATCH: Final = 32
RIDGE: Final = 1e-6
"""Smallest prior precision, as part of the mean diagonal of H."""


@dataclass(frozen=True)
class LastLayerLaplace:
    """Fitted covariance of the last layer; make it with `fit`.

    Attributes
    ----------
    model
        Of one member.
    factor
        Cholesky factor of H, (n_weights, n_weights).
    scale
        Calibrated on held-out labels; 1 before.
    """

    model: Model
    factor: Tensor
    scale: float = 1.0

    @classmethod
    def fit(cls, model: Model, rows: Sequence[dict[str, Any]]) -> LastLayerLaplace:
        """Accumulate H over training dimers.

        Parameters
        ----------
        model
            Of one member (see `Model.member`).
        rows
            Of the dimers schema.

        Raises
        ------
        ModelError
            If the model is an ensemble.
        """
        if model.n_members != 1:
            raise ModelError("last-layer Laplace takes a single model: use model.member(0)")
        gradients, _ = last_layer_gradients(model, rows)
        hessian = gradients.T @ gradients
        ridge = RIDGE * float(hessian.diagonal().mean())
        hessian += ridge * torch.eye(len(hessian), dtype=hessian.dtype)
        return cls(model, torch.linalg.cholesky(hessian))

    def deviations(self, rows: Sequence[dict[str, Any]]) -> FloatArray:
        """Standard deviation of each dimer's total interaction energy, kcal/mol; (n,)."""
        gradients, _ = last_layer_gradients(self.model, rows)
        solved = torch.linalg.solve_triangular(self.factor, gradients.T, upper=False)
        return np.asarray(self.scale * solved.norm(dim=0).numpy(), dtype=np.float64)

    def calibrated(self, rows: Sequence[dict[str, Any]]) -> LastLayerLaplace:
        """The same with the scale of largest likelihood on held-out dimers."""
        _, totals = last_layer_gradients(self.model, rows)
        errors = totals.numpy() - np.array([row["total"] for row in rows])
        raw = self.deviations(rows) / self.scale
        scale = float(np.sqrt(np.mean((errors / np.maximum(raw, 1e-9)) ** 2)))
        return LastLayerLaplace(self.model, self.factor, scale)


def last_layer_gradients(
    model: Model, rows: Sequence[dict[str, Any]]
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Derivatives of total energies by last-layer weights, (n, n_weights), and energies, (n,).

    In float64. All molecules must be covered by the model.
    """
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    library.add(row[f"smiles_{side}"] for row in rows for side in "ab")
    weights = _last_weights(model)
    gradients, totals = [], []
    for start in range(0, len(rows), _BATCH):
        batch = collate_dimers(complete_rows(rows[start : start + _BATCH]), library)
        energies = predict_dimers(model, batch).total[0]
        for energy in energies:
            parts = torch.autograd.grad(energy, weights, retain_graph=True)
            gradients.append(torch.cat([part.double().ravel() for part in parts]))
        totals.append(energies.detach().double())
    return torch.stack(gradients), torch.cat(totals)


def _last_weights(model: Model) -> list[Tensor]:
    """Last linear maps of charge increments, volumes, repulsion and charge transfer."""
    network = model.network
    heads: list[Any] = [network.charge_volume.increment, network.charge_volume.volume]
    heads += network.nonbonded.logarithm.values()
    return [parameter for head in heads for parameter in head.layers[-1].parameters()]
