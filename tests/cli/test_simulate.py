import csv
import shutil

import pytest
import yaml

WATER = {
    "components": [{"smiles": "O", "copies": 220}],
    "density": 0.95,
    "steps": 2,
    "report_every": 1,
    "fixed": True,
}


@pytest.fixture
def config(tmp_path):
    def write(**changes):
        path = tmp_path / "liquid.yaml"
        path.write_text(yaml.safe_dump(WATER | changes))
        return path

    return write


def records(folder):
    with (folder / "records.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_run_goes_on_where_it_stopped(bytepol, config, tmp_path):
    folder = tmp_path / "run"
    first = bytepol("simulate", config(), "--output", folder, "--json")
    assert first.code == 0, first.messages
    assert first.document["last"]["step"] == 2
    before = records(folder)
    second = bytepol("simulate", config(), "--output", folder, "--steps", 4, "--json")
    assert second.code == 0, second.messages
    assert "Going on" in second.messages
    assert second.document["last"]["step"] == 4
    after = records(folder)
    assert after[: len(before)] == before
    assert [int(row["step"]) for row in after] == [0, 1, 2, 3, 4]

    import mdtraj

    trajectory = mdtraj.load(folder / "trajectory.dcd", top=folder / "box.pdb")
    assert trajectory.n_frames == 4
    assert trajectory.n_atoms == 660


def test_records_are_those_of_the_state(bytepol, config, tmp_path):
    folder = tmp_path / "run"
    bytepol("simulate", config(pressure=None), "--output", folder)
    first, *_, last = records(folder)
    assert float(first["density"]) == pytest.approx(0.95, rel=1e-3)
    assert first["density"] == last["density"]
    assert float(first["temperature"]) == pytest.approx(298.15, rel=0.15)
    assert float(last["potential_energy"]) < 0.0


def test_another_liquid_is_not_mixed_in(bytepol, config, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    finished = bytepol("simulate", config(), "--output", folder)
    assert finished.code == 1
    assert finished.messages.startswith("OutputExistsError")
    shutil.rmtree(folder)
    assert bytepol("simulate", config(), "--output", folder).code == 0
    changed = config(temperature=350.0)
    finished = bytepol("simulate", changed, "--output", folder)
    assert finished.code == 1
    assert "another simulation" in finished.messages
    assert len(records(folder)) == 3
    (folder / "failed.xml").write_text("of the other liquid")
    assert bytepol("simulate", changed, "--output", folder, "--force").code == 0
    assert not (folder / "failed.xml").exists()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"temprature": 300.0}, "temprature"),
        ({"density": -1.0}, "density"),
        ({"components": []}, "components"),
    ],
)
def test_wrong_configuration(bytepol, config, tmp_path, changes, word):
    finished = bytepol("simulate", config(**changes), "--output", tmp_path / "run")
    assert finished.code == 1
    assert finished.messages.startswith("DataError")
    assert word in finished.messages
    assert not (tmp_path / "run").exists()


def test_box_too_small_for_the_cutoff(bytepol, config, tmp_path):
    small = config(components=[{"smiles": "O", "copies": 50}])
    finished = bytepol("simulate", small, "--output", tmp_path / "run")
    assert finished.code == 1
    assert finished.messages.startswith("CutoffError")
