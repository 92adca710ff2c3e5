"""What a run leaves behind: metrics, event files, the HTML report, and checks through OpenMM."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from openff_bytepol.exceptions import DataError
from openff_bytepol.nn.model import Model
from openff_bytepol.training import report, train
from openff_bytepol.training.batches import to_device
from openff_bytepol.training.config import EvaluationConfig, LabelConfig, TrainingConfig
from openff_bytepol.training.evaluate import evaluate_dimers, torsion_profiles
from openff_bytepol.training.groups import functional_groups
from openff_bytepol.training.labels.config import ResponseConfig
from openff_bytepol.training.metrics import MetricsLog, read_metrics
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.moments import MolecularResponse
from openff_bytepol.training.openmm_check import check_dimers, check_torsions, openmm_energies
from openff_bytepol.training.references import TorsionScan
from openff_bytepol.training.targets.clusters import ClusterTarget
from openff_bytepol.training.targets.dimers import collate_dimers
from tests.training.conftest import METHANE, METHANE_XYZ, WATER, WATER_XYZ, dimer_row
from tests.training.test_clusters import cluster_row


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(n_members=2, seed=3)


def test_report_of_a_run_is_one_file(toy_config: Path) -> None:
    folder = train(toy_config).parent / "run"
    page = (folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == page.count("<h2>") >= 1
    assert "<h2>Losses</h2>" in page
    assert page.rstrip().endswith("</html>")


def test_benchmark_molecules_trained_on_are_not_reported(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    axes = {0: 10.0, 1: 10.0, 2: 10.0}
    held = [
        MolecularResponse("water", WATER, WATER_XYZ, {2: 0.7}, axes),
        MolecularResponse("methane", METHANE, METHANE_XYZ, {2: 0.0}, axes),
    ]
    archive = tmp_path / "held.tar.gz"
    archive.touch()
    monkeypatch.setattr(report, "read_responses", lambda path: held)

    def no_trimers(path: Path) -> None:
        raise DataError("no 3B-69 inside")

    monkeypatch.setattr(report, "read_trimers", no_trimers)

    def counts(settings: ResponseConfig | None) -> tuple[int, int]:
        config = TrainingConfig(
            name="x", reference_data="x", output=str(tmp_path), stages=(),
            labels=LabelConfig(responses=settings),
            evaluation=EvaluationConfig(torsions=str(tmp_path / "none"), gscdb=str(archive)),
        )  # fmt: skip
        text = report.write_report(model, {}, config, tmp_path)
        found = json.loads((tmp_path / "report.json").read_text())["response"]
        assert f"(Dip146, {found['dipole_n']} molecules)" in text
        return found["dipole_n"], found["polarizability_n"]

    assert counts(None) == counts(ResponseConfig()) == (2, 2)
    assert counts(ResponseConfig(benchmark=("[H]O[H]",))) == (1, 1)


def test_three_body_energies_are_reported(
    model: Model, tmp_path: Path, reference_data: Path
) -> None:
    archive = reference_data / "data/monomers/gscdb138_subset.tar.gz"
    config = TrainingConfig(
        name="x", reference_data="x", output=str(tmp_path), stages=(),
        evaluation=EvaluationConfig(torsions=str(tmp_path / "none"), gscdb=str(archive)),
    )  # fmt: skip
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    library.add([WATER, METHANE])
    held = [cluster_row(WATER, METHANE, WATER)]
    target = ClusterTarget({"train": [], "validation": [], "test": held}, library, config.targets)
    MetricsLog(tmp_path).write({"stage": "a", "epoch": 1, "validation/clusters/three-body": 0.25})
    text = report.write_report(model, {"clusters": target}, config, tmp_path)
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["three_body"]["n"] == 69
    assert found["clusters"]["n"] == 1
    assert found["clusters_validation_loss"] == 0.25
    slope = found["three_body"]["slope"]
    assert "Three-body energies (3B-69, 69 trimers): mean absolute error" in text
    assert f"slope {slope:.2f}" in text
    assert "Three-body energies (held-out clusters, 1 trimers)" in text
    assert "clusters 0 / 0 / 1" in text
    assert text.index("Dip146") < text.index("3B-69")
    assert "3B-69" in (tmp_path / "report.html").read_text()


def test_metrics_are_kept_and_shown(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path)
    log.write({"stage": "a", "epoch": 1, "loss": 2.0})
    MetricsLog(tmp_path).write({"stage": "a", "epoch": 2, "loss": 1.0})
    assert [record["loss"] for record in read_metrics(tmp_path)] == [2.0, 1.0]
    pytest.importorskip("tensorboardX")
    shown = MetricsLog(tmp_path, tensorboard=True)
    shown.write({"stage": "b", "epoch": 1, "loss": 0.5})
    shown.close()
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"loss" in events.read_bytes()


def test_openmm_gives_the_same_interaction_energies(model: Model) -> None:
    errors = evaluate_dimers(model, [dimer_row(3.0), dimer_row(4.0)])
    assert 0.0 < check_dimers(errors.rows, errors.parameters, 8) < 1e-4
    assert check_dimers(errors.rows, errors.parameters, 0) == 0.0


def test_openmm_gives_the_same_energies_along_a_torsion(model: Model) -> None:
    geometries = np.stack([METHANE_XYZ, 1.02 * METHANE_XYZ])
    energies = {"reference": np.array([0.0, 1.0])}
    scan = TorsionScan(METHANE, 0, np.array([0.0, 10.0]), geometries, energies)
    parameters = {METHANE: model.predict([METHANE])[0]}
    assert check_torsions([scan], parameters, 1) < 1e-4
    (profile,) = torsion_profiles(model, [scan])
    found = openmm_energies([parameters[METHANE]], geometries)
    assert profile.predicted == pytest.approx(found, abs=1e-4)
    assert profile.rmse == pytest.approx(np.std(found - energies["reference"]), abs=1e-4)


def test_errors_have_three_statistics(model: Model) -> None:
    errors = evaluate_dimers(model, [dimer_row(3.0), dimer_row(4.0), dimer_row(5.0)])
    residuals = errors.predicted["disp"] - errors.reference["disp"]
    assert errors.mean_signed()["disp"] == pytest.approx(residuals.mean())
    assert errors.root_mean_square()["disp"] == pytest.approx(np.sqrt((residuals**2).mean()))
    by_level = errors.by(lambda row: row["level"], errors.mean_signed)
    assert by_level["made up"] == errors.mean_signed() | {"n": 3}


@pytest.mark.parametrize(
    ("smiles", "names"),
    [
        (WATER, ("water",)),
        (METHANE, ("other",)),
        ("CC(=O)OC", ("ester",)),
        ("CC(=O)[O-]", ("carboxylic acid", "ion")),
        ("Oc1ccncc1", ("phenol", "pyridine ring")),
    ],
)
def test_functional_groups(smiles: str, names: tuple[str, ...]) -> None:
    assert set(names) <= set(functional_groups(smiles))


def test_whole_batches_move(model: Model) -> None:
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    library.add([WATER, METHANE])
    moved = to_device(collate_dimers([dimer_row(3.0)], library), "meta")
    tensors = [moved.atoms, moved.coordinates, moved.weights, moved.graph.bonds]
    tensors += [moved.pairs.first, *moved.reference.values()]
    assert all(t.device == torch.device("meta") for t in tensors)
    assert moved.names == ("toy d",)
