"""Guesses of the induced dipoles from those of earlier steps.

Source: Kolafa, J. Comput. Chem. 25, 335 (2004), https://doi.org/10.1002/jcc.10385: always stable
predictor-corrector, whose predictor is time-reversible to high order and does not amplify errors.
"""

from __future__ import annotations

from collections import deque
from math import comb
from typing import Final

import numpy as np

from openff_bytepol.polarization.arrays import Floats

_LONGEST: Final = 6


class DipolePredictor:
    """Dipoles of up to six earlier steps of equal length."""

    def __init__(self) -> None:
        self._history: deque[Floats] = deque(maxlen=_LONGEST)

    def __len__(self) -> int:
        return len(self._history)

    def reset(self) -> None:
        """Forget all steps."""
        self._history.clear()

    def push(self, dipoles: Floats) -> None:
        """Remember the dipoles of a step (e·Å; (n_atoms, 3))."""
        self._history.appendleft(dipoles.copy())

    def predict(self, n_atoms: int) -> Floats:
        """Dipoles expected in the next step (e·Å; (n_atoms, 3)); zero without any history."""
        known = len(self._history)
        if not known:
            return np.zeros((n_atoms, 3))
        if known == 1:
            return self._history[0].copy()
        weights = coefficients(known)
        guess: Floats = np.tensordot(weights, np.stack(self._history), axes=1)
        return guess

    def latest(self, n_atoms: int) -> Floats:
        """Dipoles of the last step."""
        return self._history[0].copy() if self._history else np.zeros((n_atoms, 3))


def coefficients(length: int) -> Floats:
    """Weights of the last ``length`` steps, the latest first; they add up to 1."""
    k = length - 2
    return np.array(
        [
            (-1) ** (j + 1) * j * comb(2 * k + 4, k + 2 - j) / comb(2 * k + 2, k + 1)
            for j in range(1, length + 1)
        ]
    )
