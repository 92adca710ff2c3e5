"""Electrostatic potentials: values, symmetries, batches, and as a target."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from openff_bytepol.exceptions import DataError, ParameterError
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import (
    Pairs,
    dipole_moments,
    electrostatic_potentials,
    induced_dipoles,
    interaction_components,
)
from openff_bytepol.training.config import (
    EvaluationConfig,
    SplitConfig,
    StageConfig,
    TargetConfig,
    TrainingConfig,
)
from openff_bytepol.training.data import make_targets
from openff_bytepol.training.datasets.schemas import POTENTIALS
from openff_bytepol.training.labels.schema import write_table
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.report import potential_summary, write_report
from openff_bytepol.training.targets.potentials import PotentialTarget, potential_loss
from openff_bytepol.training.trainer import SEED_ORDER, Trainer
from openff_bytepol.units import COULOMB
from tests.potentials.molecules import molecule
from tests.training.conftest import METHANE, METHANE_XYZ, WATER, WATER_XYZ

SILANE = "[Si:1]([H:2])([H:3])([H:4])[H:5]"
CONFIG = TargetConfig(potential_scale=0.5, potential_relative_scale=0.1)


def sphere(n: int, radius: float = 6.0, seed: int = 0) -> torch.Tensor:
    points = np.random.default_rng(seed).normal(size=(n, 3))
    return torch.tensor(radius * points / np.linalg.norm(points, axis=1, keepdims=True))


def potential_row(name: str, mapped: str, xyz: np.ndarray, n_points: int) -> dict:
    points = sphere(n_points, 4.0, n_points).numpy() + xyz.mean(0)
    return {
        "subset": "toy",
        "name": name,
        "level": "made up",
        "mapped_smiles": mapped,
        "coordinates": xyz.ravel(),
        "points": points.ravel(),
        "potential": 3.0 * points[:, 2],
    }


def test_charges_alone_against_hand_values() -> None:
    parameters, _ = molecule("O")
    parameters = replace(parameters, charges=torch.tensor([-0.8, 0.5, 0.3], dtype=torch.float64))
    coordinates = torch.tensor(WATER_XYZ)
    assert (induced_dipoles(parameters, coordinates) == 0).all()
    points = torch.tensor([[0.0, 0.0, 3.0], [0.96, 4.0, 0.0]], dtype=torch.float64)
    expected = [
        COULOMB * (-0.8 / 3.0 + 0.5 / math.hypot(3.0, 0.96) + 0.3 / math.hypot(3.0, 0.24, 0.93)),
        COULOMB * (-0.8 / math.hypot(0.96, 4.0) + 0.5 / 4.0 + 0.3 / math.hypot(1.2, 3.07)),
    ]
    found = electrostatic_potentials(parameters, coordinates, points)
    assert found.tolist() == pytest.approx(expected, rel=1e-12)


def test_induced_dipoles_against_a_direct_sum() -> None:
    parameters, coordinates = molecule("CCO")
    points = sphere(20)
    x, y = coordinates.numpy(), points.numpy()
    v = y[:, None] - x
    r = np.linalg.norm(v, axis=-1)
    dipoles = induced_dipoles(parameters, coordinates).numpy()
    assert np.abs(dipoles).max() > 1e-3
    charges = COULOMB * (parameters.charges.numpy() / r).sum(1)
    induced = COULOMB * (np.einsum("pax,ax->pa", v, dipoles) / r**3).sum(1)
    found = electrostatic_potentials(parameters, coordinates, points).numpy()
    np.testing.assert_allclose(found, charges + induced, rtol=1e-10)
    assert np.abs(induced).max() > 1e-3


def test_potential_is_what_a_small_probe_feels() -> None:
    """A probe's energy is linear in its charge q, apart from q² of what it induces."""
    parameters, coordinates = molecule("CCO")
    ion, _ = molecule("[Li+]")
    point = coordinates.mean(0) + torch.tensor([0.0, 0.0, 14.0]).double()
    q = 1e-3

    def feels(charge: float) -> float:
        probe = replace(
            ion,
            charges=torch.tensor([charge]).double(),
            polarizabilities=torch.tensor([1e-9]).double(),
        )
        both = ParameterSet.concatenate([parameters, probe])
        energies = interaction_components(both, torch.cat([coordinates, point[None]]))
        return float(energies.elec + energies.pol)

    slope = (feels(q) - feels(-q)) / (2 * q)
    found = electrostatic_potentials(parameters, coordinates, point[None]).item()
    frozen = replace(parameters, polarizabilities=torch.full_like(parameters.charges, 1e-9))
    without = electrostatic_potentials(frozen, coordinates, point[None]).item()
    assert abs(found - without) > 1e-3
    assert slope == pytest.approx(found, rel=1e-5)


def test_far_away_it_is_that_of_the_dipole_moment() -> None:
    parameters, coordinates = molecule("CCO")
    coordinates = coordinates - coordinates.mean(0)
    parameters = replace(parameters, charges=parameters.charges - parameters.charges.mean())
    points = sphere(10, 1e4)
    moment = dipole_moments(parameters, coordinates)[0]
    expected = COULOMB * (points @ moment) / 1e12
    found = electrostatic_potentials(parameters, coordinates, points)
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-9)


def test_rotation_translation_and_order_do_not_matter() -> None:
    parameters, coordinates = molecule("CCO")
    points = sphere(12)
    found = electrostatic_potentials(parameters, coordinates, points)
    rotation = torch.linalg.qr(torch.tensor(np.random.default_rng(1).normal(size=(3, 3))))[0]
    shift = torch.tensor([3.0, -2.0, 1.0]).double()
    moved = electrostatic_potentials(
        parameters, coordinates @ rotation + shift, points @ rotation + shift
    )
    torch.testing.assert_close(moved, found)
    order = torch.arange(11, -1, -1)
    torch.testing.assert_close(
        electrostatic_potentials(parameters, coordinates, points[order]), found[order]
    )
    (methane, x), (water, y) = molecule("C"), molecule("O")
    y = y + torch.tensor([0.0, 0.0, 4.0])
    torch.testing.assert_close(
        electrostatic_potentials(
            ParameterSet.concatenate([methane, water]), torch.cat([x, y]), points
        ),
        electrostatic_potentials(
            ParameterSet.concatenate([water, methane]), torch.cat([y, x]), points
        ),
    )


def test_batch_equals_molecules_one_by_one() -> None:
    parts = [molecule("CCO"), molecule("O"), molecule("CC#N")]
    clouds = [sphere(n, seed=n) for n in (5, 9, 1)]
    joined = ParameterSet.concatenate([p for p, _ in parts])
    coordinates = torch.cat([x for _, x in parts])
    system = torch.repeat_interleave(torch.tensor([len(x) for _, x in parts]))
    owner = torch.repeat_interleave(torch.tensor([5, 9, 1]))
    mixed = torch.randperm(15, generator=torch.Generator().manual_seed(2))
    found = electrostatic_potentials(
        joined, coordinates, torch.cat(clouds)[mixed], owner[mixed], system
    )
    single = [
        electrostatic_potentials(p, x, cloud) for (p, x), cloud in zip(parts, clouds, strict=True)
    ]
    torch.testing.assert_close(found, torch.cat(single)[mixed])


def test_conformers_and_members() -> None:
    model = Model(n_members=2, seed=3)
    (members,) = model.predict_members(["CCO"])
    _, first = molecule("CCO")
    _, second = molecule("CCO", seed=4)
    points = torch.stack([sphere(4), sphere(4, seed=1)])
    found = electrostatic_potentials(members, torch.stack([first, second]), points)
    assert found.shape == (2, 2, 4)
    for m in range(2):
        for i, x in enumerate((first, second)):
            alone = electrostatic_potentials(members.member(m), x, points[i])
            torch.testing.assert_close(found[m, i], alone)
    assert electrostatic_potentials(members, first, points[0]).shape == (2, 4)


def test_gradients_reach_charges_polarizabilities_and_points() -> None:
    parameters, coordinates = molecule("CCO")

    def values(charges: torch.Tensor, alphas: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        changed = replace(parameters, charges=charges, polarizabilities=alphas)
        return electrostatic_potentials(changed, coordinates, points)

    leaves = [parameters.charges, parameters.polarizabilities, sphere(3)]
    assert torch.autograd.gradcheck(values, [leaf.clone().requires_grad_() for leaf in leaves])


def test_arguments_that_do_not_fit_are_refused() -> None:
    parameters, coordinates = molecule("O")
    points = sphere(4)
    two = ParameterSet.concatenate([parameters, parameters])
    pairs = Pairs.from_parameters(two, two.molecule_index)
    both = torch.cat([coordinates, coordinates])
    with pytest.raises(ParameterError, match=r"points have shape \(4, 2\)"):
        electrostatic_potentials(parameters, coordinates, points[:, :2])
    with pytest.raises(ParameterError, match="float32"):
        electrostatic_potentials(parameters, coordinates, points.float())
    with pytest.raises(ParameterError, match="2 systems"):
        electrostatic_potentials(two, both, points, pairs=pairs)
    with pytest.raises(ParameterError, match="each of the 4 points"):
        electrostatic_potentials(two, both, points, torch.tensor([0, 1]), pairs=pairs)
    with pytest.raises(ParameterError, match="between 0 and 1"):
        electrostatic_potentials(two, both, points, torch.tensor([0, 1, 2, 0]), pairs=pairs)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(n_members=2, seed=3)


@pytest.fixture(scope="module")
def target(model: Model) -> PotentialTarget:
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    rows = [
        potential_row("O", WATER, WATER_XYZ + 5.0, 7),
        potential_row("[SiH4]", SILANE, METHANE_XYZ, 5),
        potential_row("C", METHANE, METHANE_XYZ, 4),
    ]
    library.add(row["mapped_smiles"] for row in rows)
    return PotentialTarget({"train": rows, "validation": [], "test": []}, library, CONFIG)


def test_molecules_the_model_does_not_know_are_left_out(target: PotentialTarget) -> None:
    assert target.size("train") == 2
    batch = target.collate("train", [0, 1], 0)
    assert target.describe(batch) == "O, C"
    assert batch.molecules.tolist() == [0] * 7 + [1] * 4
    assert batch.coordinates[:3].mean(0).abs().max() < 1e-6
    assert batch.points.norm(dim=-1).tolist() == pytest.approx([4.0] * 11, rel=1e-6)


def test_loss_against_hand_values(target: PotentialTarget) -> None:
    batch = target.collate("train", [0, 1], 0)
    residuals = torch.arange(11.0) / 5.0
    found = potential_loss(
        torch.stack([batch.potentials + residuals, batch.potentials]), batch, CONFIG
    )
    terms = []
    for part in (slice(0, 7), slice(7, 11)):
        rms = residuals[part].square().mean().sqrt().item()
        size = batch.potentials[part].square().mean().sqrt().item()
        terms.append(math.sqrt(1.0 + (rms / (0.5 + 0.1 * size)) ** 2) - 1.0)
    assert found[0].item() == pytest.approx(sum(terms) / 2, rel=1e-5)
    assert found[1].item() == pytest.approx(0.0, abs=1e-9)


def test_at_the_reference_loss_and_gradient_are_zero(model: Model, target: PotentialTarget) -> None:
    batch = target.collate("train", [0, 1], 0)
    parameters = model.network.without_terms(batch.graph)
    exact = electrostatic_potentials(
        parameters, batch.coordinates, batch.points, batch.molecules, pairs=batch.pairs
    ).detach()
    values = exact.clone().requires_grad_()
    loss = potential_loss(values, replace(batch, potentials=exact[0]), CONFIG)
    assert loss[0].item() == pytest.approx(0.0, abs=1e-9)
    loss.sum().backward()
    assert values.grad is not None
    assert values.grad[0].abs().max() == 0.0
    assert torch.isfinite(values.grad).all()


def test_gradient_reaches_the_network(model: Model, target: PotentialTarget) -> None:
    losses = target.losses(model, target.collate("train", [0, 1], 0))
    assert losses["rms"].shape == (2,)
    model.zero_grad()
    losses["rms"].sum().backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients
    assert all(torch.isfinite(g).all() for g in gradients)
    assert any(g.abs().max() > 0 for g in gradients)
    model.zero_grad()


def stage(**weights: float) -> StageConfig:
    return StageConfig(name="one", weights=weights, epochs=1, steps_per_epoch=2, learning_rate=1e-4)


def config(folder: Path, **changes: object) -> TrainingConfig:
    missing = str(folder / "missing")
    base = {"name": "x", "reference_data": "nowhere", "output": str(folder)}
    base |= {"evaluation": EvaluationConfig(torsions=missing, gscdb=missing)}
    return TrainingConfig(**base, stages=(stage(potentials=1.0),), **changes)


def test_a_run_finds_trains_on_and_reports_potentials(tmp_path: Path) -> None:
    model = Model(n_members=2, seed=3)
    rows = [potential_row("O", WATER, WATER_XYZ, 7), potential_row("C", METHANE, METHANE_XYZ, 4)]
    write_table(rows, POTENTIALS, tmp_path / "labels" / "potentials" / "chunk-0000.parquet")
    train = config(tmp_path, split=SplitConfig(scaffold_fraction=0.0))
    targets = make_targets(train, model)
    assert targets["potentials"].size("train") == 2
    Trainer(train, model, targets, tmp_path / "run").run()
    assert "train/potentials/rms" in (tmp_path / "run" / "metrics.jsonl").read_text()

    library = MoleculeLibrary(model.build_graph, model.config.settings)
    library.add([WATER, METHANE])
    held = PotentialTarget({"train": [], "validation": [], "test": rows}, library, CONFIG)
    text = write_report(model, {"potentials": held}, train, tmp_path / "run")
    assert "Electrostatic potentials (2 molecules of held-out scaffolds): mean relative RMS" in text


def test_held_out_figures_against_hand_values(model: Model) -> None:
    row = potential_row("O", WATER, WATER_XYZ, 7)
    (parameters,) = model.predict([WATER])
    points = torch.tensor(row["points"].reshape(-1, 3))
    exact = electrostatic_potentials(parameters, torch.tensor(WATER_XYZ), points).numpy()
    rows = [row | {"potential": exact}, row | {"potential": 1.25 * exact}]
    found = potential_summary(model, rows)
    rms = float(np.sqrt(np.mean(exact**2)))
    assert found["n"] == 2
    assert found["rrms_percent"] == pytest.approx(10.0, rel=1e-6)
    assert found["rms"] == pytest.approx(0.125 * rms, rel=1e-6)


def test_without_potentials_the_run_is_refused(tmp_path: Path, model: Model) -> None:
    with pytest.raises(DataError, match="potentials has no training data"):
        make_targets(config(tmp_path), model)


def test_places_of_older_targets_in_the_seed_stay() -> None:
    assert SEED_ORDER[:4] == ("dimers", "monomers", "priors", "responses")
