"""Reciprocal space: smooth particle-mesh Ewald of charges and dipoles.

Source: Essmann et al., J. Chem. Phys. 103, 8577 (1995), https://doi.org/10.1063/1.470117; for
dipoles, Toukmaji et al., J. Chem. Phys. 113, 10913 (2000), https://doi.org/10.1063/1.1324708.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy import fft

from openff_bytepol.polarization import splines
from openff_bytepol.polarization.arrays import Floats, Indices, Reals
from openff_bytepol.polarization.clock import Clock
from openff_bytepol.polarization.splines import ORDER

_LARGE: Final = 500_000
"""Mesh points from which transforms gain by several threads."""


def mesh_size(box: Floats, kappa: float, tolerance: float) -> tuple[int, int, int]:
    """Mesh points along each axis for a relative error of the forces of about ``tolerance``.

    Parameters
    ----------
    box
        Reduced vectors as rows, Å; (3, 3).
    kappa
        Screening, 1/Å.
    tolerance
        Dimensionless.
    """
    spacing = 0.30 / kappa * (tolerance / 5e-5) ** (1.0 / (ORDER - 1))
    counts = np.ceil(np.linalg.norm(box, axis=1) / spacing)
    x, y, z = (2 * int(fft.next_fast_len(max(math.ceil(n / 2), ORDER), real=True)) for n in counts)
    return x, y, z


class Mesh:
    """Potential of charges and dipoles on a mesh in a box.

    Parameters
    ----------
    size
        Points along each axis.
    kappa
        Screening, 1/Å.
    dtype
        Of the mesh.
    threads
        Slabs into which the mesh is divided for spreading.
    clock
        Of the parts.
    """

    def __init__(
        self,
        size: tuple[int, int, int],
        kappa: float,
        dtype: DTypeLike,
        threads: int,
        clock: Clock,
    ) -> None:
        self.size, self.kappa, self.threads, self._clock = size, kappa, threads, clock
        self.dtype = np.dtype(dtype)
        self.box: Floats = np.zeros((3, 3))
        self._workers = threads if math.prod(size) > _LARGE else 1
        self._moduli = [_spline_moduli(n) for n in size]
        self._first: Indices = np.empty((0, 3), dtype=np.int32)
        self._padded = np.zeros((size[0], size[1], size[2] + ORDER), dtype=self.dtype)

    def place(self, positions: Floats, box: Floats) -> None:
        """Compute splines at the positions (Å; (n_atoms, 3)) in a box (Å; (3, 3))."""
        if not np.array_equal(box, self.box):
            self.box = box.copy()
            self._to_mesh = np.linalg.inv(box) * np.asarray(self.size)
            self._influence = self._influence_function()
        n_atoms = len(positions)
        if len(self._first) != n_atoms:
            self._first = np.empty((n_atoms, 3), dtype=np.int32)
            self._theta = np.empty((n_atoms, 3, 3, ORDER), dtype=self.dtype)
        with self._clock("spreading"):
            splines.place(positions, self._to_mesh, np.array(self.size), self._first, self._theta)

    def potential(self, charges: Floats, dipoles: Floats) -> Reals:
        """Potential of charges (e; (n_atoms,)) and dipoles (e·Å; (n_atoms, 3)) on the mesh, e/Å."""
        transform = self._transform(charges, dipoles)
        with self._clock("transforms"):
            transform *= self._influence
            return self._backward(transform)

    def field(self, potential: Reals, field: Floats) -> None:
        """Add the field of a potential (e/Å²; (n_atoms, 3))."""
        with self._clock("mesh fields"):
            splines.field(self._pad(potential), self._first, self._theta, self._to_mesh, field)

    def energy_and_forces(
        self, potential: Reals, charges: Floats, dipoles: Floats, energy: Floats, force: Floats
    ) -> None:
        """Add the energy (e²/Å) and force (e²/Å²) of each atom in a potential."""
        splines.energy_and_forces(
            self._pad(potential),
            self._first,
            self._theta,
            self._to_mesh,
            charges,
            dipoles @ self._to_mesh,
            energy,
            force,
        )

    def virial(self, charges: Floats, dipoles: Floats) -> Floats:
        """Minus the derivative of the energy by strain, e²/Å; (3, 3).

        Two parts: waves change their lengths, and dipoles, which do not turn with the box, their
        phases.
        """
        transform = self._transform(charges, dipoles)
        weights = (transform.real**2 + transform.imag**2) * (0.5 * self._influence)
        weights[:, :, 1 : (self.size[2] + 1) // 2] *= 2.0
        x, y, z = vectors = self._wave_vectors()
        square = x * x + y * y + z * z
        square[0, 0, 0] = 1.0
        slopes = weights * (2.0 / square + 2.0 * (math.pi / self.kappa) ** 2)
        tensor = float(weights.sum()) * np.eye(3)
        for a in range(3):
            for b in range(3):
                tensor[a, b] -= float((slopes * vectors[a] * vectors[b]).sum())
        field = np.zeros_like(dipoles)
        self.field(self.potential(charges, dipoles), field)
        return tensor - field.T @ dipoles

    def _transform(self, charges: Floats, dipoles: Floats) -> NDArray[np.complexfloating]:
        padded, nz = self._padded, self.size[2]
        with self._clock("spreading"):
            splines.spread(
                padded, self._first, self._theta, charges, dipoles @ self._to_mesh, self.threads
            )
            padded[:, :, :ORDER] += padded[:, :, nz:]
        with self._clock("transforms"):
            transform: NDArray[np.complexfloating] = fft.rfftn(
                padded[:, :, :nz], workers=self._workers
            )
        return transform

    def _backward(self, transform: NDArray[np.complexfloating]) -> Reals:
        potential: Reals = fft.irfftn(
            transform, s=self.size, norm="forward", overwrite_x=True, workers=self._workers
        )
        return potential

    def _pad(self, potential: Reals) -> Reals:
        padded, nz = self._padded, self.size[2]
        padded[:, :, :nz] = potential
        padded[:, :, nz:] = potential[:, :, :ORDER]
        return padded

    def _wave_vectors(self) -> tuple[Floats, Floats, Floats]:
        """Components of k/2π, 1/Å; broadcast to the shape of the transform."""
        m = [
            np.fft.fftfreq(self.size[0], 1.0 / self.size[0])[:, None, None],
            np.fft.fftfreq(self.size[1], 1.0 / self.size[1])[None, :, None],
            np.fft.rfftfreq(self.size[2], 1.0 / self.size[2])[None, None, :],
        ]
        inverse = np.linalg.inv(self.box)
        x, y, z = (sum(inverse[c, a] * m[a] for a in range(3)) for c in range(3))
        return x, y, z

    def _influence_function(self) -> Reals:
        x, y, z = self._wave_vectors()
        square = x * x + y * y + z * z
        square[0, 0, 0] = 1.0
        volume = float(np.linalg.det(self.box))
        influence = np.exp(-((math.pi / self.kappa) ** 2) * square) / (math.pi * volume * square)
        influence *= self._moduli[0][:, None, None] * self._moduli[1][None, :, None]
        influence *= self._moduli[2][None, None, : self.size[2] // 2 + 1]
        influence[0, 0, 0] = 0.0
        return influence.astype(self.dtype)


def _spline_moduli(n: int) -> Floats:
    """Square modulus of the Euler spline of each frequency; (n,)."""
    values = splines.at_knots()
    frequencies = np.arange(n)
    phases = np.exp(2j * math.pi * np.outer(frequencies, np.arange(len(values))) / n)
    moduli = np.abs(phases @ values) ** 2
    small = moduli < 1e-7
    moduli[small] = 0.5 * (np.roll(moduli, 1)[small] + np.roll(moduli, -1)[small])
    result: Floats = 1.0 / moduli
    return result
