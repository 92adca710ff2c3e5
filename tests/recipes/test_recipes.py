"""Every recipe at toy size, in a copy of its folder."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from openff_bytepol.training.labels.provenance import read_provenance

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture
def recipe(tmp_path):
    def copy(name: str) -> Path:
        return Path(shutil.copytree(RECIPES / name, tmp_path / name))

    return copy


def run(folder: Path, *command: object) -> str:
    finished = subprocess.run(
        [str(word) for word in command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def bytepol(folder: Path, *arguments: object) -> str:
    return run(folder, Path(sys.executable).parent / "bytepol", *arguments)


def bytepol_al(folder: Path, *arguments: object) -> str:
    return run(folder, Path(sys.executable).parent / "bytepol-al", *arguments)


def test_data_of_recipes_name_no_folder_of_one_machine():
    files = sorted(RECIPES.glob("*/*.parquet"))
    assert len(files) >= 3
    for path in files:
        for name, value in read_provenance(path).items():
            assert not re.search(r"(^|[\s'])/\w", value), (path.name, name)


def test_parameterize(recipe):
    folder = recipe("01-parameterize")
    bytepol(folder, "parameterize", "molecules.csv", "--output", "parameters.json")
    run(folder, sys.executable, "parameters_to_table.py", "molecules.csv", "--output", "atoms.csv")
    document = json.loads((folder / "parameters.json").read_text())
    with (folder / "atoms.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    charges = [q for entry in document["molecules"] for q in entry["parameters"]["charges"]]
    assert [float(row["charges (e)"]) for row in rows] == pytest.approx(charges, rel=1e-5, abs=1e-5)
    totals = {entry["name"]: sum(entry["parameters"]["charges"]) for entry in document["molecules"]}
    assert totals["lithium"] == pytest.approx(1.0)
    assert totals["hexafluorophosphate"] == pytest.approx(-1.0)
    assert totals["aspirin"] == pytest.approx(0.0, abs=1e-9)


def test_simulate_a_liquid(recipe):
    folder = recipe("02-simulate-a-liquid")
    bytepol(folder, "simulate", "liquid.yaml", "--output", "run", "--steps", 4)
    document = json.loads(
        bytepol(folder, "simulate", "liquid.yaml", "--output", "run", "--steps", 6, "--json")
    )
    assert document["last"]["step"] == 6
    assert document["last"]["time"] == pytest.approx(0.012)
    assert 0.6 < document["last"]["density"] < 0.9


@pytest.mark.slow
def test_polarizable_dynamics_without_a_gpu(recipe):
    pytest.importorskip("mdtraj")
    folder = recipe("15-polarizable-md-without-a-gpu")
    bytepol(folder, "simulate", "liquid.yaml", "--output", "run", "--steps", 4)
    output = run(folder, sys.executable, "compare_forces.py", "run", "--frames", 1)
    kernel, openmm = (
        float(line.split()[-2]) for line in output.splitlines() if line.startswith("density")
    )
    assert kernel == pytest.approx(0.85, abs=0.05)
    assert openmm == pytest.approx(kernel, rel=1e-3)


def test_export(recipe):
    folder = recipe("03-export")
    sizes = ["--copies", 30, "--copies", 150]
    bytepol(
        folder, "export", "CCO", "O", *sizes, "--density", 0.85,
        "--to", "openmm,gromacs,amber", "--fixed", "--output", "mixture",
    )  # fmt: skip
    for suffix in ("_system.xml", "_state.xml", ".pdb", ".top", ".gro", ".prmtop", ".inpcrd"):
        assert (folder / f"mixture{suffix}").stat().st_size > 0
    output = run(folder, sys.executable, "compare_engines.py", "--copies", 30, 150)
    if shutil.which("gmx"):
        assert "GROMACS 20" in output
    compared = [line.split() for line in output.splitlines() if " difference " in line]
    assert compared
    for term, _, _, difference in compared:
        tolerance = 0.5 if term in ("dispersion_correction", "total") else 1e-3
        assert abs(float(difference)) < tolerance, term


@pytest.mark.slow
def test_evaluator_data_set(recipe):
    pytest.importorskip("openff.evaluator", reason="OpenFF Evaluator is not installed")
    folder = recipe("08-evaluator-data-set")
    output = run(
        folder, sys.executable, "estimate.py", "--n-molecules", 220, "--equilibration", 0.01,
        "--time", 0.024, "--gas-time", 0.048, "--interval", 0.002, "--port", 8017,
    )  # fmt: skip
    assert "3 of 3 estimated" in output
    with (folder / "estimates.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["property"] for row in rows].count("Density") == 2
    for row in rows:
        if row["property"] == "Density":
            assert 0.3 < float(row["estimated"]) < 1.3


def test_cluster_job_script(recipe):
    pytest.importorskip("openff.evaluator", reason="OpenFF Evaluator is not installed")
    folder = recipe("10-clusters")
    measurements = RECIPES / "08-evaluator-data-set" / "measurements.csv"
    output = run(folder, sys.executable, "slurm.py", measurements, "--queue", "short", "--show")
    assert "#SBATCH --gres=gpu:1" in output
    assert "#SBATCH -p short" in output


@pytest.mark.slow
def test_modal_functions_on_this_machine(recipe):
    pytest.importorskip("openff.evaluator", reason="OpenFF Evaluator is not installed")
    pytest.importorskip("modal")
    folder = recipe("10-clusters")
    output = run(
        folder, sys.executable, "modal_density.py", "O", "--local", "volume", "--n-molecules", 220,
        "--force-field", "bytepol-fixed.offxml", "--time", 0.024, "--interval", 0.002,
    )  # fmt: skip
    assert 0.3 < float(output.split()[0]) < 1.3


def test_one_liquid(recipe):
    folder = recipe("07-one-liquid")
    argon = Path(__file__).parents[1] / "properties" / "argon.offxml"
    output = run(
        folder, sys.executable, "estimate_liquid.py", "[Ar]", "--force-field", argon,
        "--temperature", 87.3, "--n-molecules", 40, "--time", "1.2ps",
    )  # fmt: skip
    assert output.startswith("density")
    assert "enthalpy_of_vaporization" in output
    assert (folder / "liquid" / "report.html").is_file()


@pytest.mark.slow
def test_electrolyte_conductivity(recipe):
    folder = recipe("09-electrolyte-conductivity")
    run(
        folder, sys.executable, "conductivity.py", "--molality", 2.0, "--n-molecules", 90,
        "--time", "20ps", "--force-field", "bytepol-fixed.offxml", "--platform", "CPU",
    )  # fmt: skip
    with (folder / "conductivity.csv").open(newline="") as handle:
        names = [row["property"] for row in csv.DictReader(handle)]
    assert {"density", "conductivity", "transference_numbers[[Li+]]"} <= set(names)


def test_first_campaign_is_valid(recipe):
    for name in ("11-first-campaign", "13-scheduled-campaign"):
        found = json.loads(bytepol_al(recipe(name), "validate", "campaign.yaml", "--json"))
        assert sum(found["pools"].values()) == 20
        assert found["labeller"] == "teacher"


@pytest.mark.slow
def test_first_campaign(recipe):
    pytest.importorskip("tblite")
    folder = recipe("11-first-campaign")
    campaign = folder / "campaign.yaml"
    small = {
        "rounds: 2": "rounds: 1",
        "records: 400": "records: 40",
        "mixtures: 4, copies: 5, steps: 60, per_mixture: 12": "mixtures: 1, copies: 2, steps: 10",
        "epochs: 4": "epochs: 1",
        "steps_per_epoch: 25": "steps_per_epoch: 2",
        "liquids: [O, CCO], copies: 8, steps: 400": "liquids: [O], copies: 2, steps: 20",
    }
    text = campaign.read_text()
    for full, toy in small.items():
        assert full in text
        text = text.replace(full, toy)
    campaign.write_text(text)
    bytepol_al(folder, "run", "campaign.yaml")
    status = json.loads(bytepol_al(folder, "status", "campaign.yaml", "--json"))
    assert status["jobs"]["dimer complete"] >= 1
    assert status["models"][-1]["state"] in ("candidate", "rejected")
    assert (folder / "first" / "report.html").stat().st_size > 10_000
