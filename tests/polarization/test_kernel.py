"""The polarization kernel against dense linear algebra, finite differences and limits."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from openff_bytepol.exceptions import (
    ConvergenceError,
    CutoffError,
    OverlappingAtomsError,
    ParameterError,
    PolarizationCatastropheError,
)
from openff_bytepol.polarization import KernelOptions, PolarizationKernel, Sites
from openff_bytepol.polarization.neighbours import NeighbourList
from openff_bytepol.polarization.predictor import DipolePredictor, coefficients
from openff_bytepol.units import COULOMB, DEBYE_IN_E_ANGSTROM
from tests.interop import dense

CUBE = np.diag([14.0] * 3)
TRICLINIC = np.array([[14.0, 0.0, 0.0], [3.0, 13.5, 0.0], [-2.0, 4.0, 14.5]])
EXACT = KernelOptions(precision="double", tolerance=1e-9, cutoff=6.0, ewald_tolerance=5e-6)
BONDS = [(3 * m, 3 * m + k) for m in range(12) for k in (1, 2)]


def water_like(seed: int = 0, charge: float = 0.0) -> tuple[Sites, np.ndarray]:
    """Twelve bent triatomics on a lattice; bonded pairs and 1-3 pairs without charge terms."""
    rng = np.random.default_rng(seed)
    corners = np.array([[x, y, z] for x in (2, 6, 11) for y in (3, 9) for z in (3, 10)], float)
    shape = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
    positions = []
    for corner in corners:
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        positions.append(shape @ turn.T + corner + 0.3 * rng.normal(size=3))
    charges = np.tile([-0.7, 0.35, 0.35], 12)
    charges[0] += charge
    pairs = [(3 * m + i, 3 * m + j) for m in range(12) for i, j in ((0, 1), (0, 2), (1, 2))]
    n_pairs = len(pairs)
    return Sites(
        charges=charges,
        polarizabilities=np.tile([0.9, 0.35, 0.35], 12),
        dampings=np.tile([0.9, 0.35, 0.35], 12),
        thole=0.39,
        near_pairs=np.array(pairs, dtype=np.int64),
        charge_scales=np.zeros(n_pairs),
        field_scales=np.zeros(n_pairs),
    ), np.concatenate(positions)


@pytest.mark.parametrize("precision", ["single", "double"])
def test_without_box_equals_dense_linear_algebra(precision):
    sites, x = water_like()
    permanent, induction, dipoles = dense.solve(
        0.1 * x, sites.charges, 1e-3 * sites.polarizabilities, 1e-3 * sites.dampings, BONDS,
        charge_14=0.0, induction_14=0.0,
    )  # fmt: skip
    options = KernelOptions(precision=precision, tolerance=1e-9 if precision == "double" else 1e-6)
    result = PolarizationKernel(sites, options).compute(x)
    assert 4.184 * result.energy == pytest.approx(permanent + induction, rel=1e-6)
    relative = 1e-6 if precision == "double" else 1e-4
    assert np.abs(0.1 * result.dipoles - dipoles).max() < relative * np.abs(dipoles).max()
    assert result.residual < options.tolerance
    assert np.abs(result.forces.sum(0)).max() < 1e-4


def test_any_scale_of_near_fields():
    """1-2 and 1-3 pairs scaled by 0.3 and 0.6, against the same sums written out."""
    sites, x = water_like()
    n_pairs = len(sites.near_pairs)
    scaled = replace(sites, charge_scales=np.full(n_pairs, 0.3), field_scales=np.full(n_pairs, 0.6))
    on = replace(sites, charge_scales=np.full(n_pairs, 0.3), field_scales=np.ones(n_pairs))
    off = replace(sites, charge_scales=np.full(n_pairs, 0.3))
    mixed, full, none = (PolarizationKernel(s, EXACT).compute(x) for s in (scaled, on, off))
    expected = 0.6 * full.dipoles + 0.4 * none.dipoles
    assert np.abs(mixed.dipoles - expected).max() < 1e-7


@pytest.mark.parametrize("box", [None, CUBE, TRICLINIC], ids=["none", "cube", "triclinic"])
@pytest.mark.parametrize("charge", [0.0, 1.0])
def test_forces_are_the_gradient(box, charge):
    sites, x = water_like(charge=charge)
    kernel = PolarizationKernel(sites, EXACT)
    direction = np.random.default_rng(1).normal(size=x.shape)
    forces = kernel.compute(x, box).forces
    h = 2e-3
    energies = [kernel.compute(x + s * h * direction, box).energy for s in (-2, -1, 1, 2)]
    slope = (energies[0] - 8 * energies[1] + 8 * energies[2] - energies[3]) / (12 * h)
    assert slope == pytest.approx(-(forces * direction).sum(), rel=2e-5, abs=1e-3)


@pytest.mark.parametrize("box", [CUBE, TRICLINIC], ids=["cube", "triclinic"])
def test_energy_does_not_depend_on_the_screening(box):
    sites, x = water_like(charge=1.0)
    results = [
        PolarizationKernel(
            sites, EXACT.model_copy(update={"cutoff": cutoff, "ewald_tolerance": 2e-6})
        ).compute(x, box)
        for cutoff in (5.0, 6.5)
    ]
    assert results[0].energy == pytest.approx(results[1].energy, abs=2e-3)
    assert np.abs(results[0].forces - results[1].forces).max() < 5e-3


def test_single_precision_and_default_tolerances():
    sites, x = water_like()
    exact = PolarizationKernel(sites, EXACT).compute(x, CUBE)
    usual = PolarizationKernel(sites, KernelOptions(cutoff=6.0)).compute(x, CUBE)
    # a small difference of large terms: 1e-4 of the charges' energy is some hundredths
    assert usual.energy == pytest.approx(exact.energy, abs=3e-3)
    error = np.sqrt(((usual.forces - exact.forces) ** 2).mean() / (exact.forces**2).mean())
    assert error < 1e-3


def test_translation_and_images_change_nothing():
    sites, x = water_like()
    kernel = PolarizationKernel(sites, EXACT)
    expected = kernel.compute(x, TRICLINIC)
    moved = kernel.compute(x + [3.1, -20.7, 8.8] + TRICLINIC[2], TRICLINIC)
    assert moved.energy == pytest.approx(expected.energy, abs=2e-3)
    images = x + np.random.default_rng(3).integers(-2, 3, size=x.shape) @ TRICLINIC
    assert kernel.compute(images, TRICLINIC).energy == pytest.approx(expected.energy, abs=1e-5)


def test_charges_alone():
    """Two charges without polarizability, and a background where they do not cancel."""
    sites = Sites(
        np.array([1.0, -1.0]), np.zeros(2), np.zeros(2), 0.39,
        np.empty((0, 2), dtype=np.int64), np.empty(0), np.empty(0),
    )  # fmt: skip
    result = PolarizationKernel(sites).compute([[0, 0, 0], [2.0, 0, 0]])
    assert result.energy == pytest.approx(-COULOMB / 2.0)
    assert result.forces[0] == pytest.approx([COULOMB / 4.0, 0, 0])
    assert result.iterations == 0
    lone = replace(sites, charges=np.array([1.0, 0.0]))
    energy = PolarizationKernel(lone, EXACT).compute([[0, 0, 0], [3.0, 0, 0]], CUBE).energy
    wigner = -2.837297479 / 2.0 * COULOMB / 14.0
    assert energy == pytest.approx(wigner, rel=1e-4)


def test_history_saves_iterations():
    sites, x = water_like()
    kernel = PolarizationKernel(sites, KernelOptions(cutoff=6.0, tolerance=1e-4))
    velocity = 0.01 * np.random.default_rng(2).normal(size=x.shape)
    iterations = [kernel.compute(x + k * velocity, CUBE).iterations for k in range(8)]
    assert iterations[-1] < 0.6 * iterations[0]
    kernel.reset()
    assert kernel.compute(x, CUBE).iterations == iterations[0]


def test_predictor_is_exact_for_straight_lines():
    for length in range(2, 7):
        assert coefficients(length).sum() == pytest.approx(1.0)
    predictor = DipolePredictor()
    start, slope = np.random.default_rng(0).normal(size=(2, 4, 3))
    for step in range(6):
        predictor.push(start + step * slope)
    assert predictor.predict(4) == pytest.approx(start + 6 * slope)


@pytest.mark.parametrize("n_atoms", [40, 900])
def test_neighbours_are_all_within_reach(n_atoms):
    rng = np.random.default_rng(0)
    box = TRICLINIC * (2.2 if n_atoms > 100 else 1.0)
    x = rng.random((n_atoms, 3)) @ box * 3.0
    neighbours = NeighbourList(5.0, 3.0, 0.5)
    neighbours.update(x, box)
    shifts = np.array([[a, b, c] for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1)])
    d = x[:, None] - x[None]
    fractions = d @ np.linalg.inv(box)
    d = (fractions - np.round(fractions)) @ box
    r2 = ((d[:, :, None] + shifts @ box) ** 2).sum(-1).min(-1)
    np.fill_diagonal(r2, 1e9)
    for i in range(n_atoms):
        row = neighbours.indices[i, : neighbours.n_all[i]]
        assert sorted(row) == np.flatnonzero(r2[i] < 5.5**2).tolist()
        close = neighbours.indices[i, : neighbours.n_close[i]]
        assert sorted(close) == np.flatnonzero(r2[i] < 3.5**2).tolist()
    neighbours.update(x + 0.1, box)
    assert neighbours.builds == 1
    neighbours.update(x + 0.2, box)
    assert neighbours.builds == 2


def test_overlapping_atoms_are_named():
    sites, x = water_like()
    x[7] = x[20] + 1e-3
    with pytest.raises(OverlappingAtomsError, match=r"atoms 7, 20 are within") as caught:
        PolarizationKernel(sites).compute(x, CUBE)
    assert caught.value.atoms == (7, 20)
    x[3] = np.nan
    with pytest.raises(OverlappingAtomsError, match="atom 3 are not finite"):
        PolarizationKernel(sites).compute(x, CUBE)


def test_cutoff_must_fit_into_the_box():
    sites, x = water_like()
    with pytest.raises(CutoffError, match="longer than half the shortest box width"):
        PolarizationKernel(sites, EXACT).compute(x, 0.8 * CUBE)


def test_dipoles_that_do_not_converge():
    sites, x = water_like()
    options = KernelOptions(cutoff=6.0, tolerance=1e-8, max_iterations=2, precision="double")
    with pytest.raises(ConvergenceError, match="after 2 iterations, most at atoms"):
        PolarizationKernel(sites, options).compute(x, CUBE)


def test_polarization_catastrophe():
    """Two polarizable atoms without damping, closer than (4·alpha²)^(1/6)."""
    sites = Sites(
        np.array([1.0, -1.0]), np.full(2, 2.0), np.full(2, 1e-6), 0.39,
        np.empty((0, 2), dtype=np.int64), np.empty(0), np.empty(0),
    )  # fmt: skip
    with pytest.raises(PolarizationCatastropheError, match="catastrophe") as caught:
        PolarizationKernel(sites).compute([[0, 0, 0], [1.3, 0, 0]])
    assert set(caught.value.atoms) == {0, 1}


def test_repeated_boxes_repeat_everything():
    sites, x = water_like()
    once = PolarizationKernel(sites, EXACT).compute(x, CUBE)
    box = CUBE * [[2.0], [1.0], [1.0]]
    twice = PolarizationKernel(sites.repeated(2), EXACT).compute(
        np.concatenate([x, x + CUBE[0]]), box
    )
    assert twice.energy == pytest.approx(2 * once.energy, abs=2e-3)
    assert np.abs(twice.dipoles - np.tile(once.dipoles, (2, 1))).max() < 1e-5


def test_imbalance_is_minus_the_derivative_by_the_dipoles():
    """And alpha times it, as a root mean square in debye, is the residual."""
    sites, x = water_like()
    rough = EXACT.model_copy(update={"tolerance": 0.05})
    result = PolarizationKernel(sites, rough).compute(x, CUBE)
    change = sites.polarizabilities[:, None] * result.imbalance / DEBYE_IN_E_ANGSTROM
    assert np.sqrt((change**2).sum() / 36) == pytest.approx(result.residual)
    tight = PolarizationKernel(sites, EXACT).compute(x, CUBE)
    away = result.dipoles - tight.dipoles
    excess = -0.5 * COULOMB * (result.imbalance * away).sum()
    assert excess > 1e-3
    assert result.energy - tight.energy == pytest.approx(excess, rel=1e-3)


def test_the_clock_knows_the_parts():
    sites, x = water_like()
    kernel = PolarizationKernel(sites, KernelOptions(cutoff=6.0))
    kernel.compute(x, CUBE)
    assert not kernel.clock.seconds
    kernel.clock.start()
    kernel.compute(x + 0.01, CUBE)
    assert {"neighbour list", "transforms", "forces"} < set(kernel.clock.seconds)
    assert min(kernel.clock.seconds.values()) > 0.0


def test_sites_are_checked():
    sites, _ = water_like()
    with pytest.raises(ParameterError, match="polarizabilities have the shape"):
        replace(sites, polarizabilities=np.ones(3))
    with pytest.raises(ParameterError, match="negative"):
        replace(sites, dampings=-sites.dampings)
    with pytest.raises(ParameterError, match="name atoms beyond 36"):
        replace(sites, near_pairs=sites.near_pairs + 30)


def test_kernels_can_be_pickled():
    sites, x = water_like()
    kernel = PolarizationKernel(sites, KernelOptions(cutoff=6.0))
    expected = kernel.compute(x, CUBE).energy
    copy = pickle.loads(pickle.dumps(kernel))
    assert copy.compute(x, CUBE).energy == pytest.approx(expected, rel=1e-9)
