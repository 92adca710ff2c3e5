"""Greedy choice of candidates under a budget.

In each step the affordable candidate with the largest gain·u^a/c^b is taken, where u is its
uncertainty, c its predicted cost, and the gain is

- ``random``, ``uncertainty``: 1 (and u and c do not count for ``random``);
- ``k_center``: distance sqrt(2 - 2k) to the nearest chosen item (Sener and Savarese,
  arXiv:1708.00489);
- ``determinantal``: growth of the determinant of the kernel of the chosen (Chen et al.,
  arXiv:1709.05135);
- ``vendi``: growth of the Vendi score. Every step ranks all candidates by the closed form
  for q = 2, and for another q evaluates the best few exactly.

Items labelled before count as chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from active_learning.config import AcquisitionConfig
from active_learning.selection.kernels import vendi_after_each, vendi_score

FloatArray = NDArray[np.float64]
_EXACT: Final = 8
"""Candidates whose Vendi gain is evaluated exactly in each step."""
_LARGEST_EXACT: Final = 200
"""Size of the chosen set above which only the order-2 form is used."""
_SMALL: Final = 1e-9


@dataclass(frozen=True)
class Problem:
    """What there is to choose from.

    Attributes
    ----------
    uncertainty
        (n,), not negative.
    cost
        Predicted core-hours, (n,).
    records
        Geometries that each candidate makes, (n,).
    kernel
        Similarity of candidates, (n, n), ones on the diagonal.
    known
        Similarity of candidates to what is labelled, (n, m); m may be 0.
    known_kernel
        Similarity among what is labelled, (m, m).
    """

    uncertainty: FloatArray
    cost: FloatArray
    records: NDArray[np.int64]
    kernel: FloatArray
    known: FloatArray
    known_kernel: FloatArray


class Chosen(NamedTuple):
    """One step of the choice."""

    candidate: int
    gain: float
    """Of diversity; 1 where the strategy has none."""
    score: float
    """What was maximised."""


def select(
    problem: Problem, config: AcquisitionConfig, core_hours: float, records: int, seed: int
) -> list[Chosen]:
    """Choose candidates until the budget is used.

    Parameters
    ----------
    problem
        Candidates.
    config
        Strategy and exponents.
    core_hours, records
        Budget.
    seed
        Of the random strategy, and of the order among equals.

    Returns
    -------
    list of Chosen
        In order of choice. Candidates that do not fit the remaining budget are passed over.
    """
    count = len(problem.uncertainty)
    generator = np.random.default_rng(seed)
    tie = generator.permutation(count)
    weights = np.ones(count)
    if config.strategy != "random":
        base = np.maximum(problem.uncertainty, _SMALL)
        weights = base**config.uncertainty_power / problem.cost**config.cost_power
    diversity = _diversity(problem, config)
    free = np.ones(count, dtype=bool)
    chosen: list[Chosen] = []
    while True:
        free &= (problem.cost <= core_hours + _SMALL) & (problem.records <= records)
        options = np.flatnonzero(free)
        if not len(options):
            return chosen
        gains = diversity.gains(options, weights)
        scores = gains * weights[options]
        best = int(np.lexsort((tie[options], -scores))[0])
        index = int(options[best])
        chosen.append(Chosen(index, float(gains[best]), float(scores[best])))
        core_hours -= float(problem.cost[index])
        records -= int(problem.records[index])
        free[index] = False
        diversity.take(index)


class _Nothing:
    """Every candidate counts the same."""

    def gains(self, options: NDArray[Any], weights: FloatArray) -> FloatArray:  # noqa: ARG002
        return np.ones(len(options))

    def take(self, index: int) -> None:
        """Nothing to remember."""


class _KCenter:
    """Distance to the nearest chosen item."""

    def __init__(self, problem: Problem) -> None:
        self._kernel = problem.kernel
        nearest = problem.known.max(1) if problem.known.size else np.zeros(len(problem.cost))
        self._distance = np.sqrt(np.clip(2.0 - 2.0 * nearest, 0.0, None))

    def gains(self, options: NDArray[Any], weights: FloatArray) -> FloatArray:  # noqa: ARG002
        return np.asarray(np.maximum(self._distance[options], _SMALL))

    def take(self, index: int) -> None:
        distance = np.sqrt(np.clip(2.0 - 2.0 * self._kernel[index], 0.0, None))
        self._distance = np.minimum(self._distance, distance)


class _Determinantal:
    """Variance left by the chosen items, by an incremental Cholesky factor."""

    def __init__(self, problem: Problem) -> None:
        self._kernel = problem.kernel
        self._variance = np.ones(len(problem.cost))
        self._factor = np.zeros((len(problem.cost), 0))
        if problem.known.size:
            noisy = problem.known_kernel + 1e-6 * np.eye(len(problem.known_kernel))
            solved = np.linalg.solve(np.linalg.cholesky(noisy), problem.known.T)
            self._factor = solved.T
            self._variance = 1.0 - (solved**2).sum(0)

    def gains(self, options: NDArray[Any], weights: FloatArray) -> FloatArray:  # noqa: ARG002
        return np.asarray(np.maximum(self._variance[options], _SMALL))

    def take(self, index: int) -> None:
        left = max(float(self._variance[index]), _SMALL)
        row = (self._kernel[index] - self._factor @ self._factor[index]) / np.sqrt(left)
        self._factor = np.concatenate([self._factor, row[:, None]], axis=1)
        self._variance = self._variance - row**2


class _Vendi:
    """Growth of the Vendi score."""

    def __init__(self, problem: Problem, order: float) -> None:
        self._kernel = problem.kernel
        self._order = order
        size = problem.known.shape[1]
        self._chosen: FloatArray = problem.known_kernel.reshape(size, size)
        self._cross = problem.known

    def gains(self, options: NDArray[Any], weights: FloatArray) -> FloatArray:
        growth = self._growth(options, 2.0)
        if self._order == 2.0 or len(self._chosen) > _LARGEST_EXACT:
            return growth
        best = np.argsort(-growth * weights[options], kind="stable")[:_EXACT]
        exact = np.full(len(options), _SMALL * _SMALL)
        exact[best] = self._growth(options[best], self._order)
        return exact

    def _growth(self, options: NDArray[Any], order: float) -> FloatArray:
        after = vendi_after_each(self._chosen, self._cross[options], order)
        return np.asarray(np.maximum(after - vendi_score_fast(self._chosen, order), _SMALL))

    def take(self, index: int) -> None:
        column = self._cross[index]
        size = len(self._chosen)
        grown = np.ones((size + 1, size + 1))
        grown[:size, :size] = self._chosen
        grown[:size, size] = grown[size, :size] = column
        self._chosen = grown
        self._cross = np.concatenate([self._cross, self._kernel[:, index][:, None]], axis=1)


def vendi_score_fast(kernel: FloatArray, order: float) -> float:
    """`vendi_score`, in closed form for order 2."""
    if order == 2.0 and len(kernel):
        return float(len(kernel) ** 2 / (kernel**2).sum())
    return vendi_score(kernel, order)


def _diversity(problem: Problem, config: AcquisitionConfig) -> Any:
    if config.strategy == "k_center":
        return _KCenter(problem)
    if config.strategy == "determinantal":
        return _Determinantal(problem)
    if config.strategy == "vendi":
        return _Vendi(problem, config.vendi_order)
    return _Nothing()
