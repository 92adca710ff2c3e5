"""Estimates from SMILES to numbers, on argon."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from openff_bytepol.exceptions import (
    DataError,
    OutputExistsError,
    PropertyError,
    RunLockedError,
    StorageError,
    TimeBudgetError,
    UnphysicalLiquidError,
)
from openff_bytepol.properties.estimator import RESULTS_FILE, estimate
from openff_bytepol.properties.folder import locked
from openff_bytepol.properties.recorders import chunks, read_series
from openff_bytepol.properties.state import State
from tests.properties.liquids import ARGON, SALT, SMALL, STATE


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of density and enthalpy of vaporization."""
    folder = tmp_path_factory.mktemp("estimate") / "argon"
    seen = []
    options = SMALL | {"report": True}
    found = estimate(
        ["density", "hvap"], "[Ar]", STATE, ARGON, output=folder, on_progress=seen.append, **options
    )
    return folder, found, seen


def test_results(run):
    folder, found, _ = run
    assert 1.0 < found["density"].value < 1.7
    assert found["density"].unit == "g/cm**3"
    assert 4.0 < found["enthalpy_of_vaporization"].value < 8.0
    assert found.counts == {"[Ar]": 40}
    document = json.loads((folder / RESULTS_FILE).read_text())
    assert document["status"] == "done"
    assert document["estimates"]["density"]["value"] == found["density"].value
    assert document["cost"]["ns_per_day"] > 0.0


def test_progress_tells_stage_density_and_time_left(run):
    _, _, seen = run
    assert [*dict.fromkeys(p.stage for p in seen)][-1] == "4-produce"
    last = seen[-1]
    assert (last.done, last.total) == pytest.approx((1.0, 1.0))
    assert 1.0 < last.density < 1.7
    assert last.seconds_left == 0.0


def test_report_is_self_contained(run):
    folder, _, _ = run
    text = (folder / "report.html").read_text()
    assert text.count("data:image/png;base64,") >= 4
    assert "enthalpy_of_vaporization" in text
    assert 'src="http' not in text
    assert "href=" not in text


def test_samples_are_those_of_production(run):
    parquet = pytest.importorskip("pyarrow.parquet")
    folder, found, _ = run
    table = parquet.read_table(folder / "samples.parquet").to_pydict()
    assert np.mean(table["density_g_per_cm3"]) == pytest.approx(found["density"].value)
    assert table["time_ps"][-1] == pytest.approx(1.0)


def test_the_trajectory_can_be_read(run):
    import mdtraj

    folder, _, _ = run
    home = folder / "liquid"
    files = [str(path) for _, path in chunks(home / "4-produce", "trajectory", "dcd")]
    trajectory = mdtraj.load(files, top=str(home / "0-build" / "topology.pdb"))
    series = read_series(home / "4-produce")
    assert trajectory.n_frames == 10
    edges = trajectory.unitcell_lengths[:, 0] * 10.0
    assert edges == pytest.approx(series.boxes[4::5, 0, 0], rel=1e-5)


def test_a_longer_time_and_more_properties_go_on_from_what_is_there(run):
    folder, first, _ = run
    before = read_series(folder / "liquid" / "4-produce")
    longer = SMALL | {"time": 1.5}
    found = estimate(
        ["density", "compressibility", "diffusion"], "[Ar]", STATE, ARGON, output=folder, **longer
    )
    after = read_series(folder / "liquid" / "4-produce")
    assert len(after) == 75
    assert np.array_equal(after.potential_energies[:50], before.potential_energies)
    assert "simulate longer" in found.failures["self_diffusion"]
    with pytest.raises(PropertyError, match="simulate longer"):
        found["self_diffusion"]
    assert found["isothermal_compressibility"].value > 0.0
    assert found.cost["wall_seconds"] > first.cost["wall_seconds"]
    fixed = read_series(folder / "liquid" / "7-transport")
    assert np.ptp(fixed.volumes) == pytest.approx(0.0, abs=1e-9 * fixed.volumes[0])


def test_another_run_is_not_mixed_in(run):
    folder, _, _ = run
    with pytest.raises(OutputExistsError, match="other settings"):
        estimate("density", "[Ar]", State(95.0), ARGON, output=folder, **SMALL)
    with locked(folder), pytest.raises(RunLockedError, match="another process"):
        estimate("density", "[Ar]", STATE, ARGON, output=folder, **SMALL)


def test_a_folder_of_something_else_is_not_touched(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="not empty"):
        estimate("density", "[Ar]", STATE, ARGON, output=tmp_path, overwrite=True, **SMALL)
    assert (tmp_path / "notes.txt").read_text() == "mine"


SCRIPT = """
from openff_bytepol.properties.estimator import estimate
from tests.properties.liquids import ARGON, SMALL, STATE
options = SMALL | {"checkpoint": 0.2, "time": 4000.0}
estimate("density", "[Ar]", STATE, ARGON, output="run", **options)
"""


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on(tmp_path):
    production = tmp_path / "run" / "liquid" / "4-produce"
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 900.0
        while len(list(chunks(production))) < 3:
            assert process.poll() is None, process.stderr.read().decode()
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = [(last, read_series(path.parent)) for last, path in chunks(production)]
    step = before[-1][0]
    duration = (step + 400) * 0.005
    options = SMALL | {"time": duration}
    found = estimate("density", "[Ar]", STATE, ARGON, output=tmp_path / "run", **options)
    after = read_series(production)
    assert found.production_ps == pytest.approx(duration)
    assert np.diff(after.times) == pytest.approx(0.02)
    kept = (step - 400) // 4
    old = before[-1][1]
    assert np.array_equal(after.potential_energies[:kept], old.potential_energies[:kept])
    assert 1.0 < found["density"].value < 1.7
    assert not list(production.glob(".*"))


@pytest.mark.slow
def test_a_boiling_liquid_gives_no_number(tmp_path):
    options = SMALL | {"equilibration": 200.0}
    with pytest.raises(UnphysicalLiquidError, match="boiled"):
        estimate("density", "[Ar]", State(500.0), ARGON, output=tmp_path / "hot", **options)
    document = json.loads((tmp_path / "hot" / RESULTS_FILE).read_text())
    assert document["status"] == "failed"
    assert "boiled" in document["reason"]
    assert "estimates" not in document


def test_targets_stop_a_run(tmp_path):
    options = SMALL | {"checkpoint": 0.05, "time": 20.0, "targets": {"density": 0.5}}
    found = estimate("density", "[Ar]", STATE, ARGON, output=tmp_path / "run", **options)
    assert found.production_ps < 20.0
    assert "target uncertainties" in found.notes[0]


def test_a_budget_too_short_is_refused_with_alternatives(tmp_path):
    options = SMALL | {"time": 1e9, "budget": 1.0}
    with pytest.raises(TimeBudgetError, match="ns/day") as refusal:
        estimate("density", "[Ar]", STATE, ARGON, output=tmp_path / "run", **options)
    assert "fewer molecules" in str(refusal.value)


def test_a_full_disk_leaves_what_was_saved(run, monkeypatch):
    folder, _, _ = run

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    state = (folder / "liquid" / "4-produce" / "state.xml").read_bytes()
    monkeypatch.setattr(np, "savez_compressed", full)
    longer = SMALL | {"time": 3.0}
    with pytest.raises(StorageError, match="disk is full"):
        estimate("density", "[Ar]", STATE, ARGON, output=folder, **longer)
    assert (folder / "liquid" / "4-produce" / "state.xml").read_bytes() == state
    monkeypatch.undo()
    assert estimate("density", "[Ar]", STATE, ARGON, output=folder, **longer).production_ps == 3.0


@pytest.mark.parametrize(
    ("changes", "error", "word"),
    [
        ({"properties": "densty"}, PropertyError, "densty"),
        ({"properties": "hmix"}, PropertyError, "mixtures"),
        ({"time": "200 miles"}, PropertyError, "200 miles"),
        ({"substance": ["[Ar]:0.5", "[Ne]:0.2"]}, PropertyError, "add up"),
        ({"targets": {"hvap": 0.1}}, PropertyError, "not asked for"),
        ({"n_molecules": -1}, DataError, "n_molecules"),
        ({"acceleration": 0.0}, DataError, "acceleration"),
        ({"n_molecules": 3}, ValueError, "too few"),
    ],
)
def test_bad_requests(tmp_path, changes, error, word):
    options = {"properties": "density", "substance": "[Ar]", **SMALL} | changes
    with pytest.raises(error, match=word):
        estimate(state=STATE, force_field=ARGON, output=tmp_path / "run", **options)


def test_a_mixture_and_its_excess_volume(tmp_path):
    found = estimate(
        ["excess_molar_volume", "enthalpy_of_mixing"],
        ["[Ar]:0.75", "[Ne]:0.25"],
        State(30.0, 100.0),
        ARGON,
        output=tmp_path / "run",
        **{**SMALL, "n_molecules": 60},
    )
    assert found.counts == {"[Ar]": 45, "[Ne]": 15}
    assert set(found.estimates) == {"excess_molar_volume", "enthalpy_of_mixing"}


@pytest.mark.slow
def test_two_viscosities_and_a_heat_capacity_from_one_command(tmp_path):
    asked = {
        "time": 30.0, "equilibration": 4.0, "acceleration": 1.0, "interval": 0.1, "platform": "CPU",
    }  # fmt: skip
    names = ["viscosity", "pp_viscosity", "cp"]
    # warm and under pressure: so small a box freezes at the triple point
    state = State(110.0, 50.0)
    found = estimate(names, "[Ar]", state, ARGON, output=tmp_path / "run", **{**SMALL, **asked})
    assert not found.failures
    # forty atoms for 30 ps: the order of magnitude is all that they tell
    for name in ("viscosity", "perturbation_viscosity"):
        assert 0.02 < found[name].value < 3.0
        assert 0.0 < found[name].uncertainty < found[name].value
        assert found[name].unit == "mPa*s"
    flow = found["perturbation_viscosity"].details
    assert flow["acceleration_angstrom_per_ps2"] == 1.0
    assert abs(flow["heating_K"]) < 40.0
    assert found["heat_capacity"].details["wavenumbers_per_cm"] == [[]]
    assert found["heat_capacity"].details["quantum_correction_J_per_mol_K"] == 0.0
    assert (tmp_path / "run" / "liquid" / "9-flow-1").is_dir()


@pytest.mark.slow
def test_conductivity_of_a_molten_salt(tmp_path):
    names = ["conductivity", "nernst_einstein_conductivity", "transference_numbers", "density"]
    asked = {
        "n_molecules": 32, "time": 75.0, "equilibration": 6.0, "timestep": 2.0, "platform": "CPU",
    }  # fmt: skip
    found = estimate(
        names, "[Na+].[Cl-]", State(1400.0), SALT, output=tmp_path / "run", **{**SMALL, **asked}
    )
    assert not found.failures
    assert found.counts == {"[Na+]": 32, "[Cl-]": 32}
    # molten sodium chloride conducts a few hundred S/m
    for name in names[:2]:
        assert 50.0 < found[name].value < 1500.0
        assert 0.0 < found[name].uncertainty < found[name].value
        assert found[name].unit == "S/m"
    shares = [found[f"transference_numbers[{ion}]"].value for ion in ("[Na+]", "[Cl-]")]
    assert sum(shares) == pytest.approx(1.0)
    assert 1.1 < found["density"].value < 2.0
