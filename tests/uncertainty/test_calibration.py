from __future__ import annotations

import numpy as np
import pytest

from openff_bytepol.exceptions import CorruptedModelError, HashMismatchError
from openff_bytepol.uncertainty.calibration import (
    CALIBRATION_FILE,
    LEVELS,
    Calibration,
    Thresholds,
    calibrate_quantity,
    read_calibration,
)


def data(scale: float, floor: float, count: int = 6000):
    generator = np.random.default_rng(3)
    deviations = generator.gamma(2.0, 0.2, count)
    sigma = np.sqrt((scale * deviations) ** 2 + floor**2)
    groups = [f"g{i // 4}" for i in range(count)]
    return sigma * generator.normal(size=count), deviations, groups


@pytest.mark.parametrize(("scale", "floor"), [(3.0, 0.2), (0.5, 0.1), (1.0, 0.01)])
def test_scale_and_floor_are_recovered(scale, floor):
    found = calibrate_quantity(*data(scale, floor), unit="kcal/mol")
    assert found.scale == pytest.approx(scale, rel=0.08)
    assert found.floor == pytest.approx(floor, abs=0.05)
    assert found.miscalibration_area < 0.02
    assert np.allclose(found.coverage, LEVELS, atol=0.04)
    assert found.nll <= found.nll_uncalibrated + 1e-3
    assert found.nll < found.nll_constant
    assert found.rank_correlation > 0.2


def test_members_that_agree_get_one_error_for_all():
    errors, _, groups = data(1.0, 0.3)
    found = calibrate_quantity(errors, np.zeros(len(errors)), groups, "e")
    assert found.scale == 0.0
    assert found.floor == pytest.approx(np.sqrt(np.mean(errors**2)), rel=0.1)
    assert found.rank_correlation == 0.0


def test_spread_that_says_nothing_is_not_trusted():
    errors, _, groups = data(0.0, 0.5)
    noise = np.random.default_rng(0).gamma(2.0, 0.2, len(errors))
    found = calibrate_quantity(errors, noise, groups, "e")
    assert abs(found.rank_correlation) < 0.1
    assert found.nll == pytest.approx(found.nll_constant, abs=0.01)


def test_groups_are_not_torn_apart():
    errors, deviations, _ = data(1.0, 0.1, 40)
    with pytest.raises(ValueError, match="four groups"):
        calibrate_quantity(errors, deviations, ["a", "b"] * 20, "e")


def calibration(sha256: str = "00") -> Calibration:
    return Calibration(
        model_sha256=sha256,
        created="2026-01-01",
        data={},
        known_environments=(1, 2**51 + 1),
        novelty=Thresholds(edge=0.0, out=0.2),
    )


def test_round_trip(tmp_path):
    calibration().write(tmp_path)
    found = read_calibration(tmp_path, "00")
    assert found == calibration()
    with pytest.raises(HashMismatchError, match="bytepol models calibrate"):
        read_calibration(tmp_path, "11")
    assert [p.name for p in tmp_path.iterdir()] == [CALIBRATION_FILE]


def test_absent_and_damaged_files(tmp_path):
    assert read_calibration(tmp_path, "00") is None
    (tmp_path / CALIBRATION_FILE).write_text('{"model_sha256": ')
    with pytest.raises(CorruptedModelError, match="not a calibration"):
        read_calibration(tmp_path, "00")
