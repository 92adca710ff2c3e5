"""Where the time of the polarization kernel goes, and how it grows with the number of atoms."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import openmm
from openmm import app, unit

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.interop.layout import Floats
from openff_bytepol.interop.openmm_multipoles import MULTIPOLES
from openff_bytepol.interop.openmm_polarization import kernel_options, sites_of
from openff_bytepol.interop.polarization_speed import short_trajectory
from openff_bytepol.polarization import PolarizationKernel

_WARM_UP: Final = 6
"""Steps before the timing, which fill the predictor's history."""


@dataclass(frozen=True)
class PolarizationProfile:
    """Processor time of one call of the kernel, the mean over the frames of a trajectory, ms."""

    n_atoms: int
    threads: int
    iterations: float
    """Mean number of conjugate-gradient steps."""
    total: float
    parts: dict[str, float]
    """Of the total; what is in no part is Python's."""


def profile_kernel(
    system: openmm.System,
    topology: app.Topology,
    positions: Floats,
    *,
    steps: int = 20,
    replicas: Sequence[int] = (1,),
) -> list[PolarizationProfile]:
    """Time the parts of the kernel in boxes made of copies of one box.

    Larger boxes repeat the trajectory of the small one along all three axes: dipoles and
    iterations are the same, and only the size differs.

    Parameters
    ----------
    system
        Periodic, with its multipole force of stock OpenMM in place.
    topology
        Of the system.
    positions
        Å; (n_particles, 3).
    steps
        Frames that are timed, 2 fs apart, at 298 K.
    replicas
        Copies along each axis, one profile each: 2 makes eight boxes of one.

    Raises
    ------
    ForceFieldError
        If the system has no multipole force of stock OpenMM, or no box.
    """
    import numba

    stock = [f for f in system.getForces() if f.getName() == MULTIPOLES]
    if not stock or isinstance(stock[0], openmm.PythonForce):
        raise ForceFieldError("the system has no AmoebaMultipoleForce to put the kernel in for")
    if not system.usesPeriodicBoundaryConditions():
        raise ForceFieldError("only boxes can be repeated; give the system a periodic box")
    quantities = short_trajectory(system, topology, positions, steps + _WARM_UP)
    frames = [frame.value_in_unit(unit.angstrom) for frame in quantities]
    box = np.array(
        [v.value_in_unit(unit.angstrom) for v in system.getDefaultPeriodicBoxVectors()],
        dtype=np.float64,
    )
    sites, options = sites_of(stock[0]), kernel_options(stock[0])
    profiles = []
    for count in replicas:
        kernel = PolarizationKernel(sites.repeated(count**3), options)
        shifts = np.array(list(itertools.product(range(count), repeat=3))) @ box
        iterations = []
        for number, frame in enumerate(frames):
            if number == _WARM_UP:
                kernel.clock.start()
                start = time.process_time()
            repeated = (frame[None] + shifts[:, None]).reshape(-1, 3)
            result = kernel.compute(repeated, count * box)
            iterations.append(result.iterations)
        per_call = 1e3 / steps
        total = per_call * (time.process_time() - start)
        parts = {str(part): per_call * seconds for part, seconds in kernel.clock.seconds.items()}
        profiles.append(
            PolarizationProfile(
                n_atoms=kernel.sites.n_atoms,
                threads=numba.get_num_threads(),
                iterations=float(np.mean(iterations[_WARM_UP:])),
                total=total,
                parts={**parts, "Python": total - sum(parts.values())},
            )
        )
    return profiles


def growth_exponent(profiles: Sequence[PolarizationProfile]) -> float | None:
    """Power of the number of atoms with which the time grows; None of a single size."""
    if len({profile.n_atoms for profile in profiles}) < 2:
        return None
    sizes = np.log([profile.n_atoms for profile in profiles])
    return float(np.polyfit(sizes, np.log([profile.total for profile in profiles]), 1)[0])
