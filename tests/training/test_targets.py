"""Losses against values worked out here, and data through files and batches."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from openff_bytepol.exceptions import DataError
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import energy, interaction_components
from openff_bytepol.training.config import TargetConfig
from openff_bytepol.training.labels.schema import MOLECULES, read_table, write_table
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.targets.dimers import (
    CONTACTS,
    DIMERS,
    MINIMA,
    DimerTarget,
    charge_penalty,
    collate_dimers,
    dimer_losses,
    predict_dimers,
)
from openff_bytepol.training.targets.monomers import MonomerTarget, dipole_loss, monomer_losses
from openff_bytepol.training.targets.priors import PriorTarget, prior_losses
from openff_bytepol.training.targets.walls import wall_penalty
from tests.training.conftest import (
    METHANE,
    METHANE_XYZ,
    WATER,
    WATER_XYZ,
    dimer_row,
    huber,
    molecule_row,
)

CONFIG = TargetConfig()


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(n_members=2, seed=3)


@pytest.fixture
def library(model: Model) -> MoleculeLibrary:
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    library.add([WATER, METHANE])
    return library


def split(rows: list[dict]) -> dict:
    return {"train": rows, "validation": [], "test": []}


def test_prior_loss_against_hand_values(model: Model, library: MoleculeLibrary) -> None:
    target = PriorTarget(split([molecule_row("O", WATER, WATER_XYZ)]), library, CONFIG)
    batch = target.collate("train", [0], 0)
    parameters = model.network(batch.graph)
    losses = prior_losses(parameters, batch.reference, CONFIG)
    q = parameters.charges[1].tolist()
    expected = (
        sum(huber((a - b) / CONFIG.charge_scale) for a, b in zip(q, [-0.2, 0.1, 0.1], strict=True))
        / 3
    )
    assert losses["charges"][1].item() == pytest.approx(expected, rel=1e-5)
    k = parameters.bond_k[0].tolist()
    expected = sum(huber(math.log(v / 800.0) / CONFIG.log_force_constant_scale) for v in k) / 2
    assert losses["bond_k"][0].item() == pytest.approx(expected, rel=1e-5)
    assert losses["angle_k"].tolist() == [0.0, 0.0], "missing terms do not count"


def test_priors_follow_the_terms_of_the_graph(model: Model) -> None:
    mapped = "[C:1]([C:2]([O:3][H:9])([H:7])[H:8])([H:4])([H:5])[H:6]"
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    library.add([mapped])
    row = molecule_row("CCO", mapped, np.zeros((9, 3)))
    row |= {"bonds": [2, 1, 0, 1], "bond_k": [700.0, 600.0], "bond_r0": [1.4, 1.5]}
    batch = PriorTarget(split([row]), library, CONFIG).collate("train", [0], 0)
    found = {
        tuple(bond): k
        for bond, k in zip(
            batch.graph.bonds.tolist(), batch.reference["bond_k"].tolist(), strict=True
        )
        if not math.isnan(k)
    }
    assert found == {(0, 1): 600.0, (1, 2): 700.0}


def test_dimer_prediction_is_the_energy_of_the_parameters(
    model: Model, library: MoleculeLibrary
) -> None:
    rows = [dimer_row(3.1), dimer_row(3.6)]
    predicted = predict_dimers(model, collate_dimers(rows, library))
    members = model.predict_members([WATER, METHANE])
    for m in range(2):
        parts = [member.member(m) for member in members]
        for i, row in enumerate(rows):
            xyz = torch.tensor(row["coordinates"]).reshape(-1, 3)
            exact = interaction_components(ParameterSet.concatenate(parts), xyz)
            assert predicted.total[m, i].item() == pytest.approx(exact.total.item(), abs=2e-4)


def test_dimer_loss_against_hand_values(model: Model, library: MoleculeLibrary) -> None:
    rows = [dimer_row(3.1), dimer_row(3.6) | {"weight": 3.0}]
    batch = collate_dimers(rows, library)
    predicted = predict_dimers(model, batch)
    losses = dimer_losses(predicted, batch, CONFIG)
    terms = [
        huber((predicted.disp[0, i].item() - r["disp"]) / (0.5 + 0.1 * abs(r["disp"])))
        for i, r in enumerate(rows)
    ]
    assert losses["dispersion"][0].item() == pytest.approx((terms[0] + 3 * terms[1]) / 4, rel=1e-5)
    terms = [
        huber(
            (predicted.total[1, i].item() - r["total"])
            / (0.5 + 0.03 * (r["exch"] + abs(r["total"])) + 0.05 * max(r["total"], 0.0))
        )
        for i, r in enumerate(rows)
    ]
    expected = CONFIG.dimer_total_weight * (terms[0] + 3 * terms[1]) / 4
    assert losses["total"][1].item() == pytest.approx(expected, rel=1e-5)
    sums = [r["elst"] + r["exch"] for r in rows]
    widths = [r["exch"] + abs(c) + r["exch"] ** 2 / 60 for r, c in zip(rows, sums, strict=True)]
    found = (predicted.elec + predicted.pauli)[1].tolist()
    terms = [huber((f - c) / (0.5 + 0.1 * w)) for f, c, w in zip(found, sums, widths, strict=True)]
    expected = (terms[0] + 3 * terms[1]) / 4
    assert losses["contact"][1].item() == pytest.approx(expected, rel=1e-4)


def contact_row(distance: float) -> dict:
    return dimer_row(distance) | {"subset": CONTACTS}


def test_slopes_along_a_line_against_hand_values(model: Model, library: MoleculeLibrary) -> None:
    config = CONFIG.model_copy(update={"dimer_slope_weight": 3.0, "dimer_slope_scale": 0.7})
    turned = contact_row(3.2)
    turned["coordinates"] = turned["coordinates"].reshape(-1, 3)[:, [1, 0, 2]].ravel()
    rows = [contact_row(3.4), turned, contact_row(3.1) | {"weight": 2.0}, contact_row(4.6)]
    batch = collate_dimers(rows, library)
    assert batch.steps.tolist() == [[2], [0]], "others are turned or too far away"
    torch.testing.assert_close(batch.lengths, torch.tensor([0.3]))
    predicted = predict_dimers(model, batch)
    (far, near), reference = predicted.total[1, [0, 2]].tolist(), [r["total"] for r in rows]
    expected = 3.0 * huber((far - near - reference[0] + reference[2]) / 0.3 / 0.7)
    assert dimer_losses(predicted, batch, config)["slopes"][1].item() == pytest.approx(
        expected, rel=1e-3
    )
    unknown = collate_dimers([rows[0] | {"total": math.nan}, rows[2]], library)
    losses = dimer_losses(predict_dimers(model, unknown), unknown, config)
    assert losses["slopes"].eq(0).all()
    assert "slopes" not in dimer_losses(predicted, batch, CONFIG)
    assert not collate_dimers([dimer_row(3.4), dimer_row(3.1)], library).lengths.numel()


def test_mean_residuals_along_lines_against_hand_values(
    model: Model, library: MoleculeLibrary
) -> None:
    """Two lines of water over methane count together, one of methane over water on its own."""
    changes = {
        "dimer_mean_weight": 2.0, "dimer_mean_scale": 0.4, "dimer_mean_slope_scale": 0.9,
    }  # fmt: skip
    config = CONFIG.model_copy(update=changes)
    rows = [contact_row(3.1), contact_row(3.3), contact_row(3.6), contact_row(3.8)]
    for row in rows[2:]:
        row["level"] = "another"
    swapped = [row | {"smiles_a": METHANE, "smiles_b": WATER, "weight": 3.0} for row in rows[:2]]
    for row in swapped:
        row["coordinates"] = np.roll(row["coordinates"].reshape(-1, 3), 5, axis=0).ravel()
    batch = collate_dimers(rows + swapped, library)
    assert batch.steps.T.tolist() == [[0, 1], [2, 3], [4, 5]]
    predicted = predict_dimers(model, batch)
    residuals = (predicted.total - batch.reference["total"])[0].tolist()
    slopes = [(residuals[i + 1] - residuals[i]) / 0.2 for i in (0, 2, 4)]
    means = [huber(sum(residuals[:4]) / 4 / 0.4), huber(sum(residuals[4:]) / 2 / 0.4)]
    mean_slopes = [huber(sum(slopes[:2]) / 2 / 0.9), huber(slopes[2] / 0.9)]
    expected = 2.0 * np.average(means, weights=[4 / 24, 2 / 22])
    expected += 2.0 * np.average(mean_slopes, weights=[2 / 22, 1 / 21])
    losses = dimer_losses(predicted, batch, config)
    assert losses["means"][0].item() == pytest.approx(expected, rel=1e-3)
    assert losses["slopes"].eq(0).all()


def test_three_body_dispersion_counts_in_liquids_alone(
    model: Model, library: MoleculeLibrary
) -> None:
    """The loss is that of totals that rise by a part of the model's mean dispersion energy."""
    config = CONFIG.model_copy(update={"dimer_slope_weight": 3.0, "dimer_mean_weight": 2.0})
    rows = [contact_row(3.1), contact_row(3.4), dimer_row(3.2)]
    batch = collate_dimers(rows, library)
    predicted = predict_dimers(model, batch)
    taken = [-0.2 * predicted.disp.mean(0)[i].item() for i in range(2)] + [0.0]
    raised = [row | {"total": row["total"] + t} for row, t in zip(rows, taken, strict=True)]
    expected = dimer_losses(predicted, collate_dimers(raised, library), config)
    losses = dimer_losses(
        predicted, batch, config.model_copy(update={"three_body_dispersion": 0.2})
    )
    assert taken[0] > 0.0
    assert losses.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(losses[name], expected[name], rtol=1e-3, atol=1e-5)


def test_bound_pairs_are_no_sample_of_a_liquid(model: Model, library: MoleculeLibrary) -> None:
    """Chosen for their energy, they would shift the means and slopes of pairs from liquids."""
    changes = {"dimer_slope_weight": 3.0, "dimer_mean_weight": 2.0, "three_body_dispersion": 0.2}
    config = CONFIG.model_copy(update=changes)
    contacts = [contact_row(3.1), contact_row(3.4)]
    bound = [row | {"subset": MINIMA, "total": row["total"] - 9.0} for row in contacts]
    alone, both, others = (
        dimer_losses(predict_dimers(model, batch), batch, config)
        for batch in (collate_dimers(rows, library) for rows in (contacts, contacts + bound, bound))
    )
    for name in ("slopes", "means"):
        assert alone[name].gt(0).all()
        torch.testing.assert_close(both[name], alone[name])
        assert others[name].eq(0).all()
    plain = [row | {"subset": "toy"} for row in bound]
    batch = collate_dimers(plain, library)
    expected = dimer_losses(predict_dimers(model, batch), batch, config)
    torch.testing.assert_close(others, expected)


def test_missing_components_do_not_count(model: Model, library: MoleculeLibrary) -> None:
    only_total = dimer_row(3.1) | dict.fromkeys(("elst", "exch", "ind", "disp"), math.nan)
    batch = collate_dimers([only_total], library)
    losses = dimer_losses(predict_dimers(model, batch), batch, CONFIG)
    assert losses["total"].gt(0).all()
    assert all(losses[name].eq(0).all() for name in ("contact", "induction", "dispersion"))


def test_charges_above_their_limit_are_penalized(model: Model, library: MoleculeLibrary) -> None:
    parameters = model.network(library.batch([0, 1]))
    charges = torch.zeros_like(parameters.charges)
    charges[1, 3] = -1.2  # the carbon of methane
    config = CONFIG.model_copy(update={"charge_limits": {1: 0.5, 6: 1.0}})
    penalty = charge_penalty(replace(parameters, charges=charges), config)
    assert penalty.tolist() == pytest.approx([0.0, huber(0.2 / CONFIG.charge_scale) / 2])


def test_monomer_loss_against_hand_values(model: Model, library: MoleculeLibrary) -> None:
    config = CONFIG.model_copy(update={"n_geometries": 3})
    row = molecule_row("C", METHANE, METHANE_XYZ)
    batch = MonomerTarget(split([row]), library, config).collate("train", [0], 5)
    parameters = model.network(batch.graph).member(0)
    energies = energy(parameters, batch.coordinates).total.detach()
    forces = torch.zeros(1, 3, 5, 3)
    losses = monomer_losses(energies[None], forces, batch, config)
    d = [float(e - r) for e, r in zip(energies[:, 0], batch.energies[:, 0], strict=True)]
    w = [1.0 / (1.0 + float(r) / 10.0) for r in batch.energies[:, 0]]
    mean = sum(a * b for a, b in zip(d, w, strict=True)) / sum(w)
    expected = sum(b * huber(a - mean) for a, b in zip(d, w, strict=True)) / sum(w)
    assert losses["energies"].item() == pytest.approx(expected, rel=1e-4)
    expected = np.mean([huber(f / 8.0) for f in batch.forces.ravel().tolist()])
    assert losses["forces"].item() == pytest.approx(expected, rel=1e-4)


def test_monomer_loss_ignores_the_zero_of_energy(model: Model, library: MoleculeLibrary) -> None:
    config = CONFIG.model_copy(update={"n_geometries": 3})
    rows = split([molecule_row("C", METHANE, METHANE_XYZ)])
    batch = MonomerTarget(rows, library, config).collate("train", [0], 5)
    forces = torch.zeros(1, 3, 5, 3)
    energies = batch.energies[None] + 123.0
    losses = monomer_losses(energies, forces, batch, config)
    assert losses["energies"].item() == pytest.approx(0.0, abs=1e-6)


def test_atoms_of_single_molecules_have_walls(model: Model, library: MoleculeLibrary) -> None:
    config = CONFIG.model_copy(update={"n_geometries": 3, "wall_energy": 900.0})
    target = MonomerTarget(split([molecule_row("O", WATER, WATER_XYZ)]), library, config)
    batch = target.collate("train", [0], 5)
    losses = target.losses(model, batch)
    expected = wall_penalty(model.network.without_terms(batch.graph), 900.0)
    assert expected.gt(0.0).all()
    torch.testing.assert_close(losses["walls"], expected)


@pytest.mark.parametrize("own_scale", [None, 0.3])
def test_unknown_dipoles_do_not_count(library: MoleculeLibrary, own_scale: float | None) -> None:
    config = CONFIG.model_copy(update={"n_geometries": 3, "monomer_dipole_scale": own_scale})
    known = molecule_row("C", METHANE, METHANE_XYZ)
    unknown = molecule_row("O", WATER, WATER_XYZ) | {"dipoles": np.full(9, np.nan)}
    target = MonomerTarget(split([known, unknown]), library, config)

    def loss(items: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        batch = target.collate("train", items, 5)
        dipoles = torch.zeros((2, *batch.dipoles.shape), requires_grad=True)
        found = dipole_loss(dipoles, batch, config)
        found.sum().backward()
        assert dipoles.grad is not None
        return found, dipoles.grad

    alone, _ = loss([0])
    both, gradient = loss([0, 1])
    torch.testing.assert_close(both, alone)
    assert both[0].item() == pytest.approx(
        np.mean(
            [
                huber(d / (own_scale or config.dipole_scale))
                for d in np.linalg.norm(known["dipoles"].reshape(3, 3), axis=1)
            ]
        ),
        rel=1e-5,
    )
    assert torch.isfinite(gradient).all()
    assert (gradient[:, :, 1] == 0).all()
    none, gradient = loss([1])
    assert none.tolist() == [0.0, 0.0]
    assert (gradient == 0).all()


@pytest.mark.parametrize(
    ("rows", "schema"),
    [([dimer_row(3.0)], DIMERS), ([molecule_row("O", WATER, WATER_XYZ)], MOLECULES)],
)
def test_files_hold_rows_and_units(tmp_path: Path, rows: list[dict], schema: object) -> None:
    path = tmp_path / "data.parquet"
    write_table(rows, schema, path)
    back = read_table(path, schema)
    assert back[0].keys() == rows[0].keys()
    for name, value in rows[0].items():
        if isinstance(value, str):
            assert back[0][name] == value
        elif not isinstance(value, list) or not value or not isinstance(value[0], str):
            np.testing.assert_allclose(back[0][name], value, rtol=1e-6)
    assert not list(tmp_path.glob("*.partial"))


def test_a_file_in_other_units_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    field = DIMERS.field("elst").with_metadata({"unit": "kJ/mol"})
    other = DIMERS.set(DIMERS.get_field_index("elst"), field)
    write_table([dimer_row(3.0)], other, path)
    with pytest.raises(DataError, match="units"):
        read_table(path, DIMERS)


def test_unsupported_molecules_are_set_aside(model: Model) -> None:
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    library.add([WATER, "[Si:1]([H:2])([H:3])([H:4])[H:5]"])
    assert len(library.graphs) == 1
    assert len(library.refused) == 1
    rows = split([dimer_row(3.0)])
    assert DimerTarget(rows, library, CONFIG).size("train") == 0


def test_batches_hold_few_pairs_of_molecules(model: Model, library: MoleculeLibrary) -> None:
    rows = [dimer_row(3.0 + 0.1 * i) for i in range(6)]
    rows += [r | {"smiles_a": METHANE, "smiles_b": WATER} for r in rows]
    target = DimerTarget({"train": rows, "validation": [], "test": []}, library, CONFIG)
    order = target.order("train", 1)
    assert sorted(order) == list(range(12))
    assert order != target.order("train", 2)
    changes = sum((a < 6) != (b < 6) for a, b in pairwise(order))
    assert changes <= 3, "blocks of four and two"


def test_neighbours_on_a_line_stay_together(model: Model, library: MoleculeLibrary) -> None:
    rows = []
    for turn in range(4):
        pair = [contact_row(3.0 + 0.2 * turn), contact_row(3.15 + 0.2 * turn)]
        for row in pair:
            row["coordinates"] = np.roll(row["coordinates"].reshape(-1, 3), turn, axis=1).ravel()
            row["level"] = f"level {turn}"
        rows += pair
    rows += rows[:2]  # shown twice
    target = DimerTarget({"train": rows, "validation": [], "test": []}, library, CONFIG)
    order = target.order("train", 1)
    assert sorted(order) == list(range(10))
    assert all(
        {a, b} == {a // 2 * 2, a // 2 * 2 + 1} for a, b in zip(order[::2], order[1::2], strict=True)
    )
    assert collate_dimers(rows, library).steps.shape == (2, 5)


def test_batch_of_all_dimers_is_made_once(library: MoleculeLibrary) -> None:
    target = DimerTarget(split([dimer_row(3.1), dimer_row(3.4), dimer_row(3.7)]), library, CONFIG)
    whole = target.collate("train", [2, 0, 1], 1)
    assert target.collate("train", [0, 1, 2], 2) is whole
    expected = collate_dimers(target.rows("train"), library)
    torch.testing.assert_close(whole.coordinates, expected.coordinates)
    assert whole.names == expected.names
    assert len(target.collate("train", [2, 0], 1).names) == 2


def test_lone_ions_are_in_every_batch_that_has_walls(model: Model) -> None:
    sodium = "[Na+:1]"
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    library.add([WATER, METHANE, sodium])
    ion = dimer_row(2.4) | {
        "smiles_b": sodium,
        "coordinates": np.concatenate([WATER_XYZ, [[0.0, 0.0, 2.4]]]).ravel(),
    }
    rows = split([dimer_row(3.1), dimer_row(3.4), ion])
    walls = DimerTarget(rows, library, CONFIG.model_copy(update={"wall_energy": 20.0}))
    batch = walls.collate("train", [0, 1], 1)
    assert library.index(sodium) in batch.molecules
    assert batch.graph.n_atoms == 9
    assert "walls" in walls.losses(model, batch)
    free = DimerTarget(rows, library, CONFIG)
    assert library.index(sodium) not in free.collate("train", [0, 1], 1).molecules
    parts = [t.losses(model, batch)["total"] for t in (walls, free)]
    torch.testing.assert_close(*parts)
    torch.testing.assert_close(
        parts[1], free.losses(model, free.collate("train", [0, 1], 1))["total"]
    )
