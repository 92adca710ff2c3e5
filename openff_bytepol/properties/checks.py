"""Whether a simulated liquid is one: finite, dense, and mixed.

A hole or a boundary between phases shows up at the longest wavelengths that fit into the
box. The structure factor there, S(k) = |Σ_j exp(ik·r_j)|²/N over molecular centres, is near
the compressibility limit ρ·kT·κ (below about 0.3) in a liquid, 1 in an ideal gas and of the
order of N where a part of the box is empty. The concentration–concentration structure factor
S_cc(k)/(x(1-x)) = |Σ_j (δ_j - x)·exp(ik·r_j)|²/(N·x(1-x)) is 1 in an ideal mixture, a few in
associated ones and of the order of N where a mixture has separated.

Source: A. B. Bhatia and D. E. Thornton, Phys. Rev. B 2, 3004 (1970),
https://doi.org/10.1103/PhysRevB.2.3004.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.exceptions import SimulationError, UnphysicalLiquidError
from openff_bytepol.properties.observables import Floats, Observables
from openff_bytepol.units import BOLTZMANN, GRAM_PER_CM3

_BOILED: Final = 0.35
"""Fraction of the expected density below which a box is no liquid."""
_HOLE: Final = (1.0, 0.005)
_SEPARATED: Final = (10.0, 0.1)
"""Smallest structure factor that counts, and the same per molecule."""
_HOTTEST: Final = 3.0
"""Times the temperature of the thermostat, at least."""
_NEVER: Final = 1e-12
"""Probability of a kinetic energy that no frame of a sound run has."""
_MIN_MOLECULES: Final = 20
"""Fewer say nothing about phases."""
_LAST: Final = 0.5
"""Fraction of the frames, at the end, in which phases are looked for."""


@dataclass(frozen=True)
class Inhomogeneity:
    """Structure factors at the smallest wave vectors, averaged over frames.

    Attributes
    ----------
    density
        S(k); about 0.1 in a liquid.
    composition
        Largest S_cc(k)/(x(1-x)) of any component; about 1 in a mixture, 0 in pure liquids.
    component
        Name of that component.
    """

    density: float
    composition: float
    component: str


def check_frame(
    potential: float, kinetic: float, degrees_of_freedom: int, temperature: float
) -> None:
    """Refuse energies that are not finite, or far too hot.

    The kinetic temperature of a few atoms fluctuates widely: what is too hot follows from the
    Maxwell-Boltzmann distribution.

    Parameters
    ----------
    potential, kinetic
        kcal/mol of the whole system.
    degrees_of_freedom
        Of the whole system.
    temperature
        Of the thermostat, K.

    Raises
    ------
    SimulationError
    """
    if not np.isfinite([potential, kinetic]).all():
        raise SimulationError("the energy is not a finite number")
    degrees = max(degrees_of_freedom, 1)
    kelvin = 2.0 * kinetic / (degrees * BOLTZMANN)
    if kelvin > _hottest(degrees) * temperature:
        raise SimulationError(f"the system heated up to {kelvin:.0f} K at {temperature:g} K")


@cache
def _hottest(degrees_of_freedom: int) -> float:
    """Kinetic temperature that is too much, in units of the thermostat's."""
    from scipy.stats import chi2

    return max(_HOTTEST, float(chi2.isf(_NEVER, degrees_of_freedom)) / degrees_of_freedom)


def check_density(density: float, expected: float) -> None:
    """Refuse a box that has expanded to a gas.

    Parameters
    ----------
    density, expected
        g/cm³.

    Raises
    ------
    UnphysicalLiquidError
    """
    if density < _BOILED * expected:
        raise UnphysicalLiquidError(
            f"the liquid boiled: the density fell to {density:.3g} g/cm³, where about "
            f"{expected:.2g} g/cm³ was expected of a liquid. The temperature is above the boiling "
            "point of this force field; lower it or raise the pressure"
        )


def check_phases(observables: Observables) -> Inhomogeneity:
    """Refuse a liquid with a hole, or a mixture that has separated.

    Parameters
    ----------
    observables
        With centres and boxes, of production.

    Returns
    -------
    Inhomogeneity
        What was found, for the report.

    Raises
    ------
    UnphysicalLiquidError
    """
    found = inhomogeneity(observables[int(len(observables) * (1.0 - _LAST)) :])
    n = observables.n_molecules
    if n < _MIN_MOLECULES:
        return found
    if found.density > max(_HOLE[0], _HOLE[1] * n):
        density = observables.mass * GRAM_PER_CM3 / observables.volumes.mean()
        raise UnphysicalLiquidError(
            f"a bubble or a boundary between liquid and vapour has formed (structure factor "
            f"{found.density:.1f} at the longest wavelength, density {density:.3g} g/cm³): the "
            "liquid is boiling; lower the temperature or raise the pressure"
        )
    if found.composition > max(_SEPARATED[0], _SEPARATED[1] * n):
        raise UnphysicalLiquidError(
            f"the mixture has separated: {found.component} gathers in a part of the box "
            f"(concentration structure factor {found.composition:.1f} times that of an ideal "
            "mixture). Its averages are of two phases; change composition or temperature"
        )
    return found


def inhomogeneity(observables: Observables) -> Inhomogeneity:
    """Structure factors at the smallest wave vectors of the box; see the module."""
    centers, boxes = observables.require("centers"), observables.require("boxes")
    waves = _waves(centers, boxes)
    n = observables.n_molecules
    density = float(np.mean(np.abs(waves.sum(-1)) ** 2) / n)
    largest, name = 0.0, ""
    for index, fraction in enumerate(observables.mole_fractions):
        if not 0.0 < fraction < 1.0:
            continue
        excess = (observables.component_index == index) - fraction
        value = float(np.mean(np.abs(waves @ excess) ** 2) / (n * fraction * (1.0 - fraction)))
        if value > largest:
            largest, name = value, observables.names[index]
    return Inhomogeneity(density, largest, name)


def _waves(centers: Floats, boxes: Floats) -> NDArray[np.complex128]:
    """exp(ik·r) for the three smallest wave vectors; (n_frames, 3, n_molecules)."""
    fractional = np.einsum("fmi,fij->fjm", centers, np.linalg.inv(boxes))
    return np.asarray(np.exp(2j * np.pi * fractional))
