"""Instantaneous pressure tensors of OpenMM contexts, whatever the forces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import openmm
from openmm import unit

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.interop.masses import particle_masses
from openff_bytepol.properties.observables import Floats, Ints
from openff_bytepol.units import ATMOSPHERE, NM_PER_ANGSTROM, OPENMM_ENERGY

_STRAIN: Final = 1e-3
_COMPONENTS: Final = ((0, 0), (1, 1), (2, 2), (1, 0), (2, 0), (2, 1))
"""(b, a) of box deformations x_a += ε·x_b, which keep OpenMM's lower triangular boxes."""


class PressureMeter:
    """Molecular pressure tensor by finite deformations of the box.

    P_ab V = Σ_m M_m v_ma v_mb − ∂U/∂ε_ab

    with masses and velocities of the centres of mass of molecules m, which a strain ε moves as
    rigid bodies, so that constraints and bonded terms drop out. ∂U/∂ε is a central difference:
    twelve energies per call, of any forces, polarization and long-range corrections
    included. In single or mixed precision their rounding adds noise of about 10 to 100 atm,
    which does not correlate in time.

    Source: Allen and Tildesley, Computer Simulation of Liquids, 2nd ed., Oxford 2017, section
    2.4.

    Parameters
    ----------
    system
        Periodic.
    molecules
        Particles of every molecule, as from `molecules_of`.
    strain
        Half the finite difference, dimensionless.

    Raises
    ------
    ForceFieldError
        If the system is not periodic.
    """

    def __init__(
        self,
        system: openmm.System,
        molecules: Sequence[Sequence[int]],
        *,
        strain: float = _STRAIN,
    ) -> None:
        if not system.usesPeriodicBoundaryConditions():
            raise ForceFieldError("a system without a periodic box has no pressure")
        self._strain = strain
        self._masses = particle_masses(system)
        self._molecule: Ints = np.zeros(len(self._masses), dtype=np.int64)
        for number, particles in enumerate(molecules):
            self._molecule[list(particles)] = number
        self._molecule_masses = self._sum(np.ones((len(self._masses), 1)))[:, 0]

    def __call__(self, context: openmm.Context) -> Floats:
        """Pressure tensor of the present state, atm; (3, 3), symmetric.

        Positions, velocities and box are as before afterwards.
        """
        state = context.getState(positions=True, velocities=True)
        positions = state.getPositions(asNumpy=True)._value
        velocities = self._sum(state.getVelocities(asNumpy=True)._value)
        velocities /= self._molecule_masses[:, None]
        box = state.getPeriodicBoxVectors(asNumpy=True)._value
        centers = self._sum(positions) / self._molecule_masses[:, None]
        tensor = np.einsum("ma,mb,m->ab", velocities, velocities, self._molecule_masses)
        try:
            for b, a in _COMPONENTS:
                along_box, along = np.zeros_like(box), np.zeros_like(positions)
                along_box[:, a], along[:, a] = box[:, b], centers[self._molecule, b]
                up, down = (
                    _energy(context, box + s * along_box, positions + s * along)
                    for s in (self._strain, -self._strain)
                )
                virial = (up - down) / (2.0 * self._strain)
                tensor[a, b] -= virial
                if a != b:
                    tensor[b, a] -= virial
        finally:
            context.setPeriodicBoxVectors(*box)
            context.setPositions(positions)
        volume = float(np.linalg.det(box)) / NM_PER_ANGSTROM**3
        return np.asarray(tensor / (OPENMM_ENERGY * volume * ATMOSPHERE))

    def _sum(self, values: Floats) -> Floats:
        """Mass-weighted sums over molecules; (n_particles, k) to (n_molecules, k)."""
        sums = np.zeros((int(self._molecule.max()) + 1, values.shape[1]))
        np.add.at(sums, self._molecule, values * self._masses[:, None])
        return sums


def molecules_of(context: openmm.Context) -> list[list[int]]:
    """Particles of every molecule: those joined by bonded forces and constraints."""
    return [list(particles) for particles in context.getMolecules()]


def _energy(context: openmm.Context, box: Floats, positions: Floats) -> float:
    """Potential energy with another box and positions (nm), kJ/mol."""
    context.setPeriodicBoxVectors(*box)
    context.setPositions(positions)
    energy = context.getState(energy=True).getPotentialEnergy()
    return float(energy.value_in_unit(unit.kilojoule_per_mole))
