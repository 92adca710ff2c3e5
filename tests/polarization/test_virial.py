"""Virials of charges and induced dipoles against finite strains of positions and box."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from openff_bytepol.polarization import KernelOptions, PolarizationKernel
from tests.polarization.test_kernel import CUBE, EXACT, TRICLINIC, water_like


def by_strain(kernel: PolarizationKernel, x: np.ndarray, box: np.ndarray | None, h: float):
    """Minus the derivative of the energy; strains that keep boxes lower triangular."""
    tensor = np.zeros((3, 3))
    for a, b in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)):
        energies = []
        for strain in (h, -h):
            deformed = np.eye(3)
            deformed[b, a] += strain
            moved = None if box is None else box @ deformed
            energies.append(kernel.compute(x @ deformed, moved).energy)
        tensor[a, b] = tensor[b, a] = -(energies[0] - energies[1]) / (2 * h)
    return tensor


@pytest.mark.parametrize("box", [None, CUBE, TRICLINIC], ids=["none", "cube", "triclinic"])
@pytest.mark.parametrize("charge", [0.0, 1.0])
def test_virial_is_the_derivative_by_strain(box, charge):
    sites, x = water_like(charge=charge)
    kernel = PolarizationKernel(sites, EXACT)
    virial = kernel.compute(x, box, virial=True).virial
    assert virial == pytest.approx(by_strain(kernel, x, box, 1e-4), abs=2e-6)
    assert virial == pytest.approx(virial.T)


def test_without_box_it_is_that_of_the_forces():
    sites, x = water_like()
    result = PolarizationKernel(sites, EXACT).compute(x, virial=True)
    assert result.virial == pytest.approx(result.forces.T @ x, abs=1e-6)


def test_charges_alone_obey_the_virial_theorem():
    """The energy of point charges scales as 1/r: its virial's trace is the energy."""
    sites, x = water_like()
    rigid = replace(sites, polarizabilities=np.zeros(36), dampings=np.zeros(36))
    result = PolarizationKernel(rigid, EXACT).compute(x, CUBE, virial=True)
    assert np.trace(result.virial) == pytest.approx(result.energy, abs=5e-3)


def test_single_precision_and_the_default_without_virial():
    sites, x = water_like()
    exact = PolarizationKernel(sites, EXACT).compute(x, CUBE, virial=True)
    kernel = PolarizationKernel(sites, KernelOptions(cutoff=6.0))
    assert kernel.compute(x, CUBE).virial is None
    usual = kernel.compute(x, CUBE, virial=True)
    assert usual.virial == pytest.approx(exact.virial, abs=2e-2)
