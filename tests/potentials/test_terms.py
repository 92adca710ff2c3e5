"""Each term alone: values by hand, singular geometries, derivatives."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from openff_bytepol.potentials.angles import angle_energy
from openff_bytepol.potentials.bonds import bond_energy
from openff_bytepol.potentials.charge_transfer import charge_transfer_energy
from openff_bytepol.potentials.coulomb import coulomb_energy
from openff_bytepol.potentials.dispersion import dispersion_energy
from openff_bytepol.potentials.geometry import (
    MIN_DISTANCE,
    bond_angles,
    dihedral_cosines,
    norms,
    pair_vectors,
)
from openff_bytepol.potentials.mixing import arithmetic, geometric, product
from openff_bytepol.potentials.repulsion import repulsion_energy
from openff_bytepol.potentials.thole import damped_powers
from openff_bytepol.potentials.torsions import improper_energy, proper_energy
from openff_bytepol.units import COULOMB

QUAD = torch.tensor([[0, 1, 2, 3]])
TRIPLE = torch.tensor([[0, 1, 2]])


def scalar(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


def columns(*rows: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64).T.contiguous()


def butane(phi: float) -> torch.Tensor:
    """Four atoms with right angles and dihedral phi."""
    return columns((1, 0, 0), (0, 0, 0), (0, 0, 1), (math.cos(phi), math.sin(phi), 1))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (bond_energy(scalar(1.3), scalar(700.0), scalar(1.1)), 0.5 * 700 * 0.2**2),
        (angle_energy(scalar(2.0), scalar(90.0), scalar(1.9)), 0.5 * 90 * 0.1**2),
        (
            repulsion_energy(scalar(3.0), scalar(0.2), scalar(5.0), scalar(3.3), 1.5),
            6 * 0.2 * math.exp(5 * (1 - 3 / 3.3)) + 0.5**12,
        ),
        (
            dispersion_energy(scalar(3.0), scalar(600.0), scalar(3.3), 3.4),
            -600 / (3.4 * 3.3**6 + 3.0**6),
        ),
        (
            dispersion_energy(scalar(3.0), scalar(600.0), scalar(3.3), 3.5, 1.8),
            -600 / (3.5 * 3.3**6 + 3.0**6)
            - 1.8 * 600 * 3.3**2 / (3.5 ** (4 / 3) * 3.3**8 + 3.0**8),
        ),
        (
            charge_transfer_energy(scalar(2.0), scalar(3.0), scalar(0.8), scalar(3.3)),
            -3 / 16 * math.exp(-((0.8 * 2 / 3.3) ** 3)),
        ),
        (coulomb_energy(scalar(4.0), scalar(-0.3)), -0.3 * COULOMB / 4),
    ],
    ids=["bond", "angle", "repulsion", "dispersion", "with C8", "charge transfer", "coulomb"],
)
def test_value(value, expected):
    assert value.item() == pytest.approx(expected, rel=1e-14)


def test_limits_of_dispersion():
    """Without C8 that of ByteFF-Pol to the last bit; far away -C6/r⁶ with C8, too."""
    r = torch.logspace(-1, 4, 200, dtype=torch.float64)
    c6, radius = torch.full_like(r, 600.0), torch.full_like(r, 3.3)
    alone = -c6 / (3.5 * (radius * radius) ** 3 + (r * r) ** 3)
    assert torch.equal(dispersion_energy(r, c6, radius, 3.5), alone)
    excess = dispersion_energy(r, c6, radius, 3.5, 1.8) / (-c6 / r**6) - 1.0
    far = r > 10 * radius
    torch.testing.assert_close(excess[far], 1.8 * (radius / r)[far].square(), rtol=0.01, atol=1e-10)
    assert abs(excess[-1]) < 1e-6


def test_mixing():
    values = torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64)
    first, second = torch.tensor([0, 1]), torch.tensor([1, 2])
    assert arithmetic(values, first, second).tolist() == [2.5, 6.5]
    assert geometric(values, first, second).tolist() == [2.0, 6.0]
    assert product(values, first, second).tolist() == [4.0, 36.0]


@given(st.floats(-math.pi, math.pi), st.lists(st.floats(-20, 20), min_size=4, max_size=4))
@settings(deadline=None, max_examples=50)
def test_torsions_are_cosine_series(phi, k):
    cosine = dihedral_cosines(butane(phi), QUAD)
    series = sum(
        k[n - 1] * (1 + math.cos(n * phi - (math.pi if n % 2 == 0 else 0.0))) for n in (1, 2, 3, 4)
    )
    assert proper_energy(cosine, torch.tensor([k], dtype=torch.float64)).item() == pytest.approx(
        series, abs=1e-6
    )
    assert improper_energy(cosine, scalar(k[0])).item() == pytest.approx(
        k[0] * (1 + math.cos(2 * phi - math.pi)), abs=1e-6
    )


@given(st.floats(0.0, math.pi))
@settings(deadline=None, max_examples=50)
def test_angle_from_its_arms(theta):
    xyz = columns((1.1, 0, 0), (0, 0, 0), (1.4 * math.cos(theta), 1.4 * math.sin(theta), 0))
    assert bond_angles(xyz, TRIPLE).item() == pytest.approx(theta, abs=2e-8)


def derivatives(function, xyz):
    xyz = xyz.clone().requires_grad_(True)
    value = function(xyz).sum()
    (gradient,) = torch.autograd.grad(value, xyz, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), xyz, allow_unused=True)
    return value, gradient, torch.zeros_like(xyz) if second is None else second


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("theta0", [math.pi, 1.9])
def test_linear_angle_is_finite(dtype, theta0):
    xyz = columns((0, 0, -1.2), (0, 0, 0), (0, 0, 1.1)).to(dtype)
    k = torch.tensor([100.0], dtype=dtype)

    def function(x):
        return angle_energy(bond_angles(x, TRIPLE), k, torch.full_like(k, theta0))

    value, gradient, second = derivatives(function, xyz)
    assert value.item() == pytest.approx(50 * (math.pi - theta0) ** 2, abs=1e-4)
    assert gradient.abs().max() < 1e-5
    assert second.isfinite().all()


def test_hessian_of_linear_equilibrium():
    """A linear molecule (CO2, a nitrile) needs the right bending constant."""
    xyz = columns((0, 0, -1.2), (0, 0, 0), (0, 0, 1.2))

    def bend(x):
        return angle_energy(
            bond_angles(x.reshape(3, 3), TRIPLE), scalar(100.0), scalar(math.pi)
        ).sum()

    hessian = torch.autograd.functional.hessian(bend, xyz.flatten()).reshape(3, 3, 3, 3)
    # moving the centre sideways by u bends by 2u/1.2
    assert hessian[0, 1, 0, 1].item() == pytest.approx(100 * (2 / 1.2) ** 2, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("phi", [0.0, math.pi])
def test_planar_dihedral_is_smooth(dtype, phi):
    k = torch.tensor([[1.0, 2.0, 3.0, 4.0]], dtype=dtype)
    value, gradient, second = derivatives(
        lambda x: proper_energy(dihedral_cosines(x, QUAD), k), butane(phi).to(dtype)
    )
    assert value.item() == pytest.approx(8.0 if phi == 0.0 else 0.0, abs=1e-5)
    assert gradient.abs().max() < 1e-5
    assert second.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_collinear_dihedral_is_finite(dtype):
    xyz = columns((0, 0, -1), (0, 0, 0), (0, 0, 1), (1, 0, 1)).to(dtype)
    k = torch.ones((1, 4), dtype=dtype)
    value, gradient, second = derivatives(
        lambda x: proper_energy(dihedral_cosines(x, QUAD), k), xyz
    )
    assert value.isfinite()
    assert (gradient == 0).all()
    assert (second == 0).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_coincident_atoms_are_finite(dtype):
    xyz = torch.zeros((3, 2), dtype=dtype)
    one = torch.ones(1, dtype=dtype)
    first, second = torch.tensor([0]), torch.tensor([1])

    def function(x):
        r = norms(pair_vectors(x, first, second))
        c3, c5 = damped_powers(r, one, 0.39)
        return (
            repulsion_energy(r, one, 5 * one, 3 * one, 1.5)
            + dispersion_energy(r, one, 3 * one, 3.4, 1.8)
            + charge_transfer_energy(r, one, one, 3 * one)
            + coulomb_energy(r, one)
            + c3
            + c5
        )

    value, gradient, second_derivative = derivatives(function, xyz)
    assert value.item() == pytest.approx((1.5 / MIN_DISTANCE) ** 12, rel=1e-4)
    assert (gradient == 0).all()
    assert second_derivative.isfinite().all()


def test_thole_limits():
    r = torch.tensor([0.05, 20.0], dtype=torch.float64)
    c3, c5 = damped_powers(r, torch.tensor([1.3, 1.3], dtype=torch.float64), 0.39)
    assert c3[0].item() == pytest.approx(0.39 / 1.3, rel=1e-4)
    assert c5[0].item() == pytest.approx(1.5 * (0.39 / 1.3) ** 2 * 0.05, rel=1e-4)
    assert c3[1].item() == pytest.approx(20.0**-3, rel=1e-14)
    assert c5[1].item() == pytest.approx(3 * 20.0**-5, rel=1e-14)


def test_thole_is_accurate_in_single_precision():
    r = torch.linspace(0.1, 6.0, 60, dtype=torch.float64)
    volume = torch.full_like(r, 0.8)
    exact = damped_powers(r, volume, 0.39)
    single = damped_powers(r.float(), volume.float(), 0.39)
    # the tensor c3·1 - c5·v⊗v is as accurate as its larger part
    torch.testing.assert_close(single[0].double(), exact[0], rtol=1e-6, atol=0)
    error = (single[1].double() - exact[1]) * r.square()
    assert (error.abs() < 3e-6 * exact[0]).all()


def test_derivatives_of_all_terms():
    generator = torch.Generator().manual_seed(0)
    xyz = torch.randn((3, 4), generator=generator, dtype=torch.float64).requires_grad_(True)

    def function(x):
        r = norms(pair_vectors(x, QUAD[0, :2], QUAD[0, 2:]))
        cosine = dihedral_cosines(x, QUAD)
        angle = bond_angles(x, TRIPLE)
        return torch.cat([r, cosine, angle, *damped_powers(r, torch.ones_like(r), 0.39)])

    assert torch.autograd.gradcheck(function, xyz)
    assert torch.autograd.gradgradcheck(function, xyz)
