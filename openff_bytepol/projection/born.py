"""Effective Born radii.

Pairwise descreening of Hawkins, Cramer and Truhlar (J. Phys. Chem. 100, 19824 (1996),
https://doi.org/10.1021/jp961710n) with the rescaling of Onufriev, Bashford and Case
(Proteins 55, 383 (2004), https://doi.org/10.1002/prot.20033; set II: 1, 0.8, 4.85).
Intrinsic radii are Bondi's (J. Phys. Chem. 68, 441 (1964),
https://doi.org/10.1021/j100785a001), with 1.2 Å for hydrogen.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_OFFSET: Final = 0.09
_RADII: Final = {
    1: 1.20,
    3: 1.82,
    6: 1.70,
    7: 1.55,
    8: 1.52,
    9: 1.47,
    11: 2.27,
    15: 1.80,
    16: 1.80,
    17: 1.75,
    19: 2.75,
    35: 1.85,
    53: 1.98,
}
_DEFAULT_RADIUS: Final = 2.0
_DESCREENING: Final = {1: 0.85, 6: 0.72, 7: 0.79, 8: 0.85, 9: 0.88, 15: 0.86, 16: 0.96}
_DEFAULT_DESCREENING: Final = 0.8


def born_radii(atomic_numbers: Indices, square: Floats) -> Floats:
    """Effective Born radii of all atoms.

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).
    square
        Squared distances, Å²; (n_atoms, n_atoms).

    Returns
    -------
    ndarray
        Å; (n_atoms,).
    """
    numbers = atomic_numbers.tolist()
    bondi = np.array([_RADII.get(z, _DEFAULT_RADIUS) for z in numbers])
    factor = np.array([_DESCREENING.get(z, _DEFAULT_DESCREENING) for z in numbers])
    own = bondi - _OFFSET
    other = factor * own
    r = np.sqrt(square)
    np.fill_diagonal(r, 1.0)
    upper = r + other
    inner = np.abs(r - other)
    inverse_l, inverse_u = 1.0 / np.maximum(own[:, None], inner), 1.0 / upper
    integral = inverse_l - inverse_u + 0.5 * np.log(inverse_u / inverse_l) / r
    integral += 0.25 * (r - other**2 / r) * (inverse_u**2 - inverse_l**2)
    engulfed = other > own[:, None] + r
    integral += np.where(engulfed, 2.0 * (1.0 / own[:, None] - inverse_l), 0.0)
    integral[upper <= own[:, None]] = 0.0
    np.fill_diagonal(integral, 0.0)
    psi = 0.5 * own * integral.sum(axis=1)
    scaled = np.tanh(psi * (1.0 - psi * (0.8 - 4.85 * psi)))
    radii: Floats = 1.0 / (1.0 / own - scaled / bondi)
    return radii
