"""Comparison with published ALMO-EDA dimers and clusters."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from openff_bytepol.exceptions import DataError
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import energy
from openff_bytepol.training.eda_scans import (
    COMPONENTS,
    compare_with_eda,
    plot_comparisons,
    read_eda_system,
)

SCAN = Path("reference/byteff_pol_qm/dimers/EMC_LI")
CLUSTER = Path("reference/byteff_pol_qm/clusters/i1")


def test_scan_has_one_energy_per_frame(reference_data: Path) -> None:
    system = read_eda_system(reference_data / SCAN)
    assert system.coordinates.shape == (10, 16, 3)
    assert [m.n_atoms for m in system.molecules] == [15, 1]
    for component in COMPONENTS:
        assert system.reference[component].shape == (10,)
    parts = [system.reference[c] for c in COMPONENTS if c != "TOTAL"]
    np.testing.assert_allclose(np.sum(parts, axis=0), system.reference["TOTAL"], atol=1e-4)


def test_single_energy_belongs_to_the_last_frame(reference_data: Path) -> None:
    system = read_eda_system(reference_data / CLUSTER)
    assert system.coordinates.shape == (1, 37, 3)
    assert system.reference["TOTAL"] == pytest.approx([-46.05449])
    last = (reference_data / CLUSTER / "PF6_3.xyz").read_text().splitlines()[-7:]
    np.testing.assert_allclose(
        system.coordinates[0, -7:], [[float(x) for x in line.split()[1:4]] for line in last]
    )


def test_total_is_cluster_minus_molecules(reference_data: Path) -> None:
    system = read_eda_system(reference_data / SCAN)
    model = Model(seed=3)
    comparison = compare_with_eda(system, model)
    parameters = model.predict(list(system.molecules))
    xyz = torch.from_numpy(system.coordinates)
    together = energy(ParameterSet.concatenate(parameters), xyz).total
    first = energy(parameters[0], xyz[:, :15]).total
    second = energy(parameters[1], xyz[:, 15:]).total
    np.testing.assert_allclose(
        comparison.predicted["TOTAL"], (together - first - second).reshape(-1), atol=1e-8
    )


def test_report_and_plot(reference_data: Path, tmp_path: Path) -> None:
    model = Model(seed=3)
    comparisons = [
        compare_with_eda(read_eda_system(reference_data / folder), model)
        for folder in (SCAN, CLUSTER)
    ]
    text = json.dumps([c.to_dict() for c in comparisons])
    error = np.abs(comparisons[0].predicted["DISP"] - comparisons[0].reference["DISP"]).mean()
    assert json.loads(text)[0]["mean_absolute_error"]["DISP"] == pytest.approx(error)
    plot_comparisons(comparisons, tmp_path / "parity.png")
    assert (tmp_path / "parity.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def scan_copy(reference_data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(reference_data / SCAN, tmp_path / "scan"))


def test_missing_component_is_named(scan_copy: Path) -> None:
    energies = json.loads((scan_copy / "EDA.json").read_text())
    del energies["CHARGE TRANSFER"]
    (scan_copy / "EDA.json").write_text(json.dumps(energies))
    with pytest.raises(DataError, match="lacks CHARGE TRANSFER"):
        read_eda_system(scan_copy)


def test_frames_must_match_energies(scan_copy: Path) -> None:
    lines = (scan_copy / "LI_1.xyz").read_text().splitlines(keepends=True)
    (scan_copy / "LI_1.xyz").write_text("".join(lines[:-3]))
    with pytest.raises(DataError, match="10 energies but 10, 9 frames"):
        read_eda_system(scan_copy)


def test_missing_files(scan_copy: Path) -> None:
    (scan_copy / "LI_1.xyz").unlink()
    with pytest.raises(DataError, match="at least two files"):
        read_eda_system(scan_copy)
    (scan_copy / "EDA.json").unlink()
    with pytest.raises(DataError, match=r"EDA\.json"):
        read_eda_system(scan_copy)
