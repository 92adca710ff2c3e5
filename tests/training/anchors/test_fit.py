"""Parameters of one molecule fitted to its dimers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch

from openff_bytepol.exceptions import NonFiniteLossError, PolarizationCatastropheError
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ATOM_PARAMETERS, ParameterSet
from openff_bytepol.training.labels.anchor_fit import FreeParameters, fit
from openff_bytepol.training.labels.anchors import choose_dimers, fit_anchor
from openff_bytepol.training.labels.config import AnchorConfig
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.targets.dimers import CONTACTS
from tests.training.anchors.conftest import run_config, water
from tests.training.conftest import METHANE, WATER, dimer_row


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
