"""Uncertainty of whole pools of molecules by one of several estimators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from rdkit.DataStructs import BulkTanimotoSimilarity

from openff_bytepol.exceptions import DataError
from openff_bytepol.graph import batch_graphs
from openff_bytepol.nn.model import Model
from openff_bytepol.uncertainty.ensemble import describe_molecules, disagreement_score
from openff_bytepol.uncertainty.environments import environment_codes, unknown_fractions

FloatArray = NDArray[np.float64]
Estimator = Literal["ensemble", "latent", "fingerprint", "novelty"]
_CHUNK = 2000


class MoleculeScores(NamedTuple):
    """Scores of a pool."""

    uncertainty: FloatArray
    """(n,), not negative; comparable within one estimator."""
    torsion: FloatArray
    """The same for torsions: disagreement on barriers, where there is an ensemble."""
    latent: NDArray[np.float32]
    """(n, width)"""
    known_latent: NDArray[np.float32]
    """(m, width)"""


def molecule_scores(
    model: Model,
    smiles: Sequence[str],
    known: Sequence[str],
    *,
    estimator: Estimator = "ensemble",
    scales: dict[str, float] | None = None,
) -> MoleculeScores:
    """Score molecules, a few thousand at a time so that memory does not grow.

    Parameters
    ----------
    model
        Ensemble, or a single model for the other estimators.
    smiles
        Pool; all covered by the model.
    known
        Labelled molecules, for the estimators that measure distance.
    estimator
        ``ensemble``: disagreement of parameters; ``latent``: distance to the nearest known
        molecule in standardized latent space; ``fingerprint``: 1 - largest Tanimoto
        similarity to a known one; ``novelty``: fraction of atoms in unknown environments.
    scales
        Usual disagreement by parameter, of a calibration.

    Raises
    ------
    ModelError
        If a single model is asked for disagreement.
    DataError
        If distance is asked for and nothing is known.
    """
    if estimator != "ensemble" and not known:
        raise DataError(f"estimator '{estimator}' needs labelled molecules; name `training.replay`")
    known_latent = describe_molecules(model, known).latent if known else _nothing(model)
    parts, codes = [], []
    seen = _known_codes(model, known) if estimator == "novelty" else torch.empty(0).long()
    for start in range(0, len(smiles), _CHUNK):
        graphs = [model.build_graph(s) for s in smiles[start : start + _CHUNK]]
        parts.append(describe_molecules(model, graphs))
        if estimator == "novelty":
            codes.append(unknown_fractions(batch_graphs(graphs), seen).numpy())
    latent = np.concatenate([p.latent for p in parts]) if parts else _nothing(model)
    spread = {
        name: np.concatenate([p.disagreement[name] for p in parts])
        for name in (parts[0].disagreement if parts else {})
    }
    if estimator == "ensemble":
        uncertainty = disagreement_score(spread, scales)
    elif estimator == "latent":
        uncertainty = nearest_distance(latent, known_latent)
    elif estimator == "fingerprint":
        uncertainty = 1.0 - largest_similarity(smiles, known)
    else:
        uncertainty = np.concatenate(codes)
    torsion = spread["proper_k"] if spread else uncertainty
    return MoleculeScores(uncertainty, torsion, latent, known_latent)


def _nothing(model: Model) -> NDArray[np.float32]:
    return np.zeros((0, model.config.transformer.out), dtype=np.float32)


def _known_codes(model: Model, known: Sequence[str]) -> torch.Tensor:
    codes = torch.cat([environment_codes(model.build_graph(s)) for s in known])
    return torch.as_tensor(np.unique(codes.numpy()))


def nearest_distance(
    vectors: NDArray[np.float32], known: NDArray[np.float32]
) -> FloatArray:  # fmt: skip
    """Distance to the nearest known vector, per square root of dimension; (n,).

    Both sets are divided by the standard deviations of the known.
    """
    width = known.std(0)
    width = np.where(width > 1e-6, width, 1.0)
    a, b = vectors / width, known / width
    found = np.empty(len(a))
    for start in range(0, len(a), _CHUNK):
        part = a[start : start + _CHUNK]
        squares = (part**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2.0 * part @ b.T
        found[start : start + _CHUNK] = np.sqrt(np.clip(squares.min(1), 0.0, None) / a.shape[1])
    return found


def largest_similarity(smiles: Sequence[str], known: Sequence[str]) -> FloatArray:
    """Largest Tanimoto similarity (Morgan, radius 2) to a known molecule; (n,)."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    prints = [generator.GetFingerprint(Chem.MolFromSmiles(s)) for s in known]
    return np.array(
        [
            max(BulkTanimotoSimilarity(generator.GetFingerprint(Chem.MolFromSmiles(s)), prints))
            for s in smiles
        ]
    )
