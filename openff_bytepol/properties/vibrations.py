"""Vibrations of a molecule in vacuum, from the force field alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from openff_bytepol.exceptions import SimulationError
from openff_bytepol.properties.observables import Floats, Ints
from openff_bytepol.units import NM_PER_ANGSTROM

if TYPE_CHECKING:
    import openmm

_STEP: Final = 5e-4
"""nm, of finite differences of forces."""
_TOLERANCE: Final = 1e-3
"""kJ/mol/nm, to which the energy is minimised."""
_DEPENDENT: Final = 1e-3
"""Singular value below which a rigid motion is none: that about the axis of a linear molecule."""
_LIGHT: Final = 0.0299792458
"""Speed of light, cm/ps."""
_SADDLE: Final = 30.0
"""Imaginary wavenumber that is more than noise of finite differences, 1/cm."""
_LOWEST: Final = 1e-3
"""Wavenumber in place of zero, 1/cm."""


def vibrational_wavenumbers(system: openmm.System, positions: Floats) -> Floats:
    """Harmonic wavenumbers at the nearest minimum of the energy.

    Square roots of the eigenvalues of the mass-weighted Hessian, by central differences of
    forces, without translations, rotations and what constraints freeze. Constraints σ(x) = 0
    bend the surface on which atoms move, and bear forces on it: the Hessian is that of the
    Lagrangian V + Σ λσ.

    Source: Wilson, Decius and Cross, Molecular Vibrations, McGraw-Hill 1955.

    Parameters
    ----------
    system
        One molecule without a box.
    positions
        Å; (n_particles, 3).

    Returns
    -------
    Floats
        1/cm, ascending.

    Raises
    ------
    SimulationError
        If minimisation ends at a saddle point.
    """
    import openmm

    from openff_bytepol.interop.masses import particle_masses

    integrator = openmm.VerletIntegrator(0.001)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, integrator, platform)
    context.setPositions(positions * NM_PER_ANGSTROM)
    openmm.LocalEnergyMinimizer.minimize(context, _TOLERANCE, 0)
    minimum = context.getState(positions=True).getPositions(asNumpy=True)._value
    masses = particle_masses(system)
    massive: Ints = np.flatnonzero(masses > 0.0)
    weights = np.repeat(masses[massive] ** -0.5, 3)
    hessian = _hessian(context, minimum, massive)
    hessian += _curvature_of_constraints(context, minimum, massive)
    hessian *= np.outer(weights, weights)
    free = _free_motions(system, minimum, masses, massive)
    eigenvalues = np.linalg.eigvalsh(free.T @ hessian @ free)
    wavenumbers = np.sign(eigenvalues) * np.sqrt(np.abs(eigenvalues)) / (2.0 * math.pi * _LIGHT)
    if len(wavenumbers) and wavenumbers[0] < -_SADDLE:
        raise SimulationError(
            f"the molecule has an imaginary vibration of {-wavenumbers[0]:.0f}i 1/cm: minimisation "
            "ended at a saddle point"
        )
    return np.asarray(np.maximum(wavenumbers, _LOWEST))


def _hessian(context: openmm.Context, minimum: Floats, massive: Ints) -> Floats:
    """Second derivatives with respect to the particles with mass, kJ/mol/nm²."""

    def forces(positions: Floats) -> Floats:
        context.setPositions(positions)
        context.computeVirtualSites()
        found = context.getState(forces=True).getForces(asNumpy=True)._value
        return np.asarray(found[massive].ravel())

    rows = []
    for atom in massive:
        for axis in range(3):
            up, down = minimum.copy(), minimum.copy()
            up[atom, axis] += _STEP
            down[atom, axis] -= _STEP
            rows.append((forces(down) - forces(up)) / (2.0 * _STEP))
    hessian = np.array(rows)
    return np.asarray(0.5 * (hessian + hessian.T))


def _curvature_of_constraints(context: openmm.Context, minimum: Floats, massive: Ints) -> Floats:
    """Σ λ ∇∇σ of the distances σ held constant, where Σ λ ∇σ balances the forces; kJ/mol/nm²."""
    system, size = context.getSystem(), 3 * len(massive)
    place = {int(atom): 3 * row for row, atom in enumerate(massive)}
    gradients, curvatures = [], []
    for index in range(system.getNumConstraints()):
        first, second, _ = system.getConstraintParameters(index)
        bond = minimum[first] - minimum[second]
        length = np.linalg.norm(bond)
        difference = np.zeros((3, size))
        difference[:, place[first] : place[first] + 3] = np.eye(3)
        difference[:, place[second] : place[second] + 3] = -np.eye(3)
        across = (np.eye(3) - np.outer(bond, bond) / length**2) / length
        gradients.append(bond / length @ difference)
        curvatures.append(difference.T @ across @ difference)
    if not gradients:
        return np.zeros((size, size))
    context.setPositions(minimum)
    context.computeVirtualSites()
    forces = context.getState(forces=True).getForces(asNumpy=True)._value[massive].ravel()
    multipliers = np.linalg.lstsq(np.array(gradients).T, forces, rcond=None)[0]
    return np.asarray(np.tensordot(multipliers, np.array(curvatures), axes=1))


def _free_motions(system: openmm.System, minimum: Floats, masses: Floats, massive: Ints) -> Floats:
    """Orthonormal mass-weighted displacements that are vibrations; (3·n_massive, n_free)."""
    roots = np.sqrt(masses[massive])[:, None]
    positions = minimum[massive] - np.average(minimum[massive], axis=0, weights=masses[massive])
    size = math.sqrt(float((masses[massive] @ positions**2).sum())) or 1.0
    rigid = [roots * axis / np.linalg.norm(roots) for axis in np.eye(3)]
    rigid += [roots * np.cross(axis, positions) / size for axis in np.eye(3)]
    place = {int(atom): row for row, atom in enumerate(massive)}
    for index in range(system.getNumConstraints()):
        first, second, _ = system.getConstraintParameters(index)
        direction = np.zeros((len(massive), 3))
        bond = minimum[first] - minimum[second]
        direction[place[first]] = bond / roots[place[first]]
        direction[place[second]] = -bond / roots[place[second]]
        rigid.append(direction / np.linalg.norm(direction))
    vectors, sizes, _ = np.linalg.svd(np.array([motion.ravel() for motion in rigid]).T)
    return np.asarray(vectors[:, int((sizes > _DEPENDENT).sum()) :])
