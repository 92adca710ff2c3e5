"""The target that keeps what a run started from."""

from __future__ import annotations

from dataclasses import replace
from math import log
from pathlib import Path

import pytest
import torch
import yaml

from openff_bytepol.exceptions import DataError
from openff_bytepol.models import load_model, save_model
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ATOM_PARAMETERS, TERM_PARAMETERS
from openff_bytepol.smiles import canonical_smiles
from openff_bytepol.training import train
from openff_bytepol.training.config import TargetConfig, load_config
from openff_bytepol.training.data import make_targets
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.start import initial_model, start_molecules
from openff_bytepol.training.targets.start import StartTarget, start_losses
from tests.training.conftest import METHANE, WATER, huber
from tests.training.test_start import started

SCALES = TargetConfig(anchor_charge_scale=0.01, anchor_log_scale=0.1, bond_length_scale=0.02)


def test_loss_against_hand_values() -> None:
    model = Model(seed=1, n_members=2)
    now = model.network(model.build_graph(WATER))
    assert list(start_losses(now, now, SCALES)) == list(SCALES.start_parameters)
    of_terms = [name for names in TERM_PARAMETERS.values() for name in names]
    assert list(SCALES.start_parameters) == [*ATOM_PARAMETERS, *of_terms]
    assert all(value.eq(0.0).all() for value in start_losses(now, now, SCALES).values())

    second = torch.tensor([[0.0], [1.0]])
    moved = replace(
        now,
        charges=now.charges + 0.02 * second,
        c6=now.c6 * 1.1**second,
        ct_lambdas=now.ct_lambdas * 1.01**second,
        bond_r0=now.bond_r0 + 0.01 * second,
        angle_k=now.angle_k * 1.3**second,
    )
    expected = {
        "charges": huber(2.0),
        "c6": huber(log(1.1) / 0.1),
        "ct_lambdas": huber(log(1.01) / 0.01),
        "bond_r0": huber(0.5),
        "angle_k": huber(log(1.3) / 0.2),
    }
    for name, value in start_losses(moved, now, SCALES).items():
        assert value.tolist() == pytest.approx([0.0, expected.get(name, 0.0)], rel=2e-3), name


def test_only_named_parameters_count() -> None:
    some = TargetConfig(start_parameters=("charges", "bond_r0"))
    model = Model(seed=1)
    now = model.network(model.build_graph(WATER))
    assert list(start_losses(now, now, some)) == ["charges", "bond_r0"]
    with pytest.raises(ValueError, match="start_parameters"):
        TargetConfig(start_parameters=("mass",))


@pytest.mark.parametrize("names", [("charges", "c6"), SCALES.start_parameters])
def test_the_start_is_a_copy_and_gets_no_gradient(names) -> None:
    model = Model(seed=1)
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    library.add([WATER, METHANE])
    target = StartTarget(
        [WATER, METHANE, "[He:1]"], model, library, TargetConfig(start_parameters=names)
    )
    assert [target.size(split) for split in ("train", "validation", "test")] == [2, 0, 0]
    batch = target.collate("train", [1, 0], 0)
    assert target.describe(batch) == f"{METHANE}, {WATER}"
    assert sum(value.item() for value in target.losses(model, batch).values()) == 0.0
    with torch.no_grad():
        for parameter in model.network.charge_volume.parameters():
            parameter.add_(0.01)
    losses = target.losses(model, batch)
    assert losses["charges"].item() > 0.0
    sum(losses.values()).sum().backward()
    assert any(p.grad.abs().max() > 0 for p in model.network.charge_volume.parameters())


def parameters_of(model: Model, smiles: str = "CCO") -> torch.Tensor:
    (found,) = model.predict([smiles])
    return torch.cat([found.charges / 0.003, found.epsilons.log() / 0.1, found.c6.log() / 0.1])


def test_a_run_with_it_forgets_less(toy_config: Path) -> None:
    """Ethanol is in no data; all dimers are of water and methane."""
    base = save_model(
        initial_model(started(toy_config, n_members=2)), toy_config.parent / "base", name="base"
    )
    pool = toy_config.parent / "pool.smi"
    pool.write_text("CCO\nCO\nCCCO\n")
    stage = {"name": "all", "epochs": 2, "steps_per_epoch": 10, "learning_rate": 3e-3}
    drift = {}
    for weight in (0.0, 20.0):
        weights = {"dimers": 1.0} | ({"start": weight} if weight else {})
        started(
            toy_config, start="base", model={}, stages=[stage | {"weights": weights}],
            start_pools={"alcohols": {"path": "pool.smi", "count": 3}},
        )  # fmt: skip
        trained = load_model(train(toy_config, overwrite=True))
        drift[weight] = float((parameters_of(trained) - parameters_of(load_model(base))).norm())
    assert 0.0 < drift[20.0] < 0.5 * drift[0.0]


def test_molecules_come_from_its_pools_or_those_of_the_labels(toy_config: Path) -> None:
    save_model(initial_model(started(toy_config)), toy_config.parent / "base", name="base")
    (toy_config.parent / "pool.smi").write_text("CCO\nCO\n")
    pools = {"alcohols": {"path": "pool.smi", "count": 2}}

    def found(**fields: object) -> list[str]:
        config = started(toy_config, start="base", model={}, **fields)
        return sorted(canonical_smiles(mapped) for mapped in start_molecules(config))

    labels = yaml.safe_load(toy_config.read_text()).get("labels", {})
    assert found(labels=labels | {"extra": ["N"], "emphasis": {"N": 3}}) == ["N"] * 3
    assert found(start_pools=pools) == ["CCO", "CO"]
    with pytest.raises(DataError, match="no molecules: name some in `start_pools`"):
        found(start_pools={}, labels=labels)
    with pytest.raises(DataError, match="name it in `start`"):
        make_targets(
            load_config(toy_config, {"start": None, "stages": [
                {"name": "a", "weights": {"start": 1.0}, "epochs": 1, "learning_rate": 1e-3}
            ]}),
            Model(seed=1),
        )  # fmt: skip
