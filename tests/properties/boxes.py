"""Small boxes of whole molecules."""

from __future__ import annotations

import numpy as np

WATER = np.array([[0.0, 0.0, 0.0], [0.76, 0.59, 0.0], [-0.76, 0.59, 0.0]])


def lattice(shape: np.ndarray, n_side: int, spacing: float, seed: int = 1) -> np.ndarray:
    """Copies of a molecule at random orientations on a cubic lattice, Å."""
    random = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(n_side)] * 3, indexing="ij"), -1).reshape(-1, 3)
    copies = [
        spacing * center + shape @ np.linalg.qr(random.normal(size=(3, 3)))[0] for center in grid
    ]
    return np.concatenate(copies)


def placements(n_molecules: int, n_atoms: int) -> list[tuple[int, list[int]]]:
    """One type, molecules one after another."""
    return [(0, list(range(i * n_atoms, (i + 1) * n_atoms))) for i in range(n_molecules)]
