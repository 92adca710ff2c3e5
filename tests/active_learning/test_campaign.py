"""Whole campaigns with the teacher, killed and resumed."""

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
import yaml
from typer.testing import CliRunner

from active_learning.campaign import (
    STAGES,
    campaign_folder,
    cancel_campaign,
    open_campaign,
    promote_model,
    run_campaign,
)
from active_learning.candidates.geometries import KnownGeometries, geometry_vector
from active_learning.candidates.pools import build_pool, fragments, stereoisomers
from active_learning.cli import app
from active_learning.config import CampaignConfig, load_campaign
from active_learning.context import Context
from active_learning.modal_app import copy_new, run_step
from active_learning.report import write_report
from openff_bytepol.exceptions import BytePolError, CampaignError, DataError
from openff_bytepol.models import load_model, save_model
from openff_bytepol.models.storage import read_model
from openff_bytepol.smirnoff import write_offxml

runner = CliRunner()


def write(folder: Path, **changes) -> Path:
    content = {
        "name": "toy",
        "rounds": 1,
        "candidates": {
            "pools": [{"path": "pool.smi", "max_heavy_atoms": 4}],
            "geometries": {"conformers": 1, "distortions": [0.03, 0.05], "torsion_spacing": 120},
        },
        "acquisition": {"shares": {"monomer": 0.6, "torsion": 0.4}},
        "budget": {"records": 15, "core_hours": 1.0},
        "training": {
            "stages": [
                {
                    "name": "joint", "weights": {"monomers": 1.0}, "batch_sizes": {"monomers": 2},
                    "epochs": 1, "steps_per_epoch": 1, "learning_rate": 1e-5,
                }
            ]
        },
        "gates": {"stability": None, "holdout_fraction": 0.3},
    } | changes  # fmt: skip
    path = folder / "campaign.yaml"
    path.write_text(yaml.safe_dump(content))
    (folder / "pool.smi").write_text("O\nCO\nCCO\nCC#N\nCN\nCCN\n")
    return path


def test_configuration_is_checked(tmp_path):
    path = write(tmp_path)
    config = load_campaign(path)
    assert config.sha256 == load_campaign(write(tmp_path, rounds=5)).sha256
    assert config.sha256 != load_campaign(write(tmp_path, seed=5)).sha256
    for wrong in ({"unknown": 1}, {"acquisition": {"shares": {"dimer": 2}}}, {"name": "../up"}):
        with pytest.raises(DataError):
            load_campaign(write(tmp_path, **wrong))
    with pytest.raises(DataError, match="bytepol-al init"):
        load_campaign(tmp_path / "absent.yaml")
    with pytest.raises(DataError, match="no such file"):
        load_campaign(write(tmp_path)).files("absent-*.smi")


@pytest.mark.parametrize("constraints", [True, False])
def test_force_fields_constrain_bonds_as_those_of_the_start_do(tmp_path, constraints):
    start = save_model(load_model(), tmp_path / "start", name="start")
    write_offxml(start, start / "forcefield.offxml", constraints=constraints)
    config = load_campaign(write(tmp_path, model="start"))
    context = Context(config, tmp_path, None, print, config.labels.levels)
    assert context.constraints == constraints


def test_command_line(tmp_path):
    found = runner.invoke(app, ["init", str(tmp_path / "first")])
    assert found.exit_code == 0
    campaign = tmp_path / "first" / "campaign.yaml"
    assert load_campaign(campaign).name == "first"
    assert runner.invoke(app, ["init", str(tmp_path / "first")]).exit_code == 1
    schema = json.loads(runner.invoke(app, ["schema"]).stdout)
    assert schema["additionalProperties"] is False
    found = runner.invoke(app, ["validate", str(campaign), "--json"])
    assert found.exit_code == 0
    assert next(iter(json.loads(found.stdout)["pools"].values())) == 8
    assert runner.invoke(app, ["status", str(campaign)]).exit_code == 1
    assert runner.invoke(app, ["resume", str(campaign)]).exit_code == 1


def test_validate_names_what_is_wrong(tmp_path):
    for changes, message in (
        ({"labels": {"labeller": "nothing"}}, "labeller"),
        ({"labels": {"settings": {"unknown": 1}}}, "settings"),
        ({"gates": {"dimers": {"x": "absent.parquet"}}}, "absent.parquet"),
        ({"model": "absent"}, "absent"),
    ):
        found = runner.invoke(app, ["validate", str(write(tmp_path, **changes))])
        assert found.exit_code == 1
        assert message in found.stderr


def test_pools(tmp_path):
    (tmp_path / "pool.smi").write_text("OCC\nCCO\nCC(F)Cl\nNCC(=O)O\nC[Si](C)C\nnot a molecule\n")
    (tmp_path / "assess.smi").write_text("C(C)O\n")
    pool = {"path": "pool.smi", "stereoisomers": 4, "protonation": True}
    config = CampaignConfig.model_validate(
        {
            "name": "x", "candidates": {"pools": [pool], "exclude": ["assess.smi"]},
            "budget": {"records": 1, "core_hours": 1},
        }
    )  # fmt: skip
    config._folder = tmp_path
    found = build_pool(config, lambda smiles: "Cl" not in smiles or "@" in smiles)
    smiles = {m.smiles for m in found.molecules}
    assert "CCO" not in smiles
    assert {"C[C@H](F)Cl", "C[C@@H](F)Cl", "NCC(=O)O", "NCC(=O)[O-]", "[NH3+]CC(=O)O"} <= smiles
    assert found.dropped["kept for assessment"] == 2


def test_fragments_and_stereoisomers():
    assert "c1ccccc1" in fragments("c1ccccc1CCC(=O)NCCOC")
    assert fragments("C") == []
    assert stereoisomers("CC(F)Cl", 1) == ["CC(F)Cl"]
    assert len(stereoisomers("CC(F)C(F)Cl", 3)) == 3


def test_equal_geometries_are_found():
    generator = np.random.default_rng(0)
    xyz = generator.normal(size=(5, 3)) * 2
    numbers = [8, 1, 1, 6, 6]
    rotation = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    order = [0, 2, 1, 4, 3]
    known = KnownGeometries()
    assert known.add(["O", "CC"], geometry_vector(numbers, xyz))
    moved = (xyz @ rotation + 3.0)[order]
    assert not known.add(["CC", "O"], geometry_vector(numbers, moved))
    assert known.add(["CC"], geometry_vector(numbers, moved))
    xyz[0] += 1.0
    assert known.add(["O", "CC"], geometry_vector(numbers, xyz))


def test_volumes_keep_their_state(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    for folder, text in ((source, "new"), (target, "old")):
        (folder / "toy").mkdir(parents=True)
        (folder / "toy" / "state.sqlite").write_text(text)
    (source / "campaign.yaml").write_text("x")
    assert copy_new(source, target) == [target / "campaign.yaml"]
    assert (target / "toy" / "state.sqlite").read_text() == "old"


@pytest.mark.slow
def test_campaign_to_promotion(tmp_path):
    config = load_campaign(write(tmp_path))
    pytest.importorskip("tblite")
    outcome = run_campaign(config, say=lambda _: None)
    assert outcome.state == "finished"
    with open_campaign(config) as state:
        finished = [s["name"] for s in state.stages() if s["finished"]]
        assert finished == ["pool", *STAGES]
        jobs, results = state.jobs(), state.results()
        assert len(results) == len(jobs) >= 4
        assert sum(len(s.job.coordinates) if s.job.kind == "monomer" else 3 for s in jobs) <= 15
        start, trained = state.models()
        assert trained.parent == start.sha256
        assert set(trained.lineage["records"]) == {s.job.id for s in jobs}
        assert trained.lineage["labels_sha256"]
    again = run_campaign(config, say=pytest.fail)
    assert again == outcome
    target = promote_model(config, trained.sha256[:10], force=True, say=lambda _: None)
    assert read_model(target).sha256 == trained.sha256
    assert (target / "forcefield.offxml").is_file()
    before = (target / "weights.safetensors").stat().st_mtime_ns
    promote_model(config, trained.sha256[:10], force=True, say=lambda _: None)
    assert (target / "weights.safetensors").stat().st_mtime_ns == before
    page, data = write_report(config)
    text = page.read_text()
    assert text.count("<svg") >= 5
    links = [word for word in text.split() if word.startswith(("src=", 'href="http'))]
    assert not [link for link in links if "w3.org" not in link]
    assert not {"<script", "<link", "<img"} & set(text.split())
    content = json.loads(data.read_text())
    assert len(content["chosen"]) == len(jobs)
    assert content["diversity"]["chosen"]["vendi"] >= 1.0
    found = runner.invoke(app, ["status", str(tmp_path / "campaign.yaml"), "--json"])
    assert json.loads(found.stdout)["running"] is None


@pytest.mark.slow
def test_killed_anywhere_and_resumed(tmp_path):
    pytest.importorskip("tblite")
    path = write(tmp_path)
    config = load_campaign(path)
    folder = campaign_folder(config)
    command = [sys.executable, "-c", "from active_learning.cli import app; app()", "run", str(path)]
    for stage in ("choose", "label", "train"):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and process.poll() is None:
            if (folder / "state.sqlite").exists():
                try:
                    with open_campaign(config) as state:
                        started = {s["name"] for s in state.stages()}
                except BytePolError:
                    started = set()
                if stage in started:
                    break
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert run_campaign(config, say=lambda _: None).state == "finished"
    with open_campaign(config) as state:
        ids = [s.job.id for s in state.jobs()]
        assert len(ids) == len(set(ids)) == len(state.results())
        files = list((folder / "labeller" / "jobs").glob("*.json"))
        assert {f.stem for f in files} == set(ids)
        assert len(state.models()) == 2


@pytest.mark.slow
def test_steps_of_a_schedule_and_cancel(tmp_path):
    pytest.importorskip("tblite")
    path = write(tmp_path)
    assert run_step(path, "propose") == "stopped"
    config = load_campaign(path)
    with open_campaign(config) as state:
        assert len(state.models()) == 1
    assert cancel_campaign(config) == 0
    assert run_step(path, "train") == "finished"
    with pytest.raises(CampaignError, match="models fit"):
        promote_model(config, "f" * 64)
