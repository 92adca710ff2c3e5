"""Three-body energies: the target, its data, and trimers cut from liquids."""

from __future__ import annotations

import math
from dataclasses import replace
from importlib.util import find_spec
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from openff_bytepol.exceptions import ClashError, DataError
from openff_bytepol.models import load_model
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import interaction_components
from openff_bytepol.training.batches import to_device
from openff_bytepol.training.cluster_data import load_clusters
from openff_bytepol.training.config import TargetConfig, load_config
from openff_bytepol.training.data import make_targets
from openff_bytepol.training.datasets.schemas import CLUSTERS
from openff_bytepol.training.labels.clusters import (
    Trimer,
    find_trimers,
    label_trimer,
    make_clusters,
)
from openff_bytepol.training.labels.config import ClusterConfig
from openff_bytepol.training.labels.liquids import closeness
from openff_bytepol.training.labels.make import make_labels
from openff_bytepol.training.labels.provenance import read_provenance
from openff_bytepol.training.labels.schema import read_table, write_table
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.start import initial_model
from openff_bytepol.training.targets.clusters import (
    TRIMERS,
    ClusterTarget,
    cluster_loss,
    collate_clusters,
    predict_three_body,
    three_body_energies,
)
from openff_bytepol.training.three_body import evaluate_three_body
from openff_bytepol.training.trainer import DEFAULT_BATCH, SEED_ORDER
from tests.training.conftest import METHANE, METHANE_XYZ, WATER, WATER_XYZ
from tests.training.test_trainer import trained_weights

CONFIG = TargetConfig()
SHAPES = {WATER: WATER_XYZ, METHANE: METHANE_XYZ}
PLACES = ([0.0, 0.0, 0.0], [0.3, 0.4, 3.0], [3.1, 0.2, 0.5])


def cluster_row(
    *smiles: str, energy: float = -0.4, spread: float = 1.0, order: tuple[int, ...] = (0, 1, 2)
) -> dict:
    """Three molecules in a corner, each at its place, listed in some order."""
    parts = [
        SHAPES[one] + spread * np.array(place) for one, place in zip(smiles, PLACES, strict=True)
    ]
    return {
        "subset": "toy",
        "name": "t",
        "level": "made up",
        "smiles": [smiles[i] for i in order],
        "coordinates": np.concatenate([parts[i] for i in order]).ravel(),
        "total": math.nan,
        "three_body": energy,
    }


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("bytepol")


@pytest.fixture(scope="module")
def library(model: Model) -> MoleculeLibrary:
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    library.add([METHANE, WATER])
    return library


def doubled(model: Model, library: MoleculeLibrary, molecules: tuple[int, ...]) -> ParameterSet:
    predicted = model.predict(library.graphs)
    return ParameterSet.concatenate([predicted[i] for i in molecules])


def test_what_is_not_additive_is_polarization(model: Model, library: MoleculeLibrary) -> None:
    """Of the total, which has all components, and of any cluster."""
    rows = [cluster_row(WATER, WATER, WATER), cluster_row(METHANE, WATER, WATER)]
    batch = collate_clusters(rows, library)
    found = three_body_energies(doubled(model, library, batch.molecules), batch)

    def parts(row: dict, *members: int) -> dict[str, float]:
        sets = model.predict(row["smiles"])
        xyz = torch.tensor(row["coordinates"]).reshape(-1, 3).split([s.n_atoms for s in sets])
        components = interaction_components(
            ParameterSet.concatenate([sets[m] for m in members]),
            torch.cat([xyz[m] for m in members]),
        )
        values = components.as_dict() | {"total": components.total}
        return {name: float(value) for name, value in values.items()}

    for i, row in enumerate(rows):
        whole = parts(row, 0, 1, 2)
        pairs = [parts(row, *members) for members in ((0, 1), (0, 2), (1, 2))]
        beyond = {name: whole[name] - sum(pair[name] for pair in pairs) for name in whole}
        assert abs(beyond["total"]) > 0.01
        assert beyond["total"] == pytest.approx(beyond["pol"], abs=1e-10)
        assert found[i].item() == pytest.approx(beyond["pol"], abs=1e-5), "coordinates are float32"


def test_members_are_predicted_side_by_side(model: Model, library: MoleculeLibrary) -> None:
    rows = [cluster_row(WATER, WATER, WATER), cluster_row(WATER, METHANE, WATER)]
    batch = to_device(collate_clusters(rows, library), "cpu")
    with torch.no_grad():
        predicted = predict_three_body(model, batch)
    assert predicted.shape == (model.n_members, 2)
    members = model.predict_members([library.graphs[m] for m in batch.molecules])
    for m in range(model.n_members):
        together = ParameterSet.concatenate([one.member(m) for one in members])
        expected = three_body_energies(together, batch)
        torch.testing.assert_close(predicted[m].double(), expected, rtol=1e-3, atol=5e-4)


def test_order_of_molecules_does_not_matter(model: Model, library: MoleculeLibrary) -> None:
    orders = permutations(range(3))
    rows = [cluster_row(WATER, METHANE, WATER, order=order) for order in orders]
    batch = collate_clusters(rows, library)
    energies = three_body_energies(doubled(model, library, batch.molecules), batch)
    torch.testing.assert_close(energies, energies[:1].expand(6), rtol=0.0, atol=1e-8)
    losses = cluster_loss(energies[:, None], batch.reference[:1], CONFIG)
    torch.testing.assert_close(losses, losses[:1].expand(6), rtol=0.0, atol=1e-6)


def test_limits(model: Model, library: MoleculeLibrary) -> None:
    batch = collate_clusters([cluster_row(WATER, WATER, WATER)], library)
    parameters = doubled(model, library, batch.molecules)
    energy = three_body_energies(parameters, batch).item()
    rigid = replace(parameters, polarizabilities=parameters.polarizabilities * 1e-6)
    assert abs(three_body_energies(rigid, batch).item()) < 1e-4 * abs(energy)
    far = collate_clusters([cluster_row(WATER, WATER, WATER, spread=10.0)], library)
    assert abs(three_body_energies(parameters, far).item()) < 1e-4 * abs(energy)


def test_gradients_reach_what_decides_polarization(model: Model, library: MoleculeLibrary) -> None:
    batch = collate_clusters([cluster_row(WATER, WATER, WATER)], library)
    parameters = doubled(model, library, batch.molecules)
    decisive = ("charges", "polarizabilities", "dampings")
    free = {
        name: getattr(parameters, name).clone().requires_grad_()
        for name in (*decisive, "epsilons", "ct_epsilons", "c6")
    }
    predicted = three_body_energies(replace(parameters, **free), batch)
    cluster_loss(predicted[None], batch.reference, CONFIG).sum().backward()
    for name, value in free.items():
        assert (value.grad is not None and bool((value.grad != 0).all())) == (name in decisive)

    network = Model(n_members=2, seed=3)
    target = ClusterTarget(split([cluster_row(WATER, WATER, WATER)]), library, CONFIG)
    (loss,) = target.losses(network, target.collate("train", [0], 0)).values()
    loss.sum().backward()
    assert any(p.grad is not None and p.grad.any() for p in network.network.parameters())


def split(rows: list[dict]) -> dict:
    return {"train": rows, "validation": [], "test": []}


def test_loss_against_hand_values(library: MoleculeLibrary) -> None:
    rows = [cluster_row(WATER, WATER, WATER, energy=e) for e in (-2.0, 0.1)]
    batch = collate_clusters(rows, library)
    config = TargetConfig(cluster_energy_scale=0.04, cluster_relative_scale=0.1)
    loss = cluster_loss(torch.tensor([[-1.5, 0.2], [-2.0, 0.1]]), batch.reference, config)
    terms = [0.5 / (0.04 + 0.2), 0.1 / (0.04 + 0.01)]
    expected = sum(math.sqrt(1 + x * x) - 1 for x in terms) / 2
    assert loss.tolist() == pytest.approx([expected, 0.0], rel=1e-5)


def test_what_is_no_known_trimer_is_left_out(library: MoleculeLibrary) -> None:
    known = cluster_row(WATER, METHANE, WATER)
    unknown = known | {"three_body": math.nan}
    foreign = known | {"smiles": [WATER, WATER, "[He:1]"]}
    pair = known | {"smiles": [WATER, WATER]}
    target = ClusterTarget(split([known, unknown, foreign, pair]), library, CONFIG)
    assert [target.size(name) for name in ("train", "validation", "test")] == [1, 0, 0]
    batch = target.collate("train", [0], 0)
    assert target.describe(batch) == "toy t"
    assert batch.graph.n_atoms == 8, "water once"
    assert len(batch.atoms) == 3 * (3 + 5 + 3)


def test_batches_hold_few_kinds_of_trimers(library: MoleculeLibrary) -> None:
    rows = [cluster_row(*[WATER, METHANE][i % 2 :][:1] * 3) for i in range(16)]
    target = ClusterTarget(split(rows), library, CONFIG)
    order = target.order("train", 5)
    assert sorted(order) == list(range(16))
    assert all(len({item % 2 for item in order[i : i + 4]}) == 1 for i in range(0, 16, 4))
    assert target.order("train", 6) != order == target.order("train", 5)


def with_clusters(path: Path, **settings: object) -> None:
    """The toy configuration with one stage of clusters."""
    values = yaml.safe_load(path.read_text())
    stage = {
        "name": "clusters", "weights": {"clusters": 1.0}, "epochs": 2, "steps_per_epoch": 4,
        "batch_sizes": {"clusters": 2}, "learning_rate": 3e-3,
    }  # fmt: skip
    values |= {"stages": [stage], "labels": {"clusters": settings}}
    path.write_text(yaml.safe_dump(values))


def test_from_files_to_training(toy_config: Path, tmp_path: Path) -> None:
    assert "clusters" in DEFAULT_BATCH
    assert SEED_ORDER[-2:] == ("clusters", "start")
    with_clusters(toy_config)
    with pytest.raises(DataError, match=r"no clusters.*--kind clusters"):
        make_targets(load_config(toy_config), Model(seed=1))
    rows = [cluster_row(WATER, WATER, WATER), cluster_row(WATER, METHANE, WATER)]
    write_table(rows, CLUSTERS, tmp_path / "output" / "clusters" / "liquid-0000.parquet")
    write_table(rows[:1], CLUSTERS, tmp_path / "before.parquet")
    with_clusters(toy_config, files=["before.parquet"])
    config = load_config(toy_config)
    assert len(load_clusters(config)["train"]) == 3
    assert make_targets(config, initial_model(config))["clusters"].size("train") == 3

    whole = trained_weights(toy_config, tmp_path / "whole", None)
    assert torch.equal(whole, trained_weights(toy_config, tmp_path / "parts", 3, None))
    with_clusters(toy_config, files=["missing.parquet"])
    with pytest.raises(DataError, match=r"missing\.parquet: no such data file"):
        load_clusters(load_config(toy_config))


def test_clusters_with_a_pair_that_is_held_out_are_held_out(
    toy_config: Path, tmp_path: Path
) -> None:
    rows = [cluster_row(WATER, WATER, WATER), cluster_row(WATER, METHANE, WATER)]
    write_table(rows, CLUSTERS, tmp_path / "output" / "clusters" / "liquid-0000.parquet")
    with_clusters(toy_config)
    changes = {"split": {"pair_fraction": 0.99, "trained": ["[H]O[H]"]}}
    found = load_clusters(load_config(toy_config, changes))
    assert [len(row["smiles"]) for row in found["train"]] == [3]
    assert set(found["train"][0]["smiles"]) == {WATER}
    assert [METHANE in row["smiles"] for row in found["test"]] == [True]


def test_levels_are_corrected(toy_config: Path, tmp_path: Path) -> None:
    row = cluster_row(WATER, WATER, WATER, energy=-1.0)
    write_table([row], CLUSTERS, tmp_path / "output" / "clusters" / "liquid-0000.parquet")
    config = load_config(toy_config, {"level_factors": {"made up": {"three_body": 1.1}}})
    (found,) = load_clusters(config)["train"]
    assert found["three_body"] == pytest.approx(-1.1)


@pytest.mark.parametrize(
    "settings",
    [{"liquid": []}, {"max_atoms": 2}, {"reach": 0.0}, {"liquids": [{"molecules": ["O"]}]}],
)
def test_wrong_settings_are_refused(toy_config: Path, settings: dict) -> None:
    with_clusters(toy_config, **settings)
    with pytest.raises(DataError, match="clusters"):
        load_config(toy_config)


def test_trimers_are_a_molecule_and_two_neighbours_at_its_images() -> None:
    box = np.array([10.0, 12.0, 14.0])
    placed = [np.array([x]) for x in ([0.5, 1, 1], [9.5, 1, 13.0], [2.5, 1, 1], [5.0, 6.0, 7.0])]
    radii = [np.array([1.5])] * 4
    ((members, coordinates),) = find_trimers(placed, box, radii, 1.0).items()
    assert members == (0, 1, 2), "the one in the middle first"
    np.testing.assert_allclose(coordinates[1] - coordinates[0], [[-1.0, 0.0, -2.0]])
    np.testing.assert_allclose(coordinates[2], placed[2])
    moved = [placed[2], placed[0], placed[1], placed[3]]
    ((members, coordinates),) = find_trimers(moved, box, radii, 1.0).items()
    assert members == (1, 0, 2)
    np.testing.assert_allclose(coordinates[2] - coordinates[0], [[-1.0, 0.0, -2.0]])
    moved = [placed[1], placed[0], placed[2]]
    ((members, coordinates),) = find_trimers(moved, box, radii[:3], 1.0).items()
    np.testing.assert_allclose(coordinates[1] - coordinates[0], [[-1.0, 0.0, -2.0]])
    assert not find_trimers(placed, None, radii, 1.0), "in a droplet"
    triangle = [np.array([x]) for x in ([0.0, 0, 0], [2.0, 0, 0], [0, 2.0, 0])]
    assert len(find_trimers(triangle, None, radii[:3], 1.0)) == 1, "the same three once"
    assert closeness(triangle[0], triangle[1], radii[0], radii[1]) == pytest.approx(2 / 3)


def needs_programs() -> None:
    pytest.importorskip("pyscf")
    if find_spec("Auto3D") is None:
        pytest.skip("Auto3D, with the weights of AIMNet2, is not installed")


def test_trimers_are_labelled_as_rigid_conformers() -> None:
    needs_programs()
    settings = ClusterConfig(basis="def2-svp", n_conformers=1)
    places = tuple(WATER_XYZ + np.array(place) for place in PLACES)
    row = label_trimer(Trimer(("O", "O", "O"), places, "1"), settings)
    assert row["subset"] == TRIMERS
    assert row["level"] == "MP2/def2-svp (density fitting, counterpoise)"
    assert row["smiles"] == [WATER] * 3
    assert 0.05 < abs(row["three_body"]) < 3.0
    assert math.isnan(row["total"])
    found = row["coordinates"].reshape(3, 3, 3)
    np.testing.assert_allclose(found.mean(1), [x.mean(0) for x in places], atol=1e-9)
    np.testing.assert_allclose(found, places, atol=0.06)
    shapes = np.linalg.norm(found[:, :, None] - found[:, None], axis=-1)
    np.testing.assert_allclose(shapes, shapes[:1].repeat(3, 0), atol=1e-6)
    close = (places[0], places[1] - [0.3, 0.4, 1.6], places[2])
    with pytest.raises(ClashError, match="less than closest"):
        label_trimer(Trimer(("O", "O", "O"), close, "2"), settings)


@pytest.mark.slow
def test_trimers_of_liquids_are_labelled_once(toy_config: Path, tmp_path: Path) -> None:
    needs_programs()
    pytest.importorskip("openff.toolkit")
    liquid = {
        "molecules": ["O", "CO"], "density": 0.9, "equilibration_steps": 2, "frames": 1,
        "steps_between": 2, "count": 2, "unlike": True,
    }  # fmt: skip
    with_clusters(toy_config, liquids=[liquid], basis="def2-svp", n_conformers=1)
    make_labels(toy_config, kinds=["clusters"])
    (path,) = (tmp_path / "output" / "clusters").glob("*.parquet")
    assert path.name == "liquid-0000.parquet"
    rows = read_table(path, CLUSTERS)
    assert [row["name"].split()[-1] for row in rows] == ["0-1", "0-2"]
    assert np.isfinite([row["three_body"] for row in rows]).all()
    assert read_provenance(path)["level"] == rows[0]["level"]
    for row in rows:
        assert len(set(row["smiles"])) == 2
        assert len(row["coordinates"]) == 3 * sum(smiles.count(":") for smiles in row["smiles"])
    written = path.stat().st_mtime_ns
    assert make_clusters(load_config(toy_config)) == [path]
    assert make_clusters(load_config(toy_config), worker=1, n_workers=2) == []
    assert path.stat().st_mtime_ns == written


def test_errors_against_references(model: Model) -> None:
    rows = [cluster_row(WATER, WATER, WATER), cluster_row(WATER, METHANE, WATER)]
    found = evaluate_three_body(model, rows).predicted
    for row, value in zip(rows, found, strict=True):
        row["three_body"] = value / 0.8
    foreign = rows[0] | {"smiles": [WATER, WATER, "[He:1]"]}
    errors = evaluate_three_body(model, [*rows, foreign, rows[0] | {"three_body": math.nan}])
    assert list(errors.refused) == ["[He:1]"]
    summary = errors.summary()
    assert summary["n"] == 2
    assert summary["slope"] == pytest.approx(0.8)
    assert summary["mean_signed_error"] == pytest.approx(-0.25 * found.mean())
    assert summary["mean_absolute_error"] == pytest.approx(0.25 * np.abs(found).mean())
    assert errors.by(lambda row: row["subset"]) == {"toy": summary}
    none = evaluate_three_body(model, []).summary()
    assert none["n"] == 0
    assert math.isnan(none["slope"])
