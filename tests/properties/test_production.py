"""Stages: saved, killed, continued and broken off, on 32 argon atoms without parameterization."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm import app, unit

from openff_bytepol.exceptions import SimulationError, StorageError, TimeBudgetError
from openff_bytepol.properties.box import Box, Kind
from openff_bytepol.properties.planning import Speed, check_budget, duration_text, timed_trial
from openff_bytepol.properties.production import STATE_FILE, is_done, run_stage, time_done
from openff_bytepol.properties.recorders import SeriesRecorder, chunks, read_series
from openff_bytepol.properties.sampling import Sampling
from tests.properties.argon import MASS, TEMPERATURE, argon_system

N_SIDE = 2
BOX = Box((Kind("[Ar]", "[Ar:1]", 4 * N_SIDE**3, (MASS,), 0.0, 0.0),), 3 * 4 * N_SIDE**3, 1.4, True)


def make(timestep=0.005):
    """Simulation of 32 atoms; ps."""
    system, positions = argon_system(N_SIDE, cutoff=1.5)
    topology = app.Topology()
    chain = topology.addChain()
    for _ in positions:
        residue = topology.addResidue("AR", chain)
        topology.addAtom("AR", app.Element.getBySymbol("Ar"), residue)
    topology.setPeriodicBoxVectors(system.getDefaultPeriodicBoxVectors())
    integrator = openmm.LangevinMiddleIntegrator(TEMPERATURE, 1.0, timestep)
    integrator.setRandomNumberSeed(1)
    platform = openmm.Platform.getPlatformByName("Reference")
    simulation = app.Simulation(topology, system, integrator, platform)
    simulation.context.setPositions(positions)
    simulation.context.setVelocitiesToTemperature(TEMPERATURE * unit.kelvin, 1)
    return simulation


def recorder(every=4):
    return SeriesRecorder(BOX, TEMPERATURE, None, every)


def test_frames_states_and_times(tmp_path):
    seen = []
    assert run_stage(make(), tmp_path, 0.5, [recorder()], on_progress=seen.append) is None
    series = read_series(tmp_path)
    assert series.times == pytest.approx(np.arange(1, 26) * 0.02)
    assert series.counts == (32,)
    assert time_done(tmp_path) == pytest.approx(0.5)
    assert is_done(tmp_path, 0.5)
    assert not is_done(tmp_path, 0.6)
    assert seen[-1].done == pytest.approx(seen[-1].total)
    assert seen[-1].density == pytest.approx(series.mass * 1.66053906660 / series.volumes[-1])


def test_a_longer_stage_keeps_what_is_there(tmp_path):
    run_stage(make(), tmp_path, 0.3, [recorder()])
    before = read_series(tmp_path)
    run_stage(make(), tmp_path, 0.5, [recorder()])
    after = read_series(tmp_path)
    assert len(after) == 25
    assert np.array_equal(after.centers[:15], before.centers)
    step = np.linalg.norm(after.centers[15] - after.centers[14], axis=-1)
    assert step.max() < 0.2
    run_stage(make(), tmp_path, 0.5, [recorder()])
    assert np.array_equal(read_series(tmp_path).centers, after.centers)


def test_frames_after_the_last_state_are_dropped(tmp_path):
    run_stage(make(), tmp_path, 0.2, [recorder()])
    state = (tmp_path / STATE_FILE).read_bytes()
    run_stage(make(), tmp_path, 0.4, [recorder()])
    (tmp_path / STATE_FILE).write_bytes(state)
    (tmp_path / ".series-000000000100.npz.part").write_bytes(b"half")
    run_stage(make(), tmp_path, 0.3, [recorder()])
    assert [last for last, _ in chunks(tmp_path)] == [40, 60]
    assert read_series(tmp_path).times[-1] == pytest.approx(0.3)
    assert not list(tmp_path.glob(".*"))


SCRIPT = """
from tests.properties.test_production import make, recorder, run_stage
from pathlib import Path
run_stage(make(), Path("stage"), 1e5, [recorder()], checkpoint_seconds=0.05)
"""


def test_killed_at_any_moment_it_goes_on(tmp_path):
    stage = tmp_path / "stage"
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 600.0
        while len(list(chunks(stage))) < 5:
            assert process.poll() is None, process.stderr.read().decode()
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = time_done(stage)
    before = read_series(stage)
    run_stage(make(), stage, done + 1.0, [recorder()])
    after = read_series(stage)
    assert after.times == pytest.approx(np.arange(1, len(after) + 1) * 0.02)
    assert after.times[-1] == pytest.approx(done + 1.0, abs=0.021)
    kept = int(np.searchsorted(before.times, done + 1e-6))
    assert kept > 0
    assert np.array_equal(after.centers[:kept], before.centers[:kept])


def test_a_run_that_explodes_keeps_its_last_good_state(tmp_path):
    run_stage(make(), tmp_path, 0.2, [recorder()])
    state = (tmp_path / STATE_FILE).read_bytes()
    wild = make(timestep=5.0)
    wild.context.setStepCount(0)
    with pytest.raises(SimulationError, match="goes on from there") as failure:
        run_stage(wild, tmp_path, 1e4, [recorder(every=1)])
    assert "state at 0.2 ps is saved" in str(failure.value)
    assert (tmp_path / STATE_FILE).read_bytes() == state
    run_stage(make(), tmp_path, 0.3, [recorder()])
    assert len(read_series(tmp_path)) == 15


def test_a_full_disk_leaves_what_was_saved(tmp_path, monkeypatch):
    run_stage(make(), tmp_path, 0.2, [recorder()])
    state = (tmp_path / STATE_FILE).read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(StorageError, match="disk is full"):
        run_stage(make(), tmp_path, 0.4, [recorder()])
    monkeypatch.undo()
    assert (tmp_path / STATE_FILE).read_bytes() == state
    run_stage(make(), tmp_path, 0.4, [recorder()])
    assert len(read_series(tmp_path)) == 20


def test_stopping_early_can_be_resumed(tmp_path):
    stopped = run_stage(
        make(), tmp_path, 5.0, [recorder()], should_stop=lambda t: "enough", checkpoint_seconds=0.0
    )
    assert stopped == "enough"
    done = time_done(tmp_path)
    assert 0.0 < done < 5.0
    assert run_stage(make(), tmp_path, 5.0, [recorder()]) is None
    assert len(read_series(tmp_path)) == 250


def test_an_interrupted_run_is_saved(tmp_path):
    def interrupt(now):
        if now.done > 0.1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stage(make(), tmp_path, 5.0, [recorder()], on_progress=interrupt)
    assert time_done(tmp_path) > 0.1


def test_pressure_tensors_are_recorded_without_centres(tmp_path):
    simulation = make()
    run_stage(simulation, tmp_path, 0.2, [Sampling().stress_recorder(simulation, BOX, TEMPERATURE)])
    series = read_series(tmp_path)
    assert series.interval == pytest.approx(0.01)
    assert series.centers is None
    tensors = series.pressure_tensors
    assert tensors.shape == (20, 3, 3)
    assert np.allclose(tensors, tensors.transpose(0, 2, 1))
    assert np.abs(tensors).max() < 1e4


def test_a_timed_trial_leaves_the_simulation_as_it_was():
    simulation = make()
    before = simulation.context.getState(positions=True).getPositions(asNumpy=True)._value
    speed = timed_trial(simulation, seconds=0.05)
    after = simulation.context.getState(positions=True).getPositions(asNumpy=True)._value
    assert np.array_equal(before, after)
    assert simulation.currentStep == 0
    assert speed.n_atoms == 32
    assert speed.ns_per_day == pytest.approx(86.4 / speed.seconds_per_ps)


def test_budgets():
    slow = Speed(2.0, 0.002, "CPU", 5000, polarizable=True)
    assert slow.ns_per_day == pytest.approx(0.0864)
    check_budget(slow, 1.0, 2000.0)
    with pytest.raises(TimeBudgetError, match=r"bytepol-fixed\.offxml") as refusal:
        check_budget(slow, 200.0, 3600.0)
    text = str(refusal.value)
    assert "200 ps would take about 2.31 days" in text
    assert "a GPU" in text
    assert "The budget is 60 min." in text
    fixed = Speed(2.0, 0.002, "CUDA", 5000, polarizable=False)
    with pytest.raises(TimeBudgetError) as refusal:
        check_budget(fixed, 200.0, 3600.0)
    assert "bytepol-fixed" not in str(refusal.value)


def test_durations():
    assert [duration_text(s) for s in (5, 600, 9000, 1e6)] == [
        "5 s",
        "10 min",
        "2.5 h",
        "11.6 days",
    ]
