"""Where a model and AIMNet2 bind two rigid molecules."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from openff_bytepol.models import load_model
from openff_bytepol.training.labels import aimnet2
from openff_bytepol.training.labels.bound_pairs import aimnet2_minima, model_minima
from openff_bytepol.training.labels.rigid import rigid_molecule
from openff_bytepol.training.rigid_pairs import BoundPair

pytestmark = pytest.mark.skipif(
    find_spec("Auto3D") is None, reason="Auto3D, with the weights of AIMNet2, is not installed"
)


@pytest.fixture(scope="module")
def waters():
    water = rigid_molecule("O", 1, 20, 1)
    return water, water


def aimnet2_interaction(coordinates) -> float:
    numbers = torch.tensor([8, 1, 1])
    alone = [
        float(aimnet2.evaluate(torch.tensor(xyz)[None], numbers, 0).energies) for xyz in coordinates
    ]
    together = torch.tensor(np.concatenate(coordinates))[None]
    return float(aimnet2.evaluate(together, numbers.repeat(2), 0).energies) - sum(alone)


def test_minima_of_a_model_are_distinct(waters) -> None:
    found = model_minima(load_model("bytepol"), waters, n_starts=6, seed=1)
    energies = [minimum.energy for minimum in found]
    assert all(np.diff(energies) > 0.3)
    assert -6.5 < energies[0] < -4.0, "a hydrogen bond: CCSD(T) has -5.0"


def test_minima_of_aimnet2_next_to_others(waters) -> None:
    """Two waters that start 3.6 Å apart and turned away find their hydrogen bond."""
    xyz = waters[0].conformers[0]
    start = BoundPair((xyz, xyz[:, [1, 2, 0]] + np.array([2.0, 2.0, 2.2])), 0.0)
    (found,) = aimnet2_minima(waters, [start])
    assert found.energy == pytest.approx(aimnet2_interaction(found.coordinates), abs=0.01)
    assert found.energy < aimnet2_interaction(start.coordinates) - 1.0
    assert -6.0 < found.energy < -4.0, "CCSD(T) has -5.0"
    shortest = cdist(*found.coordinates).min()
    assert 1.8 < shortest < 2.1, "H···O of the water dimer, 1.95 Å"


def test_no_starts_no_minima(waters) -> None:
    assert aimnet2_minima(waters, []) == []
