"""Boxes of periodic systems."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from openff_bytepol.exceptions import CutoffError, ForceFieldError
from openff_bytepol.interop.layout import Floats


def box_vectors(box: ArrayLike) -> Floats:
    """Box vectors as rows, Å; (3, 3).

    Parameters
    ----------
    box
        Three edge lengths of a rectangular box, or three vectors in OpenMM's reduced form
        (a along x, b in the xy plane); Å.

    Raises
    ------
    ForceFieldError
        If it is neither.
    """
    vectors = np.asarray(box, dtype=np.float64)
    if vectors.shape == (3,):
        vectors = np.diag(vectors)
    if vectors.shape != (3, 3) or not (np.diag(vectors) > 0.0).all():
        raise ForceFieldError("a box is three edge lengths or three vectors, in Å")
    if np.triu(vectors, k=1).any():
        raise ForceFieldError(
            "box vectors must be in reduced form (a along x, b in the xy plane); "
            "rotate box and positions"
        )
    return vectors


def check_cutoff(box: ArrayLike, cutoff: float) -> None:
    """Refuse a cutoff longer than half the shortest width of the box.

    Parameters
    ----------
    box
        As for `box_vectors`.
    cutoff
        Å.

    Raises
    ------
    CutoffError
        If it is too long.
    ForceFieldError
        If the box is not one.
    """
    width = float(np.diag(box_vectors(box)).min())
    if cutoff > 0.5 * width:
        raise CutoffError(
            f"the cutoff of {cutoff:g} Å is longer than half the shortest box width "
            f"({width:.4g} Å); use a larger box or a shorter cutoff"
        )
