"""Parameters of one molecule fitted to its dimers, and the target that teaches them."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
import yaml

from openff_bytepol.exceptions import (
    DataError,
    MissingDependencyError,
    ModelNotFoundError,
    NonFiniteLossError,
    PolarizationCatastropheError,
)
from openff_bytepol.models import load_model
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ATOM_PARAMETERS, ParameterSet
from openff_bytepol.potentials import (
    dipole_moments,
    interaction_components,
    molecular_polarizabilities,
)
from openff_bytepol.training.batches import to_device
from openff_bytepol.training.config import LabelConfig, TargetConfig, TrainingConfig, load_config
from openff_bytepol.training.data import load_anchors, make_targets
from openff_bytepol.training.labels import aimnet2, priors
from openff_bytepol.training.labels.anchor_fit import FreeParameters, fit
from openff_bytepol.training.labels.anchor_loss import LOG_C6_SCALE, AnchorLoss, c6_loss
from openff_bytepol.training.labels.anchors import choose_dimers, fit_anchor, reference_c6
from openff_bytepol.training.labels.config import AnchorConfig
from openff_bytepol.training.labels.contacts import place
from openff_bytepol.training.labels.make import make_labels
from openff_bytepol.training.labels.provenance import read_provenance
from openff_bytepol.training.labels.schema import read_table
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.start import initial_model
from openff_bytepol.training.targets.anchors import ANCHORS, AnchorTarget, anchor_losses
from openff_bytepol.training.targets.clusters import collate_clusters, three_body_energies
from openff_bytepol.training.targets.dimers import (
    CONTACTS,
    collate_dimers,
    dimer_energies,
    dimer_losses,
)
from openff_bytepol.training.trainer import DEFAULT_BATCH, SEED_ORDER, Trainer
from tests.training.conftest import METHANE, METHANE_XYZ, WATER, WATER_XYZ, dimer_row
from tests.training.test_clusters import cluster_row
from tests.training.test_trainer import weights

OTHER_ORDER = "[H:1][O:2][H:3]"
SHAPES = {
    WATER: (WATER_XYZ, [1.5, 1.1, 1.1]),
    OTHER_ORDER: (WATER_XYZ[[1, 0, 2]], [1.1, 1.5, 1.1]),
    METHANE: (METHANE_XYZ, [1.7, 1.1, 1.1, 1.1, 1.1]),
}
SCALES = TargetConfig(dimer_energy_scale=0.05, dimer_relative_scale=0.04, wall_energy=20.0)


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("bytepol")


@pytest.fixture(scope="module")
def library(model: Model) -> MoleculeLibrary:
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    library.add([WATER, OTHER_ORDER, METHANE])
    return library


@pytest.fixture(scope="module")
def start(model: Model) -> ParameterSet:
    return model.predict([WATER])[0]


def water(start: ParameterSet) -> FreeParameters:
    return FreeParameters(start, torch.tensor([0, 1, 1]))


@pytest.fixture(scope="module")
def known(start: ParameterSet) -> dict[str, torch.Tensor]:
    """Parameters of water that are to be found."""
    free = water(start)
    with torch.no_grad():
        free.variables["charges"] += torch.tensor([-0.2, 0.2])
        free.variables["volumes"] += 0.4
        free.variables["epsilons"][0] += 0.3
    return {name: value.detach() for name, value in free.values().items()}


def set_of(mapped: str, model: Model, known: dict[str, torch.Tensor]) -> ParameterSet:
    (found,) = model.predict([mapped])
    if mapped == METHANE:
        return found
    order = [1, 0, 2] if mapped == OTHER_ORDER else [0, 1, 2]
    return replace(found, **{name: value[order] for name, value in known.items()})


@pytest.fixture(scope="module")
def dimers(model: Model, known: dict[str, torch.Tensor]) -> list[dict]:
    """Random contacts with the energies of the known parameters."""
    generator = np.random.default_rng(5)
    rows = []
    for number in range(32):
        a, b = ((WATER, WATER), (WATER, METHANE), (OTHER_ORDER, WATER), (METHANE, WATER))[
            number % 4
        ]
        sums = np.add.outer(SHAPES[a][1], SHAPES[b][1])
        xyz = place(SHAPES[a][0], SHAPES[b][0], sums, generator.uniform(0.8, 1.2), generator)
        both = ParameterSet.concatenate([set_of(one, model, known) for one in (a, b)])
        energies = interaction_components(both, torch.from_numpy(xyz))
        contact = number >= 16
        rows.append(
            {
                "subset": CONTACTS if contact else "toy", "name": str(number), "level": "made up",
                "smiles_a": a, "smiles_b": b, "coordinates": xyz.ravel(),
                "elst": float(energies.elec), "exch": float(energies.pauli),
                "ind": math.nan if contact else float(energies.pol + energies.ct),
                "disp": math.nan if contact else float(energies.disp),
                "total": float(energies.total), "weight": 1.0,
            }
        )  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def response(model: Model, known: dict[str, torch.Tensor]) -> dict:
    parameters = set_of(WATER, model, known)
    xyz = torch.from_numpy(WATER_XYZ - WATER_XYZ.mean(0))
    return {
        "subset": "toy", "name": "O", "level": "made up", "mapped_smiles": WATER,
        "coordinates": xyz.numpy().ravel(),
        "dipole": dipole_moments(parameters, xyz).numpy().ravel(),
        "polarizability": molecular_polarizabilities(parameters, xyz).numpy().ravel(),
    }  # fmt: skip


def run_config(c6_weight: float = 0.0, **settings: object) -> TrainingConfig:
    anchors = AnchorConfig(molecules=("O",), c6_weight=c6_weight, **settings)
    return TrainingConfig(
        name="x", reference_data="x", output="x", stages=(), targets=SCALES,
        labels=LabelConfig(anchors=anchors),
    )  # fmt: skip


def molecular_c6(c6: object) -> float:
    return float(np.sqrt(np.asarray(c6)).sum() ** 2)


def test_fit_finds_known_parameters(
    model: Model,
    start: ParameterSet,
    known: dict[str, torch.Tensor],
    dimers: list[dict],
    response: dict,
) -> None:
    row = fit_anchor(WATER, dimers, [response, response], model, run_config(steps=80))
    assert row["n_dimers"] == 32
    assert row["loss_after"] < 0.1 * row["loss_before"]
    assert row["charges"].sum() == pytest.approx(0.0, abs=1e-14)
    for name in ATOM_PARAMETERS:
        assert row[name][1] == row[name][2], "equivalent atoms stay equal"
        assert (row[name] > 0.0).all() or name == "charges"
    for name in ("charges", "c6", "polarizabilities"):
        before = abs(getattr(start, name)[0] - known[name][0]).item()
        assert abs(row[name][0] - known[name][0].item()) < 0.3 * before, name
    ratio = {name: row[name] / getattr(start, name).numpy() for name in ATOM_PARAMETERS}
    np.testing.assert_allclose(ratio["radii"], ratio["c6"] ** (2 / 21))
    np.testing.assert_allclose(ratio["dampings"], ratio["polarizabilities"])


def test_polarizabilities_follow_volumes_unless_they_are_their_own(start: ParameterSet) -> None:
    def loss(values: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return (values["c6"].log() - start.c6.log() - 0.3).square().sum()

    found = fit(water(start), loss, steps=40).values
    ratio = {name: found[name] / getattr(start, name) for name in ("c6", "polarizabilities")}
    assert float(ratio["c6"][0]) > 1.2
    torch.testing.assert_close(ratio["polarizabilities"], ratio["c6"] ** (2 / 3))


def test_known_parameters_cost_nothing_and_atoms_may_be_in_any_order(
    model: Model,
    library: MoleculeLibrary,
    start: ParameterSet,
    known: dict[str, torch.Tensor],
    dimers: list[dict],
    response: dict,
) -> None:
    predicted = model.predict(library.graphs)
    loss = AnchorLoss(
        WATER, dimers, [response], library=library, predicted=predicted, config=SCALES
    )
    assert float(loss(known)) == pytest.approx(0.0, abs=1e-4)

    def mean(rows: list[dict]) -> float:
        """Loss of the model's own parameters by the target's functions."""
        batch = collate_dimers(rows, library)
        together = ParameterSet.concatenate([predicted[i] for i in batch.molecules]).to(
            dtype=torch.float32
        )
        energies = dimer_energies(together, batch)
        lead = type(energies)(**{name: value[None] for name, value in energies.as_dict().items()})
        return sum(float(part) for part in dimer_losses(lead, batch, SCALES).values())

    contacts, others = dimers[16:], dimers[:16]
    own = {name: getattr(start, name) for name in ATOM_PARAMETERS}
    for chosen, expected in (
        (dimers, 0.5 * (mean(contacts) + mean(others))),
        (contacts, mean(contacts)),
    ):
        bare = AnchorLoss(WATER, chosen, [], library=library, predicted=predicted, config=SCALES)
        assert float(bare(own)) == pytest.approx(expected, rel=1e-5)


def test_gradients_are_finite_with_unknown_references(
    model: Model,
    library: MoleculeLibrary,
    start: ParameterSet,
    dimers: list[dict],
    response: dict,
) -> None:
    unknown = dict.fromkeys(("elst", "exch", "ind", "disp"), math.nan)
    rows = [dimers[0], dimers[1] | unknown, dimers[16] | {"total": math.nan}]
    blank = response | {"dipole": np.full(3, math.nan), "polarizability": np.full(9, math.nan)}
    loss = AnchorLoss(
        WATER, rows, [response, blank], library=library, predicted=model.predict(library.graphs),
        config=SCALES.model_copy(update={"dimer_mean_weight": 1.0, "charge_limits": {1: 0.2}}),
    )  # fmt: skip
    free = water(start)
    found = loss(free.values())
    found.backward()
    assert torch.isfinite(found)
    assert all(torch.isfinite(one.grad).all() for one in free.variables.values())


@pytest.mark.parametrize("error", [PolarizationCatastropheError("x"), torch.linalg.LinAlgError()])
def test_fit_ends_with_the_best_where_dipoles_diverge(
    start: ParameterSet, error: Exception
) -> None:
    calls = []

    def loss(values: dict[str, torch.Tensor]) -> torch.Tensor:
        calls.append(float(values["charges"][0].detach()))
        if len(calls) > 4:
            raise error
        return (values["charges"][0] + 0.8).abs()

    found = fit(water(start), loss, steps=50)
    assert len(calls) == 5
    assert found.values["charges"][0].item() == min(calls[:4], key=lambda q: abs(q + 0.8))
    assert found.after < found.before
    with pytest.raises(type(error)):
        fit(water(start), loss, steps=50)
    with pytest.raises(NonFiniteLossError, match="NaN"):
        fit(water(start), lambda v: math.nan * v["c6"][0], steps=1)


def test_held_values_stay(start: ParameterSet) -> None:
    free = FreeParameters(start, torch.tensor([0, 1, 1]), {"epsilons": {1: 0.125}})

    def loss(values: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return (values["epsilons"].log() ** 2).sum() + (values["lambdas"] - 9.0).square().sum()

    found = fit(free, loss, steps=50).values
    assert found["epsilons"][1:].tolist() == [0.125, 0.125]
    assert found["epsilons"][0].item() == pytest.approx(1.0, abs=0.05)
    assert found["lambdas"].tolist() == pytest.approx([9.0] * 3, abs=0.05)


def test_own_polarizabilities_leave_c6_alone(start: ParameterSet) -> None:
    classes = torch.tensor([0, 1, 1])

    wanted = 1.8 * start.polarizabilities[1]

    def loss(values: Mapping[str, torch.Tensor]) -> torch.Tensor:
        polarizability = (values["polarizabilities"][1] / wanted).log()
        return polarizability.square() + (values["c6"] / start.c6).log().square().sum()

    found = fit(FreeParameters(start, classes, own_polarizability=True), loss, steps=60).values
    assert found["polarizabilities"][1:].tolist() == pytest.approx([float(wanted)] * 2, rel=0.03)
    assert found["dampings"].tolist() == found["polarizabilities"].tolist()
    assert found["c6"].tolist() == pytest.approx(start.c6.tolist(), rel=0.02)
    tied = fit(FreeParameters(start, classes), loss, steps=60)
    assert tied.after > 0.05


def test_trimers_decide_where_polarizability_lies(
    model: Model, library: MoleculeLibrary, start: ParameterSet, dimers: list[dict]
) -> None:
    known = {name: getattr(start, name) for name in ATOM_PARAMETERS}
    moved = known | {
        name: known[name] * torch.tensor([0.8, 1.8, 1.8])
        for name in ("polarizabilities", "dampings")
    }
    rows = [
        cluster_row(WATER, WATER, WATER),
        cluster_row(WATER, METHANE, WATER, order=(1, 0, 2)),
        cluster_row(WATER, WATER, WATER, spread=0.95),
    ]
    for row in rows:
        batch = collate_clusters([row], library)
        parts = [set_of(tuple(SHAPES)[i], model, moved) for i in batch.molecules]
        energies = three_body_energies(ParameterSet.concatenate(parts), batch)
        row["three_body"] = float(energies)
    loss = AnchorLoss(
        WATER, dimers[:1], [], rows, library=library, predicted=model.predict(library.graphs),
        config=SCALES.model_copy(update={"cluster_energy_scale": 0.002}),
    )  # fmt: skip
    without = AnchorLoss(
        WATER, dimers[:1], [], library=library, predicted=model.predict(library.graphs),
        config=SCALES,
    )  # fmt: skip
    assert float(loss(moved) - without(moved)) == pytest.approx(0.0, abs=1e-3)
    assert float(loss(known) - without(known)) > 0.1


def test_c6_against_hand_values_and_finite_differences(
    model: Model, library: MoleculeLibrary, start: ParameterSet, dimers: list[dict]
) -> None:
    c6 = torch.tensor([400.0, 9.0, 16.0], dtype=torch.float64, requires_grad=True)
    assert molecular_c6([400.0, 9.0, 16.0]) == pytest.approx(729.0)
    assert c6_loss(c6, 729.0).item() == pytest.approx(0.0, abs=1e-12)
    error = math.log(729.0 / 600.0) / LOG_C6_SCALE
    assert c6_loss(c6, 600.0).item() == pytest.approx(math.sqrt(1.0 + error**2) - 1.0)
    assert torch.autograd.gradcheck(lambda x: c6_loss(x, 600.0), (c6,))

    parts = {"library": library, "predicted": model.predict(library.graphs), "config": SCALES}
    bare = AnchorLoss(WATER, dimers, [], **parts)
    held = AnchorLoss(WATER, dimers, [], c6=500.0, c6_weight=3.0, **parts)
    free = water(start)

    def term() -> torch.Tensor:
        return held(free.values()) - bare(free.values())

    expected = 3.0 * c6_loss(start.c6, 500.0).item()
    assert expected > 1.0
    assert term().item() == pytest.approx(expected, rel=1e-4)
    volumes = free.variables["volumes"]
    (gradient,) = torch.autograd.grad(term(), volumes)
    for atom in range(2):
        values = []
        for step in (0.02, -0.02):
            with torch.no_grad():
                volumes[atom] += step
                values.append(term().item())
                volumes[atom] -= step
        slope = (values[0] - values[1]) / 0.04
        assert gradient[atom].item() == pytest.approx(slope, rel=0.01)


def test_fit_reaches_the_c6_of_dftd4(
    model: Model,
    known: dict[str, torch.Tensor],
    dimers: list[dict],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("dftd4")
    monkeypatch.setattr(aimnet2, "relax", lambda coordinates, *_: coordinates)
    expected = reference_c6(WATER, 1)
    assert expected == pytest.approx(612.5, abs=2.0)
    few = dimers[::8]
    dispersion = molecular_c6(known["c6"])
    assert abs(dispersion / expected - 1.0) > 0.1, "dimers ask for another one"

    def fitted(weight: float) -> float:
        return molecular_c6(fit_anchor(WATER, few, [], model, run_config(weight, steps=60))["c6"])

    assert fitted(200.0) == pytest.approx(expected, rel=0.02)
    assert abs(fitted(0.0) / expected - 1.0) > 0.05


def test_without_a_weight_no_c6_is_looked_up(
    model: Model, dimers: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(*_: object) -> float:
        raise AssertionError

    monkeypatch.setattr("openff_bytepol.training.labels.anchors.reference_c6", look_up)
    row = fit_anchor(WATER, dimers[:4], [], model, run_config(0.0, steps=2))
    assert row["n_dimers"] == 4
    with pytest.raises(AssertionError):
        fit_anchor(WATER, dimers[:4], [], model, run_config(5.0, steps=2))


@pytest.mark.skipif(find_spec("Auto3D") is None, reason="AIMNet2 weights are not installed")
def test_c6_of_a_relaxed_conformer() -> None:
    pytest.importorskip("dftd4")
    found = reference_c6(WATER, 1)
    assert found == pytest.approx(624.0, rel=0.03), "45.3 a.u. from dipole oscillator strengths"
    assert reference_c6(OTHER_ORDER, 2) == pytest.approx(found, rel=2e-3)
    assert reference_c6("[Cl-:1]", 1) > 0.0


def test_cations_of_alkali_metals_have_no_c6(caplog: pytest.LogCaptureFixture) -> None:
    assert reference_c6("[Na+:1]", 1) is None
    assert "its C6 is not held" in caplog.text


def test_dftd4_is_named_where_it_is_missing(
    model: Model, dimers: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aimnet2, "relax", lambda coordinates, *_: coordinates)
    monkeypatch.setitem(sys.modules, "dftd4.interface", None)
    numbers = np.array([8, 1, 1])
    for function in (priors.dispersion_priors, priors.molecular_c6):
        with pytest.raises(MissingDependencyError, match="pip install dftd4"):
            function(numbers, WATER_XYZ, 0)
    with pytest.raises(MissingDependencyError, match="pip install dftd4"):
        fit_anchor(WATER, dimers[:4], [], model, run_config(5.0, steps=2))


def test_says_when_nothing_holds_the_dipole(
    model: Model, dimers: list[dict], response: dict, caplog: pytest.LogCaptureFixture
) -> None:
    fit_anchor(WATER, dimers[:4], [response], model, run_config(steps=1))
    assert "dipole" not in caplog.text
    foreign = response | {"mapped_smiles": METHANE}
    fit_anchor(WATER, dimers[:4], [foreign], model, run_config(steps=1))
    assert "O: nothing holds its dipole moment and polarizability" in caplog.text


def test_charge_of_a_lone_ion_stays(model: Model) -> None:
    (sodium,) = model.predict(["[Na+]"])
    free = FreeParameters(sodium, torch.tensor([0]))
    found = fit(free, lambda v: v["charges"].sum() + v["epsilons"][0], steps=3)
    assert found.values["charges"].tolist() == sodium.charges.tolist() == [1.0]
    assert found.values["epsilons"] < sodium.epsilons


def test_all_contacts_and_an_even_choice_of_other_dimers(model: Model) -> None:
    others = [dimer_row(3.0 + 0.01 * i, str(i)) for i in range(40)]
    contacts = [dimer_row(4.0, f"c{i}") | {"subset": CONTACTS} for i in range(15)]
    foreign = dimer_row(3.0) | {"smiles_a": METHANE}
    refused = dimer_row(3.0) | {"smiles_b": "[Si:1]([H:2])([H:3])([H:4])[H:5]"}
    rows = [*others, *contacts, *contacts[:5], foreign, refused]

    def choose(max_dimers: int, seed: int = 1) -> list[str]:
        library = MoleculeLibrary(model.build_graph, model.config.settings)
        settings = AnchorConfig(molecules=("O",), max_dimers=max_dimers, seed=seed)
        return [row["name"] for row in choose_dimers(WATER, rows, library, settings)]

    assert choose(100) == [f"c{i}" for i in range(15)] + [str(i) for i in range(40)]
    few = choose(10)
    assert few[:15] == [f"c{i}" for i in range(15)]
    assert np.diff([int(name) for name in few[15:]]).tolist() == [4] * 9
    assert choose(10) == few
    assert {choose(10, seed)[15] for seed in range(20)} == {"0", "1", "2", "3"}


@pytest.fixture
def anchors(start: ParameterSet, known: dict[str, torch.Tensor]) -> list[dict]:
    values = {name: value.numpy() for name, value in known.items()}
    return [{"mapped_smiles": WATER, **values, "n_dimers": 1, "loss_before": 1, "loss_after": 0}]


def test_loss_against_hand_values(library: MoleculeLibrary, anchors: list[dict]) -> None:
    target = AnchorTarget([*anchors, anchors[0] | {"mapped_smiles": "[He:1]"}], library, SCALES)
    assert [target.size(split) for split in ("train", "validation", "test")] == [1, 0, 0]
    assert target.order("train", 3) == [0]
    batch = to_device(target.collate("train", [0, 0, 0], 0), "cpu")
    assert target.describe(batch) == WATER
    assert batch.graph.n_atoms == 3
    reference = {name: value.clone().requires_grad_() for name, value in batch.reference.items()}
    parameters = replace(
        Model(seed=1).network.without_terms(batch.graph),
        **{name: value[None] for name, value in reference.items()},
    )
    losses = anchor_losses(parameters, batch.reference, SCALES)
    assert list(losses) == list(ATOM_PARAMETERS)
    assert all(value.shape == (1,) and value.item() == 0.0 for value in losses.values())

    steps = {"charges": 0.006, "c6": 1.1, "lambdas": 1.01}
    moved = {
        name: getattr(parameters, name) + step
        if name == "charges"
        else getattr(parameters, name) * step
        for name, step in steps.items()
    }
    losses = anchor_losses(replace(parameters, **moved), batch.reference, SCALES)
    for name, size in (
        ("charges", 2.0),
        ("c6", math.log(1.1) / 0.1),
        ("lambdas", math.log(1.01) / 0.01),
    ):
        assert losses[name].item() == pytest.approx(math.sqrt(1 + size**2) - 1, rel=1e-3)
    sum(losses.values()).backward()
    for name, value in reference.items():
        assert bool((value.grad > 0.0).all()) == (name in steps), name


def with_anchors(path: Path, epochs: int = 1, **settings: object) -> None:
    """The toy configuration with water as an anchor, taught in one stage to the heads alone."""
    values = yaml.safe_load(path.read_text())
    stage = {
        "name": "anchors", "weights": {"anchors": 1.0}, "epochs": epochs, "steps_per_epoch": 10,
        "learning_rate": 1e-2,
    }  # fmt: skip
    anchors = {"molecules": ["O"], "steps": 3, "c6_weight": 0.0, **settings}
    values |= {"stages": [stage], "labels": {"anchors": anchors}}
    values["freeze"] = ["embedding", "transformer"]
    path.write_text(yaml.safe_dump(values))


def test_heads_learn_an_anchor(toy_config: Path, tmp_path: Path, anchors: list[dict]) -> None:
    with_anchors(toy_config, epochs=30)
    config = load_config(toy_config)
    model = initial_model(config)
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    library.add([WATER])
    target = AnchorTarget(anchors, library, config.targets)
    batch = target.collate("train", [0], 0)

    def loss() -> float:
        return sum(float(value.detach()) for value in target.losses(model, batch).values())

    before = loss()
    Trainer(config, model, {"anchors": target}, tmp_path / "run").run()
    assert loss() < 0.1 * before
    (found,) = model.predict([WATER])
    np.testing.assert_allclose(found.charges, anchors[0]["charges"], atol=0.02)


def test_from_labels_to_training(toy_config: Path, tmp_path: Path) -> None:
    with_anchors(toy_config)
    assert "anchors" in DEFAULT_BATCH
    assert SEED_ORDER.index("anchors") == 6
    with pytest.raises(DataError, match=r"no anchors.*--kind anchors"):
        make_targets(load_config(toy_config), Model(seed=1))
    make_labels(toy_config, kinds=["anchors"])
    (path,) = (tmp_path / "output" / "anchors").glob("*.parquet")
    assert path.name == "XLYOFNOQVPJJNP-UHFFFAOYSA-N.parquet"
    (row,) = read_table(path, ANCHORS)
    assert row["mapped_smiles"] == WATER
    assert row["n_dimers"] == 12
    assert row["loss_after"] <= row["loss_before"]
    made = read_provenance(path)
    assert made["model sha256"] == load_model("bytepol").sha256
    for name, unit in ATOM_PARAMETERS.items():
        field = ANCHORS.field(name)
        assert field.metadata[b"unit"].decode() == unit
        assert field.type == pa.list_(pa.float64())
    written = path.stat().st_mtime_ns
    make_labels(toy_config, kinds=["anchors"])
    assert path.stat().st_mtime_ns == written, "kept"
    make_labels(toy_config, kinds=["anchors"], overwrite=True)
    assert path.stat().st_mtime_ns > written

    moved = path.rename(tmp_path / "before.parquet")
    with_anchors(toy_config, molecules=[], files=[moved.name])
    assert [one["mapped_smiles"] for one in load_anchors(load_config(toy_config))] == [WATER]

    def train(folder: str, *parts: int | None) -> torch.Tensor:
        config = load_config(toy_config)
        for steps in parts:
            model = initial_model(config)
            trainer = Trainer(config, model, make_targets(config, model), tmp_path / folder)
            trainer.run(stop_after=steps)
        return weights(model)

    assert torch.equal(train("whole", None), train("parts", 4, None))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"model": "nowhere"}, ModelNotFoundError, "no model 'nowhere'"),
        ({"molecules": ["CCO"]}, DataError, r"no dimer .* holds CCO; add it to .*contacts"),
        ({"molecules": ["[SiH4]"]}, DataError, "labels.anchors: .*leave it out"),
        ({"molecules": ["nonsense"]}, DataError, "nonsense: not a valid SMILES"),
        ({"held": {"epsilons": {"Hx": 0.1}}}, DataError, "held: Hx: write element symbols"),
        ({"held": {"charges": {"H": 0.1}}}, DataError, "held"),
        ({"c6_weight": -1.0}, DataError, "c6_weight"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    toy_config: Path, settings: dict, error: type[Exception], message: str
) -> None:
    with_anchors(toy_config, **settings)
    with pytest.raises(error, match=message):
        make_labels(toy_config, kinds=["anchors"])
