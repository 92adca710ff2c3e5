"""Derivatives of density and vaporization against finite differences of reweighted averages."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from openff_bytepol.exceptions import ObservablesError
from openff_bytepol.models import load_model
from openff_bytepol.models.registry import DEFAULT_MODEL
from openff_bytepol.properties.frames import Frames
from openff_bytepol.properties.gradients import (
    density_gradient,
    liquid_derivatives,
    vaporization_gradient,
)
from openff_bytepol.properties.periodic_energy import PeriodicEnergy
from openff_bytepol.properties.reweighting import boltzmann_weights
from openff_bytepol.units import ATMOSPHERE, GRAM_PER_CM3
from tests.properties.boxes import WATER, lattice, placements

TEMPERATURE, MASS, N = 298.15, 8 * 18.015, 8


@pytest.fixture(scope="module")
def model():
    torch.set_num_threads(1)
    return load_model(DEFAULT_MODEL).member(0).double()


@pytest.fixture(scope="module")
def liquid():
    """Boxes of different volumes with somewhat different energies: any frames will do."""
    random = np.random.default_rng(5)
    base = lattice(WATER, 2, 3.3, seed=2)
    positions, boxes = [], []
    for scale in (0.99, 1.0, 1.01, 1.02):
        centers = np.repeat(base.reshape(8, 3, 3).mean(1), 3, axis=0)
        positions.append(centers * scale + (base - centers) + 0.01 * random.normal(size=base.shape))
        boxes.append(6.6 * scale * np.eye(3))
    return Frames(np.array(positions), np.array(boxes))


@pytest.fixture(scope="module")
def gas():
    random = np.random.default_rng(6)
    return Frames(WATER + 0.02 * random.normal(size=(4, 3, 3)))


@pytest.fixture(scope="module")
def potential(model):
    return PeriodicEnergy(model.predict("O"), placements(N, 3), cutoff=3.1)


def shifted(model, direction, step):
    moved = copy.deepcopy(model)
    with torch.no_grad():
        for name, weight in moved.named_parameters():
            weight.add_(step * direction[name])
    return moved


def raw_parameters(model):
    with torch.no_grad():
        return model.eval()(model.build_graph("O"))


def liquid_energies(model, potential, frames):
    parameters = raw_parameters(model)
    return np.array(
        [
            float(potential([parameters], x, box))
            for x, box in zip(frames.positions, frames.boxes, strict=True)
        ]
    )


def gas_energies(model, frames):
    from openff_bytepol.potentials import energy

    total = energy(raw_parameters(model), torch.as_tensor(frames.positions)).total
    return total[:, 0].numpy()


def test_gradients_are_those_of_reweighted_averages(model, potential, liquid, gas):
    density = density_gradient(model, ["O"], potential, liquid, temperature=TEMPERATURE, mass=MASS)
    hvap = vaporization_gradient(model, "O", potential, liquid, gas, temperature=TEMPERATURE)
    # the steepest direction of the one plus that of the other, of unit length
    direction = {
        name: density.weights[name] / norm(density) + hvap.weights[name] / norm(hvap)
        for name in density.weights
    }
    densities = MASS * GRAM_PER_CM3 / liquid.volumes
    work = ATMOSPHERE * liquid.volumes
    start_liquid, start_gas = liquid_energies(model, potential, liquid), gas_energies(model, gas)
    step, ends = 2e-5, []
    for sign in (1, -1):
        moved = shifted(model, direction, sign * step)
        now_liquid, now_gas = liquid_energies(moved, potential, liquid), gas_energies(moved, gas)
        w_liquid = boltzmann_weights(now_liquid - start_liquid, TEMPERATURE)
        w_gas = boltzmann_weights(now_gas - start_gas, TEMPERATURE)
        heat = 4.184 * (w_gas @ now_gas - w_liquid @ (now_liquid + work) / N)
        ends.append((w_liquid @ densities, heat))
    for found, plus, minus in zip((density, hvap), *ends, strict=True):
        analytic = sum(float((found.weights[n] * direction[n]).sum()) for n in direction)
        assert analytic == pytest.approx((plus - minus) / (2 * step), rel=2e-3)
        assert abs(analytic) > 1e-3
    assert density.value == pytest.approx(densities.mean())
    assert density.parameters[0].charges.shape == (3,)


def norm(gradient):
    return float(sum((g**2).sum() for g in gradient.weights.values()) ** 0.5)


def test_liquids_need_boxes(model, potential, gas):
    with pytest.raises(ObservablesError, match="periodic boxes"):
        liquid_derivatives(potential, model.predict("O"), gas)
