"""Other force fields from what an estimate left in its folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from openff.toolkit import ForceField
from typer.testing import CliRunner

from openff_bytepol.cli.app import app
from openff_bytepol.exceptions import DataError, ForceFieldError, PropertyError, SamplingError
from openff_bytepol.interop.openmm_system import create_system
from openff_bytepol.models import load_model
from openff_bytepol.properties.box import Box, Kind
from openff_bytepol.properties.estimator import estimate
from openff_bytepol.properties.force_fields import Parameters
from openff_bytepol.properties.frames import Frames
from openff_bytepol.properties.gradients import density_gradient
from openff_bytepol.properties.periodic_energy import PeriodicEnergy
from openff_bytepol.properties.stored import StoredFrames, StoredRun
from openff_bytepol.properties.transfer import ensemble_spread, gradients, reweighted
from openff_bytepol.units import BOLTZMANN, GRAM_PER_CM3
from tests.properties.boxes import WATER, lattice, placements
from tests.properties.liquids import ARGON, SMALL, STATE


@pytest.fixture(scope="module")
def argon(tmp_path_factory):
    """A finished run, and a force field whose atoms attract a little more."""
    folder = tmp_path_factory.mktemp("transfer")
    options = SMALL | {"time": 30.0, "gas_time": 30.0, "interval": 0.1, "trajectory": 0.1}
    estimate(["density", "hvap"], "[Ar]", STATE, ARGON, output=folder / "run", **options)
    other = folder / "other.offxml"
    other.write_text(Path(ARGON).read_text().replace('"0.2381 *', '"0.2390 *'))
    return folder / "run", other


def test_a_force_field_reweighted_to_itself(argon):
    run = StoredRun.load(argon[0])
    options = {"platform": "Reference", "minimum": 2.0}
    found = reweighted([run], Parameters.load(ARGON), ["rho"], **options)["density"]
    densities = run.liquid.mass * GRAM_PER_CM3 / run.liquid.frames.volumes
    assert found.value == pytest.approx(densities.mean())
    assert found.n_effective == pytest.approx(len(densities))
    assert run.liquid.energies(run.liquid.own_system(), "Reference") == pytest.approx(
        run.liquid.energies(run.liquid.system(Parameters.load(ARGON)), "Reference")
    )


def test_reweighting_by_command(argon):
    run, other = argon
    arguments = [
        "reweight",
        str(run),
        "-f",
        str(other),
        "-p",
        "density",
        "-p",
        "hvap",
        "--json",
        "--minimum",
        "2",
    ]
    answer = CliRunner().invoke(app, [*arguments, "--platform", "Reference"])
    assert answer.exit_code == 0, answer.output
    row = json.loads(answer.stdout)["estimates"][str(other)]
    stored = StoredRun.load(run)
    own = stored.liquid.energies(stored.liquid.own_system(), "Reference")
    new = stored.liquid.energies(stored.liquid.system(Parameters.load(other)), "Reference")
    densities = stored.liquid.mass * GRAM_PER_CM3 / stored.liquid.frames.volumes
    differences = new - own
    weights = np.exp((differences.min() - differences) / (BOLTZMANN * STATE.temperature))
    assert row["density"]["value"] == pytest.approx(densities @ weights / weights.sum())
    assert row["density"]["value"] != pytest.approx(densities.mean(), rel=1e-6)
    assert 4.0 < row["enthalpy_of_vaporization"]["value"] < 8.0


def test_what_cannot_be_reweighted(argon, tmp_path):
    run, _ = argon
    stored, same = StoredRun.load(run), Parameters.load(ARGON)
    with pytest.raises(PropertyError, match="dielectric_constant cannot"):
        reweighted([stored], same, ["dielectric"])
    with pytest.raises(ForceFieldError, match="not polarizable"):
        gradients(stored, same, ["density"])
    with pytest.raises(DataError, match="no folder of"):
        StoredRun.load(tmp_path)
    without = StoredRun(stored.folder, stored.request, stored.liquid, None)
    with pytest.raises(PropertyError, match="trajectory of the gas"):
        reweighted([without], same, ["hvap"])
    warmer = {**stored.request, "state": {"temperature": 100.0, "pressure": 1.0}}
    with pytest.raises(PropertyError, match="different liquids"):
        reweighted([stored, StoredRun(run, warmer, stored.liquid, None)], same, ["density"])


@pytest.fixture(scope="module")
def water(tmp_path_factory):
    """Eight polarizable molecules in boxes of different volumes, as if they had been simulated."""
    force_field = Parameters.load("bytepol_unconstrained.offxml")
    model = load_model("bytepol")
    home = tmp_path_factory.mktemp("water")
    kind = Kind("O", "[O:1]([H:2])[H:3]", 8, (15.999, 1.008, 1.008), 0.0, 1.4)
    box = Box((kind,), 69, 1.0, True)
    random = np.random.default_rng(4)
    base = lattice(WATER, 2, 3.3, seed=2)
    centers = np.repeat(base.reshape(8, 3, 3).mean(1), 3, axis=0)
    scales = 1.0 + 0.01 * random.normal(size=40)
    noise = 0.005 * random.normal(size=(40, *base.shape))
    positions = np.array([centers * s + (base - centers) for s in scales]) + noise
    frames = Frames(positions, 6.8 * scales[:, None, None] * np.eye(3))
    system = create_system(
        model.predict("O"), placements(8, 3), box=[6.8] * 3, cutoff=3.1, switch_distance=2.8
    )
    box.write(home, system, "")
    request = {
        "state": {"temperature": 298.15, "pressure": 1.0},
        "force_field_sha256": force_field.sha256,
    }
    return StoredRun(home, request, StoredFrames(home, box, frames), None), force_field, model


def test_gradients_are_those_of_the_frames(water):
    run, force_field, model = water
    few = StoredRun(
        run.folder,
        run.request,
        StoredFrames(run.folder, run.liquid.box, run.liquid.frames[:3]),
        None,
    )
    found = gradients(few, force_field, ["density"])["density"]
    potential = PeriodicEnergy(
        model.predict("O"), placements(8, 3), cutoff=3.1, switch_distance=2.8
    )
    expected = density_gradient(
        model, ["O"], potential, few.liquid.frames, temperature=298.15, mass=run.liquid.mass
    )
    assert found.value == pytest.approx(expected.value)
    for name, values in expected.weights.items():
        np.testing.assert_allclose(found.weights[name], values, rtol=1e-4, atol=1e-6)
    other = StoredRun(run.folder, {**run.request, "force_field_sha256": "0"}, run.liquid, None)
    with pytest.raises(PropertyError, match="was not simulated with"):
        gradients(other, force_field, ["density"])


def test_constraints_cannot_be_put_on_later(water):
    run, _, _ = water
    rigid = ForceField("bytepol.offxml")
    for section in ("BytePolNonbonded", "BytePolvdW", "BytePolElectrostatics"):
        rigid[section].cutoff = "3.1 * angstrom"
    with pytest.raises(PropertyError, match="constrain the same distances"):
        reweighted([run], Parameters.load(rigid), ["density"], platform="Reference")


def test_spread_between_members(water):
    run, force_field, model = water
    options = {"platform": "Reference", "minimum": 1.0}
    found = ensemble_spread(run, force_field, ["density"], **options)["density"]
    assert len(found.details["members"]) == model.n_members
    assert found.uncertainty > 0.0
    with pytest.raises(SamplingError, match="cannot be reached"):
        ensemble_spread(run, force_field, ["density"], platform="Reference", minimum=1e9)
