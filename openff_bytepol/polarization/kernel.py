"""Energy, forces and induced dipoles of polarizable point charges.

The dipoles minimise E(m) = m·A·m/2 - m·F, F the damped field of the charges and A the response
matrix 1/alpha + T. Energy and forces are those of the functional itself at the dipoles found, so
that an error of the dipoles enters the energy to second order only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import ArrayLike

from openff_bytepol.exceptions import (
    ConvergenceError,
    CutoffError,
    OverlappingAtomsError,
    PolarizationCatastropheError,
)
from openff_bytepol.polarization import near, pairs
from openff_bytepol.polarization.arrays import Floats, Reals
from openff_bytepol.polarization.mesh import Mesh, mesh_size
from openff_bytepol.polarization.neighbours import NeighbourList
from openff_bytepol.polarization.options import KernelOptions
from openff_bytepol.polarization.predictor import DipolePredictor
from openff_bytepol.polarization.sites import Sites
from openff_bytepol.units import COULOMB, DEBYE_IN_E_ANGSTROM

_SHORTEST: Final = 0.02
"""Atoms closer than this (Å) are an error. Trial steps of a minimiser come closer than atoms do."""
_LARGE_CHANGE: Final = 0.1
"""Relative change of a box edge that calls for another mesh."""
_NO_BOX: Final = np.diag([1e12] * 3)
_STRONGEST_DAMPING: Final = 1e4
"""Å^-3/2; of atoms without damping volume."""


@dataclass(frozen=True)
class PolarizationResult:
    """What `PolarizationKernel.compute` finds.

    Attributes
    ----------
    energy
        kcal/mol.
    forces
        kcal/mol/Å; (n_atoms, 3).
    charges
        e; (n_atoms,), those of the sites.
    dipoles
        e·Å; (n_atoms, 3).
    iterations
        Of the conjugate gradients.
    residual
        Root mean square of the change of the dipoles that one more Jacobi step would make, debye.
    """

    energy: float
    forces: Floats
    charges: Floats
    dipoles: Floats
    iterations: int
    residual: float


class PolarizationKernel:
    """Charges and mutually induced dipoles of one system, for many positions.

    Parameters
    ----------
    sites
        Charges, polarizabilities and scale factors.
    options
        Accuracy and speed.
    """

    def __init__(self, sites: Sites, options: KernelOptions | None = None) -> None:
        self.sites = sites
        self.options = KernelOptions() if options is None else options
        self._charges = np.ascontiguousarray(sites.charges)
        self._alpha = np.ascontiguousarray(sites.polarizabilities)[:, None]
        self._per_alpha = np.divide(
            1.0, self._alpha, out=np.zeros_like(self._alpha), where=self._alpha > 0
        )
        with np.errstate(divide="ignore"):
            weights = np.sqrt(sites.thole / sites.dampings)
        self._weights = np.minimum(weights, _STRONGEST_DAMPING)
        self._predictor = DipolePredictor()
        self._dtype = np.dtype(np.float32 if self.options.precision == "single" else np.float64)
        self._neighbours: NeighbourList | None = None
        self._mesh: Mesh | None = None
        self._mesh_edges: Floats = np.ones(3)
        self._rows: _Rows | None = None
        self._last_box: Floats | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.sites, self.options)

    def reset(self) -> None:
        """Forget the dipoles of earlier steps."""
        self._predictor.reset()

    def compute(self, positions: ArrayLike, box: ArrayLike | None = None) -> PolarizationResult:
        """Solve for the dipoles at given positions.

        Parameters
        ----------
        positions
            Å; (n_atoms, 3).
        box
            Reduced vectors as rows, Å; (3, 3). Neither box nor cutoff by default.

        Returns
        -------
        PolarizationResult

        Raises
        ------
        OverlappingAtomsError
            If two atoms are closer than 0.02 Å, or positions are not finite.
        ConvergenceError
            If the dipoles do not converge.
        PolarizationCatastropheError
            If the energy has no minimum.
        CutoffError
            If the cutoff is longer than half the shortest box width.
        """
        x = np.ascontiguousarray(positions, dtype=np.float64)
        _check_finite(x)
        periodic = box is not None
        vectors = np.ascontiguousarray(box, dtype=np.float64) if periodic else _NO_BOX
        if periodic:
            _check_cutoff(vectors, self.options.cutoff)
        same_box = self._last_box is not None and np.array_equal(self._last_box, vectors)
        guess = self._predictor.predict(len(x)) if same_box else self._predictor.latest(len(x))
        self._last_box = vectors.copy()
        n = len(x)
        kappa = self.options.kappa if periodic else 0.0
        rows = self._neighbour_rows(x, vectors, periodic)
        energy, force, field = np.empty(n), np.empty((n, 3)), np.empty((n, 3))
        closest = np.empty(n)
        pairs.screen(
            x, vectors, self._charges, self._weights, kappa,
            self.options.cutoff**2 if periodic else 1e300,
            *rows.neighbours, *rows.arrays, energy, force, field, closest,
        )  # fmt: skip
        _check_overlaps(closest)
        sites = self.sites
        parts = np.empty((len(sites.near_pairs), 5))
        near.near_field(
            x, vectors, sites.near_pairs, sites.charge_scales, sites.field_scales,
            self._charges, self._weights, energy, force, field, parts,
        )  # fmt: skip
        mesh = self._place_on_mesh(x, vectors) if periodic else None
        residual = field
        potential = mesh.potential(self._charges, guess) if mesh is not None else None
        residual += self._dipole_field(rows, guess, kappa)
        if mesh is not None and potential is not None:
            mesh.field(potential, residual)
        residual -= self._per_alpha * guess
        dipoles, iterations, error = self._solve(guess, residual, potential, rows, kappa)
        if same_box or len(self._predictor) == 0:
            self._predictor.push(dipoles)
        as_rows = np.ascontiguousarray(dipoles.T, dtype=self._dtype)
        pairs.dipole_forces(
            rows.index, rows.v, rows.c3, rows.c5, rows.c7, rows.count,
            self._charges.astype(self._dtype), as_rows, energy, force,
        )  # fmt: skip
        near.near_forces(sites.near_pairs, parts, self._charges, dipoles, energy, force)
        if mesh is not None and potential is not None:
            mesh.energy_and_forces(potential, self._charges, dipoles, energy, force)
        total = energy.sum() + 0.5 * (dipoles**2 * self._per_alpha).sum()
        total += self._self_energy(dipoles, kappa, vectors)
        return PolarizationResult(
            COULOMB * float(total), COULOMB * force, self._charges, dipoles, iterations, error
        )

    def _solve(
        self, dipoles: Floats, residual: Floats, potential: Reals | None, rows: _Rows, kappa: float
    ) -> tuple[Floats, int, float]:
        """Conjugate gradients with a diagonal preconditioner; changes its arguments."""
        options = self.options
        error = self._error(residual)
        step = self._alpha * residual
        weight = float((residual * step).sum())
        iterations = 0
        while error > options.tolerance:
            if iterations == options.max_iterations:
                raise self._unconverged(residual, error)
            image = self._per_alpha * step
            image -= self._dipole_field(rows, step, kappa)
            if self._mesh is not None and potential is not None:
                change = self._mesh.potential(np.zeros_like(self._charges), step)
                field = np.zeros_like(step)
                self._mesh.field(change, field)
                image -= field
            curvature = float((step * image).sum())
            if not curvature > 0.0:
                raise self._catastrophe(step)
            length = weight / curvature
            dipoles += length * step
            residual -= length * image
            if potential is not None:
                change *= length
                potential += change
            preconditioned = self._alpha * residual
            before, weight = weight, float((residual * preconditioned).sum())
            step *= weight / before
            step += preconditioned
            error = self._error(residual)
            iterations += 1
        return dipoles, iterations, error

    def _dipole_field(self, rows: _Rows, dipoles: Floats, kappa: float) -> Floats:
        """Field of the dipoles in real space, with the self field of the mesh."""
        field = (4.0 * kappa**3 / (3.0 * math.sqrt(math.pi))) * dipoles
        as_rows = np.ascontiguousarray(dipoles.T, dtype=self._dtype)
        pairs.dipole_field(rows.index, rows.v, rows.c3, rows.c5, rows.count, as_rows, field)
        return field

    def _self_energy(self, dipoles: Floats, kappa: float, box: Floats) -> float:
        if kappa == 0.0:
            return 0.0
        root_pi = math.sqrt(math.pi)
        charges = self._charges
        return float(
            -kappa / root_pi * (charges**2).sum()
            - 2.0 * kappa**3 / (3.0 * root_pi) * (dipoles**2).sum()
            - math.pi / (2.0 * kappa**2 * np.linalg.det(box)) * charges.sum() ** 2
        )

    def _error(self, residual: Floats) -> float:
        change = self._alpha * residual
        return math.sqrt(float((change**2).sum()) / len(change)) / DEBYE_IN_E_ANGSTROM

    def _neighbour_rows(self, x: Floats, box: Floats, periodic: bool) -> _Rows:
        if self._neighbours is None:
            exponent = 20.0 if self.options.precision == "single" else 40.0
            close = (exponent / self._weights.min() ** 2) ** (1.0 / 3.0)
            self._neighbours = NeighbourList(self.options.cutoff, close, self.options.skin)
        neighbours = self._neighbours
        if periodic:
            neighbours.update(x, box)
        elif self._rows is None:
            neighbours.take_all(len(x))
        if self._rows is None or self._rows.capacity != neighbours.indices.shape[1]:
            self._rows = _Rows(neighbours, self._dtype)
        return self._rows

    def _place_on_mesh(self, x: Floats, box: Floats) -> Mesh:
        options = self.options
        edges = np.diag(box)
        if self._mesh is None or np.abs(edges / self._mesh_edges - 1.0).max() > _LARGE_CHANGE:
            size = mesh_size(box, options.kappa, options.ewald_tolerance)
            self._mesh = Mesh(size, options.kappa, self._dtype, numba.get_num_threads())
            self._mesh_edges = edges.copy()
        self._mesh.place(x, box)
        return self._mesh

    def _unconverged(self, residual: Floats, error: float) -> ConvergenceError:
        worst = np.argsort(-(self._alpha * residual**2).sum(1))[:4]
        return ConvergenceError(
            f"induced dipoles are off by {error:.2g} debye after {self.options.max_iterations} "
            f"iterations, most at {_names(worst)}; check the structure there, or raise the "
            "tolerance"
        )

    def _catastrophe(self, step: Floats) -> PolarizationCatastropheError:
        worst = np.argsort(-(step**2).sum(1))[:4]
        return PolarizationCatastropheError(
            f"induced dipoles grow without limit (polarization catastrophe) at {_names(worst)}: "
            "these atoms are too close for their polarizabilities; minimise the structure first",
            worst.tolist(),
        )


class _Rows:
    """Pairs within the cutoff and their radial functions, one row per atom."""

    def __init__(self, neighbours: NeighbourList, dtype: np.dtype[Any]) -> None:
        shape = neighbours.indices.shape
        self.capacity = shape[1]
        self.neighbours = (neighbours.indices, neighbours.n_close, neighbours.n_all)
        self.index = np.empty(shape, dtype=np.int32)
        self.v = np.empty((3, *shape), dtype=dtype)
        self.c3, self.c5, self.c7 = (np.empty(shape, dtype=dtype) for _ in range(3))
        self.count = np.empty(shape[0], dtype=np.int32)

    @property
    def arrays(self) -> tuple[Any, ...]:
        """In the order that `pairs.screen` takes them."""
        return self.index, self.v, self.c3, self.c5, self.c7, self.count


def _check_finite(x: Floats) -> None:
    finite = np.isfinite(x).all(1)
    if not finite.all():
        atoms = np.flatnonzero(~finite)
        raise OverlappingAtomsError(
            f"positions of {_names(atoms)} are not finite; the simulation has become unstable: "
            "minimise first, or take shorter steps",
            atoms.tolist(),
        )


def _check_cutoff(box: Floats, cutoff: float) -> None:
    width = float(np.diag(box).min())
    if cutoff > 0.5 * width:
        raise CutoffError(
            f"the real-space cutoff of {cutoff:g} Å is longer than half the shortest box width "
            f"({width:.4g} Å); use a larger box or a shorter cutoff"
        )


def _check_overlaps(closest: Floats) -> None:
    if closest.min() >= _SHORTEST**2:
        return
    atoms = np.flatnonzero(closest < _SHORTEST**2)
    raise OverlappingAtomsError(
        f"{_names(atoms)} are within {math.sqrt(closest.min()):.2g} Å of another atom; "
        "separate them, or minimise the structure first",
        atoms.tolist(),
    )


def _names(atoms: Any) -> str:
    shown = ", ".join(str(atom) for atom in list(atoms)[:6])
    more = ", …" if len(atoms) > 6 else ""
    return f"atom{'s' if len(atoms) > 1 else ''} {shown}{more}"
