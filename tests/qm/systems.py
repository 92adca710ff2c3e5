"""Geometries of energy decompositions, Å."""

from __future__ import annotations

import numpy as np

from openff_bytepol.qm import Fragment


def fragment(text: str, charge: int = 0) -> Fragment:
    rows = [line.split() for line in text.strip().splitlines()]
    xyz = np.array([[float(x) for x in row[1:]] for row in rows])
    return Fragment(tuple(row[0] for row in rows), xyz, charge)


PEROXIDE = fragment(
    """O 0.554494  0.121391  0.181900
       O 0.928732  0.108734  1.555021
       H 1.393687 -0.115878 -0.260764
       H 0.080501  0.248683  1.992760"""
)
METHANOL = fragment(
    """H 3.538911 -0.228621  1.021708
       C 4.008307 -0.010800  0.064384
       H 4.220975  1.060539  0.006821
       H 4.944427 -0.570295 -0.015462
       O 3.088372 -0.407041 -0.933335
       H 3.447994 -0.197411 -1.801233"""
)
NEON = fragment("Ne 1.0 0.0 -2.5")
WATER = fragment(
    """O 0.000000 0.000000  0.117400
       H -0.757000 0.000000 -0.469600
       H 0.757000 0.000000 -0.469600"""
)
HYDRONIUM = fragment(
    """O  0.199968  0.000000  0.000006
       H  1.174548  0.000000 -0.000001
       H -0.287258  0.844506 -0.000003
       H -0.287258 -0.844506 -0.000003""",
    1,
)
HYDROXIDE = fragment("O -0.414478 3.335424 0.468285\nH -1.320507 3.431870 0.784608", -1)
LITHIUMS = tuple(fragment(f"Li {x} {y} 0", 1) for x, y in ((0.0, 0.0), (2.5, 0.1), (8.0, -0.1)))
