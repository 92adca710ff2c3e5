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

from openff_bytepol.polarization import near, pairs
from openff_bytepol.polarization.arrays import Floats
from openff_bytepol.polarization.checks import check_cutoff, check_finite, check_overlaps
from openff_bytepol.polarization.clock import Clock
from openff_bytepol.polarization.mesh import Mesh, mesh_size
from openff_bytepol.polarization.neighbours import NeighbourList
from openff_bytepol.polarization.options import KernelOptions
from openff_bytepol.polarization.predictor import DipolePredictor
from openff_bytepol.polarization.response import Response
from openff_bytepol.polarization.rows import Rows
from openff_bytepol.polarization.sites import Sites
from openff_bytepol.polarization.solver import Solution, improve
from openff_bytepol.polarization.virial import virial_tensor
from openff_bytepol.units import COULOMB

_LARGE_CHANGE: Final = 0.1
"""Relative change of a box edge that calls for another mesh."""
_NO_BOX: Final = np.diag([1e12] * 3)
_REFINEMENT: Final = 0.8
"""Part of a Jacobi step, which costs nothing, by which dipoles are improved for the predictor."""
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
    imbalance
        Field at the dipoles less what would induce them, e/Å²; (n_atoms, 3). Minus the derivative
        of the energy by the dipoles.
    virial
        -∂E/∂ε, symmetric, of strains ε that move atoms x to (1 + ε)·x and the box with them,
        kcal/mol; (3, 3). None unless asked for.
    """

    energy: float
    forces: Floats
    charges: Floats
    dipoles: Floats
    iterations: int
    residual: float
    imbalance: Floats
    virial: Floats | None = None


class PolarizationKernel:
    """Charges and mutually induced dipoles of one system, for many positions.

    Parameters
    ----------
    sites
        Charges, polarizabilities and scale factors.
    options
        Accuracy and speed.

    Attributes
    ----------
    clock
        Processor time of the parts of `compute`, once started.
    """

    def __init__(self, sites: Sites, options: KernelOptions | None = None) -> None:
        self.sites = sites
        self.options = KernelOptions() if options is None else options
        self.clock = Clock()
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
        self._rows: Rows | None = None
        self._last_box: Floats | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.sites, self.options)

    def reset(self) -> None:
        """Forget the dipoles of earlier steps."""
        self._predictor.reset()

    def compute(
        self, positions: ArrayLike, box: ArrayLike | None = None, *, virial: bool = False
    ) -> PolarizationResult:
        """Solve for the dipoles at given positions.

        Parameters
        ----------
        positions
            Å; (n_atoms, 3).
        box
            Reduced vectors as rows, Å; (3, 3). Neither box nor cutoff by default.
        virial
            Compute the virial, which takes about as long as one iteration.

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
        check_finite(x)
        periodic = box is not None
        vectors = np.ascontiguousarray(box, dtype=np.float64) if periodic else _NO_BOX
        if periodic:
            check_cutoff(vectors, self.options.cutoff)
        same_box = self._last_box is not None and np.array_equal(self._last_box, vectors)
        guess = self._predictor.predict(len(x)) if same_box else self._predictor.latest(len(x))
        self._last_box = vectors.copy()
        kappa = self.options.kappa if periodic else 0.0
        with self.clock("neighbour list"):
            rows = self._neighbour_rows(x, vectors, periodic)
        mesh = self._place_on_mesh(x, vectors) if periodic else None
        response = Response(rows, mesh, kappa, self.clock)
        with self.clock("radial functions"):
            energy, force, field, parts = self._charges_alone(x, vectors, rows, periodic)
        potential = response.add_field(self._charges, guess, field)
        solution = Solution(guess, field - self._per_alpha * guess, potential)
        options = self.options
        improve(
            solution, response, self._alpha, self._per_alpha,
            options.tolerance, options.max_iterations,
        )  # fmt: skip
        dipoles = solution.dipoles
        if same_box or len(self._predictor) == 0:
            self._predictor.push(dipoles + _REFINEMENT * self._alpha * solution.residual)
        with self.clock("forces"):
            pairs.dipole_forces(
                *rows.radial, self._charges.astype(self._dtype), rows.by_component(dipoles),
                energy, force,
            )  # fmt: skip
            near.near_forces(self.sites.near_pairs, parts, self._charges, dipoles, energy, force)
            if mesh is not None and solution.potential is not None:
                mesh.energy_and_forces(solution.potential, self._charges, dipoles, energy, force)
        total = energy.sum() + 0.5 * (dipoles**2 * self._per_alpha).sum()
        total += self._self_energy(dipoles, kappa) + self._background(kappa, vectors)
        tensor = None
        if virial:
            tensor = virial_tensor(self.sites, rows, parts, mesh, dipoles, kappa)
        return PolarizationResult(
            energy=COULOMB * float(total),
            forces=COULOMB * force,
            charges=self._charges,
            dipoles=dipoles,
            iterations=solution.iterations,
            residual=solution.error(self._alpha),
            imbalance=solution.residual,
            virial=tensor,
        )

    def _charges_alone(
        self, x: Floats, box: Floats, rows: Rows, periodic: bool
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Energy, forces and field of the charges in real space; parts of near pairs."""
        n = len(x)
        energy, force, field = np.empty(n), np.empty((n, 3)), np.empty((n, 3))
        closest = np.empty(n)
        options, sites = self.options, self.sites
        pairs.screen(
            x, box, self._charges, self._weights, options.kappa if periodic else 0.0,
            options.cutoff**2 if periodic else 1e300,
            *rows.neighbours, *rows.radial, energy, force, field, closest,
        )  # fmt: skip
        check_overlaps(closest)
        parts = np.empty((len(sites.near_pairs), 5))
        near.near_field(
            x, box, sites.near_pairs, sites.charge_scales, sites.field_scales,
            self._charges, self._weights, energy, force, field, parts,
        )  # fmt: skip
        return energy, force, field, parts

    def _self_energy(self, dipoles: Floats, kappa: float) -> float:
        per_charge, per_dipole = kappa, 2.0 * kappa**3 / 3.0
        squares = per_charge * (self._charges**2).sum() + per_dipole * (dipoles**2).sum()
        return -float(squares) / math.sqrt(math.pi)

    def _background(self, kappa: float, box: Floats) -> float:
        """Energy of the charge that neutralises the box, e²/Å."""
        if kappa == 0.0:
            return 0.0
        area = math.pi / (2.0 * kappa**2 * float(np.linalg.det(box)))
        return -area * float(self._charges.sum()) ** 2

    def _neighbour_rows(self, x: Floats, box: Floats, periodic: bool) -> Rows:
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
            self._rows = Rows(neighbours, self._dtype)
        return self._rows

    def _place_on_mesh(self, x: Floats, box: Floats) -> Mesh:
        options = self.options
        edges = np.diag(box)
        if self._mesh is None or np.abs(edges / self._mesh_edges - 1.0).max() > _LARGE_CHANGE:
            size = mesh_size(box, options.kappa, options.ewald_tolerance)
            threads = numba.get_num_threads()
            self._mesh = Mesh(size, options.kappa, self._dtype, threads, self.clock)
            self._mesh_edges = edges.copy()
        self._mesh.place(x, box)
        return self._mesh
