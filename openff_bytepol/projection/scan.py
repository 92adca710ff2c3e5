"""Nonbonded energies of both models while the rotatable bonds of a molecule turn.

All bonds are scanned at once, each while the others rest, so that only pairs of one atom
on each side of a bond change their distance. Induction is -F·A⁻¹·F/2 with the field F of
the turned molecule; the response A⁻¹ turns with the two sides but is otherwise that of
the conformer the scan starts from, which changes energies by about 0.1 kcal/mol.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.projection.fixed_charge import CHARGE_14, VDW_14
from openff_bytepol.projection.mean_field import GasResponse
from openff_bytepol.projection.rotors import Rotor
from openff_bytepol.projection.source import Source
from openff_bytepol.projection.vdw import VdwCurves
from openff_bytepol.units import COULOMB

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

ANGLES: Final[Floats] = np.arange(9.0) * (2.0 * np.pi / 9.0)
"""Rotations of a scan, rad: just enough for a period of 90°."""


class _Turned(NamedTuple):
    """Both sides of a rotor, relative to the fixed end of its axis."""

    fixed: Floats
    moving: Floats
    matrices: Floats


class RotorScan:
    """Pairs of atoms on two sides of the rotatable bonds of one molecule.

    Parameters
    ----------
    source
        The molecule.
    rotors
        At least one.
    """

    def __init__(self, source: Source, rotors: list[Rotor]) -> None:
        self._source, self._rotors = source, rotors
        sizes = [len(r.fixed) * len(r.moving) for r in rotors]
        self._stops = np.cumsum(sizes)
        self._starts = self._stops - sizes
        self._first = np.concatenate([np.repeat(r.fixed, len(r.moving)) for r in rotors])
        self._second = np.concatenate([np.tile(r.moving, len(r.fixed)) for r in rotors])
        self._bonds = np.minimum(source.distances[self._first, self._second], 5)
        settings = source.settings
        curves = VdwCurves.of(source, self._first, self._second)
        beyond_15 = (self._bonds > 4).astype(np.float64)
        self._curves = curves.scaled(self._scale(settings.vdw_14), beyond_15)
        self._charge = self._scale(settings.charge_14) * self._products(source.charges)
        self._field = self._scale(settings.induction_14)
        root = np.sqrt(source.dampings)
        self._thole = -settings.thole / (root[self._first] * root[self._second])

    def polarizable(self, xyz: Floats, gas: GasResponse) -> tuple[Floats, Floats]:
        """Nonbonded energy of the polarizable model, up to a constant for each rotor.

        Parameters
        ----------
        xyz
            The conformer that the scans start from, Å; (n_atoms, 3).
        gas
            Its response.

        Returns
        -------
        energies
            kcal/mol; (n_rotors, n_angles).
        distances
            Of the pairs, Å; (n_angles, n_pairs).
        """
        turned, r = self._turn(xyz)
        energy = self._curves.energy(r)
        energy += self._charge / r
        return self._sum(energy) + self._induction(turned, r, gas), r

    def fixed_charge(self, r: Floats, charges: Floats, sigmas: Floats, epsilons: Floats) -> Floats:
        """Nonbonded energy of fixed charges at the distances of a scan, up to constants.

        Returns
        -------
        ndarray
            kcal/mol; (n_rotors, n_angles).
        """
        i, j = self._first, self._second
        root = np.sqrt(epsilons)
        sixth = (0.5 * (sigmas[i] + sigmas[j]) / r) ** 2
        sixth = sixth * sixth * sixth
        energy = 4.0 * self._scale(VDW_14) * root[i] * root[j] * sixth * (sixth - 1.0)
        energy += self._scale(CHARGE_14) * self._products(charges) / r
        return self._sum(energy)

    def _scale(self, factor_14: float) -> Floats:
        scale: Floats = np.array([0.0, 0.0, 0.0, factor_14, 1.0, 1.0])[self._bonds]
        return scale

    def _products(self, charges: Floats) -> Floats:
        products: Floats = COULOMB * charges[self._first] * charges[self._second]
        return products

    def _sum(self, values: Floats) -> Floats:
        return np.add.reduceat(values, list(self._starts), axis=1).T

    def _turn(self, xyz: Floats) -> tuple[list[_Turned], Floats]:
        square = np.empty((len(ANGLES), len(self._first)))
        turned = []
        for rotor, start, stop in zip(self._rotors, self._starts, self._stops, strict=True):
            matrices = rotor.matrices(xyz, ANGLES)
            origin = xyz[rotor.axis[0]]
            fixed, moving = xyz[rotor.fixed] - origin, xyz[rotor.moving] - origin
            norms = (fixed * fixed).sum(axis=1)[:, None] + (moving * moving).sum(axis=1)
            moving = moving @ matrices.transpose(0, 2, 1)
            product = fixed @ moving.transpose(0, 2, 1)
            square[:, start:stop] = (norms - 2.0 * product).reshape(len(ANGLES), -1)
            turned.append(_Turned(fixed, moving, matrices))
        return turned, np.sqrt(square)

    def _induction(self, turned: list[_Turned], r: Floats, gas: GasResponse) -> Floats:
        n_atoms, charges = self._source.n_atoms, self._source.charges
        cube = r * r * r
        kernel = self._field * (1.0 - np.exp(self._thole * cube)) / cube
        fields = np.empty((len(self._rotors), len(ANGLES), n_atoms, 3))
        for n, (rotor, (fixed, moving, matrices)) in enumerate(
            zip(self._rotors, turned, strict=True)
        ):
            block = kernel[:, self._starts[n] : self._stops[n]]
            block = block.reshape(len(ANGLES), len(rotor.fixed), len(rotor.moving))
            at_fixed = _fields(block, fixed, moving, charges[rotor.moving])
            at_moving = _fields(block.transpose(0, 2, 1), moving, fixed, charges[rotor.fixed])
            at_moving = at_moving @ matrices  # in the frame that turns with them
            fields[n, :, rotor.order] = np.concatenate([at_fixed, at_moving], 1).swapaxes(0, 1)
        fields -= fields[:, :1]
        flat = (fields + gas.field).reshape(-1, 3 * n_atoms)
        energy = -0.5 * COULOMB * ((flat @ gas.inverse) * flat).sum(axis=1)
        energies: Floats = energy.reshape(len(self._rotors), len(ANGLES))
        return energies


def _fields(kernel: Floats, at: Floats, sources: Floats, charges: Floats) -> Floats:
    """Fields sum_j kernel_ij·q_j·(r_i - r_j); (n_angles, n_at, 3)."""
    moments = np.empty((*sources.shape[:-1], 4))
    moments[..., :3] = sources * charges[:, None]
    moments[..., 3] = charges
    sums = kernel @ moments
    fields: Floats = sums[..., 3:] * at - sums[..., :3]
    return fields
