"""Distances that simulations hold fixed: bonds to hydrogen, and all of water.

Charges do not follow the geometry of a molecule. Left free, strong hydrogen bonds stretch their
bonds and narrow the angle of water by several degrees, which makes dipole moments too large and
binds liquids too strongly.
"""

from __future__ import annotations

from typing import Final

from openff_bytepol.parameters import ParameterSet

WATER_OH: Final = 0.9579
WATER_HH: Final = 1.5148
"""Å; equilibrium geometry of water (Partridge and Schwenke, J. Chem. Phys. 106, 4618 (1997),
https://doi.org/10.1063/1.473987)."""


def fixed_distances(parameters: ParameterSet) -> list[tuple[int, int, float]]:
    """Pairs of atoms of one molecule, and the distance that each is held at.

    Bonds to hydrogen have their predicted equilibrium lengths; water has the three distances of
    its equilibrium geometry.

    Parameters
    ----------
    parameters
        Of one molecule, without ensemble axis.

    Returns
    -------
    list of tuple
        Two atoms and a distance in Å.
    """
    numbers = parameters.atomic_numbers.tolist()
    if sorted(numbers) == [1, 1, 8] and len(parameters.bonds) == 2:
        oxygen = numbers.index(8)
        first, second = (atom for atom in range(3) if atom != oxygen)
        return [
            (oxygen, first, WATER_OH),
            (oxygen, second, WATER_OH),
            (first, second, WATER_HH),
        ]
    return [
        (first, second, length)
        for (first, second), length in zip(
            parameters.bonds.tolist(), parameters.bond_r0.tolist(), strict=True
        )
        if 1 in (numbers[first], numbers[second])
    ]
