"""What the fit of an anchor minimises: dimers, trimers, responses and C6."""

from __future__ import annotations

import math
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from openff_bytepol.exceptions import MissingDependencyError
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ATOM_PARAMETERS, ParameterSet
from openff_bytepol.training.labels import aimnet2, priors
from openff_bytepol.training.labels.anchor_loss import LOG_C6_SCALE, AnchorLoss, c6_loss
from openff_bytepol.training.labels.anchors import fit_anchor, reference_c6
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.targets.clusters import collate_clusters, three_body_energies
from openff_bytepol.training.targets.dimers import collate_dimers, dimer_energies, dimer_losses
from tests.training.anchors.conftest import OTHER_ORDER, SCALES, SHAPES, run_config, set_of, water
from tests.training.conftest import METHANE, WATER, WATER_XYZ
from tests.training.test_clusters import cluster_row


def molecular_c6(c6: object) -> float:
    return float(np.sqrt(np.asarray(c6)).sum() ** 2)


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
