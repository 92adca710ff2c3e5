from __future__ import annotations

import numpy as np
import pytest

from active_learning.config import GateConfig
from active_learning.gates import Errors, compare, run_command
from openff_bytepol.exceptions import BytePolError


def errors(shift: float = 0.0, noise: float = 0.0, seed: int = 0) -> Errors:
    generator = np.random.default_rng(seed)
    values = generator.gamma(2.0, 0.5, 200) + shift
    values = values + noise * np.random.default_rng(seed + 9).normal(size=200)
    return Errors([f"g{i // 2}" for i in range(200)], values)


@pytest.mark.parametrize(
    ("name", "shift", "passed"),
    [
        ("new", -0.2, True),
        ("new", 0.0, False),
        ("new", 0.2, False),
        ("old", 0.0, True),
        ("old", 0.01, True),
        ("old", 0.2, False),
    ],
)
def test_better_and_not_worse(name, shift, passed):
    found = compare(name, "dimers", errors(), errors(shift, 0.02), GateConfig(), seed=1)
    assert found.passed is passed
    assert found.new - found.old == pytest.approx(shift, abs=0.01)
    assert found.low < found.new - found.old < found.high
    assert found.required == ("better" if name == "new" else "not worse")


def test_an_insignificant_gain_does_not_count_as_better():
    found = compare("new", "dimers", errors(), errors(-0.02, 1.0), GateConfig(), seed=1)
    assert not found.passed
    assert "interval" in found.reason


def test_interval_covers_the_truth():
    hits = 0
    for seed in range(60):
        old, new = errors(seed=seed), errors(0.1, 0.5, seed=seed)
        found = compare("old", "dimers", old, new, GateConfig(bootstrap=300), seed=seed)
        hits += found.low <= 0.1 <= found.high
    assert hits >= 50


def test_repeated_items_are_no_new_evidence():
    old, new = errors(), errors(-0.05, 0.6)
    single = compare("new", "dimers", old, new, GateConfig(), seed=1)
    tenfold = [Errors(e.groups * 10, np.tile(e.values, 10)) for e in (old, new)]
    repeated = compare("new", "dimers", *tenfold, GateConfig(), seed=1)
    assert repeated.high - repeated.low == pytest.approx(single.high - single.low, rel=0.05)


def test_few_groups_show_no_improvement():
    old = Errors(["a", "a", "b"], np.array([1.0, 1.1, 0.9]))
    new = Errors(["a", "a", "b"], np.array([0.5, 0.6, 0.4]))
    found = compare("new", "dimers", old, new, GateConfig(), seed=1)
    assert found.required == "not worse"
    assert found.passed
    found = compare("new", "dimers", old, new, GateConfig(min_groups=2), seed=1)
    assert found.required == "better"


def test_models_must_cover_the_same():
    with pytest.raises(ValueError, match="different items"):
        compare("new", "dimers", errors(), Errors(["a"], np.ones(1)), GateConfig(), seed=1)


def test_command_vetoes(tmp_path):
    assert run_command(["true"], tmp_path, tmp_path)[0]
    assert not run_command(["false"], tmp_path, tmp_path)[0]
    with pytest.raises(BytePolError, match="no_such_program"):
        run_command(["no_such_program"], tmp_path, tmp_path)
