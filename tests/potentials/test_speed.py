"""A batch must stay well ahead of a loop over dimers."""

from __future__ import annotations

import pytest
import torch

from tests.benchmarks.potentials_speed import measure


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_batch_outruns_a_loop():
    results = measure(64, repeats=15)
    for name in ("components", "components_and_parameter_gradients"):
        assert results[f"{name}_ratio"] > 4, results
    assert results["energies_forces_and_parameter_gradients_ratio"] > 3, results
