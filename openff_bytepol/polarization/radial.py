"""Radial functions of the screened and damped interactions, written so that loops vectorise.

Calls of the C library's ``exp`` and ``erfc`` keep a loop scalar. Both are replaced by polynomials
that are fitted when this module is imported:

- exp(-x) = p(x/64)^64, x in [0, 45], to a relative 1e-12;
- erfc(x)·exp(x²) = t·p(t), t = 1/(1 + 0.4·x), x in [0, 5], to a relative 5e-12.
"""

from __future__ import annotations

from math import sqrt
from typing import Final

import numpy as np
from numba import njit
from numpy.polynomial import chebyshev, polynomial
from scipy.special import erfcx

from openff_bytepol.polarization.arrays import FAST

LARGEST_SCREENING: Final = 5.0
"""Of screening times distance."""
_LARGEST_EXPONENT: Final = 45.0
_ROOT_PI: Final = 1.7724538509055159


def _fit_exponential() -> tuple[float, ...]:
    upper = _LARGEST_EXPONENT / 64.0
    fit = chebyshev.Chebyshev.interpolate(lambda x: np.exp(-x), 9, domain=[0.0, upper])
    return tuple(float(c) for c in fit.convert(kind=polynomial.Polynomial).coef)


def _fit_error_function() -> tuple[float, ...]:
    smallest = 1.0 / (1.0 + 0.4 * LARGEST_SCREENING)
    fit = chebyshev.Chebyshev.interpolate(
        lambda t: erfcx((1.0 / t - 1.0) / 0.4) / t, 12, domain=[smallest, 1.0]
    )
    return tuple(float(c) for c in fit.convert(kind=polynomial.Polynomial).coef)


_E: Final = _fit_exponential()
_W: Final = _fit_error_function()


@njit(inline="always", **FAST)
def decay(x: float) -> float:
    """exp(-x) of a number that is not negative; exp(-45) beyond 45."""
    y = min(x, _LARGEST_EXPONENT) * (1.0 / 64.0)
    p = _E[9]
    p = p * y + _E[8]
    p = p * y + _E[7]
    p = p * y + _E[6]
    p = p * y + _E[5]
    p = p * y + _E[4]
    p = p * y + _E[3]
    p = p * y + _E[2]
    p = p * y + _E[1]
    p = p * y + _E[0]
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    return p * p


@njit(inline="always", **FAST)
def scaled_erfc(x: float) -> float:
    """erfc(x)·exp(x²), x in [0, 5]."""
    t = 1.0 / (1.0 + 0.4 * x)
    p = _W[12]
    p = p * t + _W[11]
    p = p * t + _W[10]
    p = p * t + _W[9]
    p = p * t + _W[8]
    p = p * t + _W[7]
    p = p * t + _W[6]
    p = p * t + _W[5]
    p = p * t + _W[4]
    p = p * t + _W[3]
    p = p * t + _W[2]
    p = p * t + _W[1]
    p = p * t + _W[0]
    return p * t


@njit(inline="always", **FAST)
def screened_powers(square: float, kappa: float) -> tuple[float, float, float, float]:
    """erfc(kappa·r)/r and its next three B functions.

    Each is -1/r times the derivative of the one before; without screening they are 1/r, 1/r³,
    3/r⁵ and 15/r⁷. Source: Smith, CCP5 Newsletter 46, 18 (1998).
    """
    inverse = 1.0 / sqrt(square)
    inverse2 = inverse * inverse
    x = kappa * square * inverse
    gauss = decay(x * x)
    twice = 2.0 * kappa * kappa
    step = gauss * 2.0 * kappa / _ROOT_PI
    b0 = gauss * scaled_erfc(x) * inverse
    b1 = (b0 + step) * inverse2
    step *= twice
    b2 = (3.0 * b1 + step) * inverse2
    step *= twice
    b3 = (5.0 * b2 + step) * inverse2
    return b0, b1, b2, b3


@njit(inline="always", **FAST)
def undamped_parts(square: float, weight: float) -> tuple[float, float, float]:
    """What Thole damping takes away from 1/r³, 3/r⁵ and 15/r⁷.

    With u = weight·r³: (1 - lambda3)/r³, 3·(1 - lambda5)/r⁵ and 15·(1 - lambda7)/r⁷, where
    1 - lambda3 = exp(-u), 1 - lambda5 = (1 + u)·exp(-u), 1 - lambda7 = (1 + u + 3u²/5)·exp(-u).
    Source: Ren and Ponder, J. Phys. Chem. B 107, 5933 (2003), https://doi.org/10.1021/jp027815+.
    """
    inverse2 = 1.0 / square
    root = sqrt(square)
    u = weight * square * root
    left = decay(u)
    inverse3 = inverse2 / root
    d3 = left * inverse3
    d5 = 3.0 * (1.0 + u) * left * inverse3 * inverse2
    d7 = 15.0 * (1.0 + u + 0.6 * u * u) * left * inverse3 * inverse2 * inverse2
    return d3, d5, d7
