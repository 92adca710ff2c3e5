"""The space in which candidates are compared, and the choice within it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_learning.config import AcquisitionConfig
from active_learning.selection.kernels import (
    fingerprints,
    median_length,
    rbf_kernel,
    standardized,
    tanimoto_kernel,
)
from active_learning.selection.strategies import Chosen, Problem, select
from openff_bytepol.nn.model import Model
from openff_bytepol.uncertainty.ensemble import describe_molecules

FloatArray = NDArray[np.float64]
Kernel = Callable[[NDArray[Any], NDArray[Any]], FloatArray]
_WITHOUT_DIVERSITY = ("random", "uncertainty")


@dataclass(frozen=True)
class Space:
    """Candidates and labelled items as vectors with a kernel.

    Attributes
    ----------
    config
        Strategy, kernel and size of the shortlist.
    vectors
        (n, d).
    known
        Of labelled items, (m, d).
    kernel
        Of two sets of vectors.
    """

    config: AcquisitionConfig
    vectors: NDArray[Any]
    known: NDArray[Any]
    kernel: Kernel

    @classmethod
    def of_molecules(
        cls,
        config: AcquisitionConfig,
        smiles: Sequence[str],
        latent: NDArray[Any],
        known: Sequence[str],
        known_latent: NDArray[Any],
    ) -> Space:
        """Molecules by latent vectors (RBF) or fingerprints (Tanimoto)."""
        if config.strategy in _WITHOUT_DIVERSITY:
            return cls(config, np.zeros((len(smiles), 0)), np.zeros((0, 0)), tanimoto_kernel)
        if config.kernel == "fingerprint":
            return cls(config, fingerprints(smiles), fingerprints(known), tanimoto_kernel)
        reference = np.concatenate([latent, known_latent])
        return _latent_space(
            config, standardized(latent, reference), standardized(known_latent, reference)
        )

    @classmethod
    def of_dimers(
        cls,
        config: AcquisitionConfig,
        model: Model,
        molecules: Sequence[Sequence[str]],
        components: FloatArray,
    ) -> Space:
        """Dimers by the mean latent vector of their molecules and their energy components."""
        names = sorted({smiles for pair in molecules for smiles in pair})
        latent = describe_molecules(model, names).latent
        place = {name: i for i, name in enumerate(names)}
        means = np.array([latent[[place[s] for s in pair]].mean(0) for pair in molecules])
        means, energies = (standardized(v, v) for v in (means, components))
        weight = np.sqrt(means.shape[1] / energies.shape[1])
        vectors = np.concatenate([means, weight * energies], axis=1)
        return _latent_space(config, vectors, np.zeros((0, vectors.shape[1])))

    def select(
        self,
        uncertainty: FloatArray,
        cost: FloatArray,
        records: NDArray[np.int64],
        core_hours: float,
        n_records: int,
        *,
        seed: int,
    ) -> list[Chosen]:
        """Choose under a budget; strategies of diversity see the shortlist only.

        Returns
        -------
        list of Chosen
            ``candidate`` counts in the whole set.
        """
        places = np.arange(len(uncertainty))
        kernel = known = known_kernel = np.zeros((0, 0))
        if self.config.strategy not in _WITHOUT_DIVERSITY:
            value = uncertainty**self.config.uncertainty_power / cost**self.config.cost_power
            places = np.argsort(-value, kind="stable")[: self.config.shortlist]
            chosen = self.vectors[places]
            kernel = self.kernel(chosen, chosen)
            known = (
                self.kernel(chosen, self.known) if len(self.known) else np.zeros((len(chosen), 0))
            )
            known_kernel = self.kernel(self.known, self.known) if len(self.known) else known_kernel
        problem = Problem(
            uncertainty[places], cost[places], records[places], kernel, known, known_kernel
        )
        steps = select(problem, self.config, core_hours, n_records, seed)
        return [step._replace(candidate=int(places[step.candidate])) for step in steps]


def _latent_space(config: AcquisitionConfig, vectors: FloatArray, known: FloatArray) -> Space:
    length = median_length(vectors)
    return Space(config, vectors, known, lambda a, b: rbf_kernel(a, b, length))
