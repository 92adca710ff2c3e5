"""Similarity kernels with k(x, x) = 1, and the Vendi score of a set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from rdkit.DataStructs import ConvertToNumpyArray

FloatArray = NDArray[np.float64]
BITS: Final = 1024


def rbf_kernel(
    one: NDArray[Any], other: NDArray[Any], length: float
) -> FloatArray:  # fmt: skip
    """exp(-|x - y|²/(2·length²)); (n, d), (m, d) → (n, m)."""
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1)[None] - 2.0 * one @ other.T
    return np.asarray(np.exp(-np.clip(squares, 0.0, None) / (2.0 * length**2)), dtype=np.float64)


def standardized(vectors: NDArray[Any], reference: NDArray[Any]) -> FloatArray:
    """Vectors in units of the reference's standard deviations about its mean."""
    width = reference.std(0)
    scaled = (vectors - reference.mean(0)) / np.where(width > 1e-9, width, 1.0)
    return np.asarray(scaled, dtype=np.float64)


def median_length(vectors: FloatArray, seed: int = 0) -> float:
    """Half the median distance of pairs, from at most 500 vectors; 1 where all are equal."""
    generator = np.random.default_rng(seed)
    if len(vectors) > 500:
        vectors = vectors[generator.choice(len(vectors), 500, replace=False)]
    squares = (vectors**2).sum(1)
    distances = np.sqrt(
        np.clip(squares[:, None] + squares[None] - 2 * vectors @ vectors.T, 0, None)
    )
    median = (
        float(np.median(distances[np.triu_indices(len(vectors), 1)])) if len(vectors) > 1 else 0
    )
    return 0.5 * median if median > 1e-9 else 1.0


def fingerprints(smiles: Sequence[str]) -> NDArray[np.float32]:
    """Morgan fingerprints of radius 2, bits as 0 and 1; (n, `BITS`)."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=BITS)
    prints = np.zeros((len(smiles), BITS), dtype=np.float32)
    for row, one in zip(prints, smiles, strict=True):
        ConvertToNumpyArray(generator.GetFingerprint(Chem.MolFromSmiles(one)), row)
    return prints


def tanimoto_kernel(one: NDArray[np.float32], other: NDArray[np.float32]) -> FloatArray:
    """Shared bits over all bits; (n, d), (m, d) → (n, m)."""
    shared = (one @ other.T).astype(np.float64)
    union = one.sum(1)[:, None] + other.sum(1)[None] - shared
    return np.asarray(np.where(union > 0, shared / np.maximum(union, 1e-12), 1.0))


def vendi_score(kernel: FloatArray, order: float = 1.0) -> float:
    """Effective number of different items: exp of the Rényi entropy of eigenvalues of K/n.

    Friedman and Dieng, TMLR 2023 (arXiv:2210.02410); orders other than 1: Pasarkar and
    Dieng, AISTATS 2024 (arXiv:2310.12952). Between 1 (all the same) and n.

    Parameters
    ----------
    kernel
        (n, n), symmetric, ones on the diagonal.
    order
        q; larger orders weigh common kinds more.
    """
    if len(kernel) == 0:
        return 0.0
    values = np.clip(np.linalg.eigvalsh(kernel / len(kernel)), 0.0, None)
    return float(_vendi_of(values[None], order)[0])


def _vendi_of(values: FloatArray, order: float) -> FloatArray:
    """Vendi scores of rows of eigenvalues."""
    values = values / values.sum(-1, keepdims=True)
    if order == 1.0:
        logs = np.log(np.where(values > 1e-15, values, 1.0))
        return np.asarray(np.exp(-(values * logs).sum(-1)))
    if np.isinf(order):
        return np.asarray(1.0 / values.max(-1))
    return np.asarray((values**order).sum(-1) ** (1.0 / (1.0 - order)))


def vendi_after_each(chosen: FloatArray, cross: FloatArray, order: float) -> FloatArray:
    """Vendi score of a set with each of several further items added.

    Parameters
    ----------
    chosen
        Kernel of the set, (k, k).
    cross
        Kernel between further items and the set, (m, k).
    order
        q.

    Returns
    -------
    FloatArray
        (m,).
    """
    k, m = len(chosen), len(cross)
    if order == 2.0:
        squares = (chosen**2).sum() + 2.0 * (cross**2).sum(1) + 1.0
        return np.asarray((k + 1) ** 2 / squares)
    kernels = np.empty((m, k + 1, k + 1))
    kernels[:, :k, :k] = chosen
    kernels[:, :k, k] = kernels[:, k, :k] = cross
    kernels[:, k, k] = 1.0
    values = np.clip(np.linalg.eigvalsh(kernels / (k + 1)), 0.0, None)
    return _vendi_of(values, order)
