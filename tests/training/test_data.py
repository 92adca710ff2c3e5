"""What a run finds to train on."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml

from openff_bytepol.nn.model import Model
from openff_bytepol.training.config import (
    LabelConfig,
    SplitConfig,
    StageConfig,
    TrainingConfig,
    load_config,
)
from openff_bytepol.training.data import (
    load_dimers,
    load_molecules,
    load_potentials,
    load_responses,
    make_targets,
    without_known_dipoles,
)
from openff_bytepol.training.datasets.schemas import POTENTIALS, RESPONSES
from openff_bytepol.training.labels.config import ContactConfig
from openff_bytepol.training.labels.schema import MOLECULES, write_table
from openff_bytepol.training.splits import Split
from openff_bytepol.training.targets.dimers import CONTACTS, DIMERS, MINIMA
from tests.training.conftest import METHANE, METHANE_XYZ, WATER, WATER_XYZ, dimer_row, molecule_row
from tests.training.test_potentials import potential_row
from tests.training.test_responses import response_row


def test_labels_of_our_own_count_with_the_weight_of_the_configuration(tmp_path: Path) -> None:
    rows = [dimer_row(3.0), dimer_row(3.5) | {"total": float("nan")}]
    write_table(rows, DIMERS, tmp_path / "contacts" / "liquid-0000.parquet")
    write_table([dimer_row(4.0)], DIMERS, tmp_path / "decompositions" / "Li-water.parquet")
    config = TrainingConfig(
        name="x", reference_data="x", output=str(tmp_path), stages=(),
        labels=LabelConfig(contacts=ContactConfig(molecules=(), weight=7.0)),
    )  # fmt: skip
    found = [row for split in load_dimers(config).values() for row in split]
    assert sorted(row["weight"] for row in found) == [1.0, 7.0, 7.0]


def test_repulsive_contacts_without_a_total_are_left_out(tmp_path: Path) -> None:
    high = dimer_row(2.5) | {"total": float("nan")}
    assert high["elst"] + high["exch"] > 20.0
    write_table([high, dimer_row(3.0)], DIMERS, tmp_path / "contacts" / "chunk-0000.parquet")
    config = TrainingConfig(name="x", reference_data="x", output=str(tmp_path), stages=())
    assert [len(rows) for rows in load_dimers(config).values()].count(1) == 1


def test_components_of_a_level_are_corrected(tmp_path: Path) -> None:
    row = dimer_row(3.5)
    write_table([row], DIMERS, tmp_path / "contacts" / "chunk-0000.parquet")
    config = TrainingConfig(
        name="x", reference_data="x", output=str(tmp_path), stages=(),
        level_factors={"made up": {"disp": 0.9}, "another": {"exch": 2.0}},
    )  # fmt: skip
    (found,) = [row for split in load_dimers(config).values() for row in split]
    assert found["disp"] == 0.9 * row["disp"]
    assert found["exch"] == row["exch"]


def test_dipoles_and_potentials_of_a_level_are_corrected(tmp_path: Path) -> None:
    common = {"subset": "x", "name": "O", "level": "good", "mapped_smiles": WATER}
    common["coordinates"] = WATER_XYZ.ravel()
    response = common | {"dipole": [0.1, 0.2, 0.0], "polarizability": np.eye(3).ravel()}
    potential = common | {"points": [3.0, 0.0, 0.0], "potential": [2.0]}
    write_table([response], RESPONSES, tmp_path / "labels" / "responses" / "chunk.parquet")
    write_table([potential], POTENTIALS, tmp_path / "labels" / "potentials" / "chunk.parquet")
    config = TrainingConfig(
        name="x", reference_data="x", output=str(tmp_path), stages=(),
        level_factors={"good": {"dipole": 0.9, "potential": 0.8, "disp": 0.7}},
    )  # fmt: skip
    (found,) = [row for split in load_responses(config).values() for row in split]
    np.testing.assert_allclose(found["dipole"], [0.09, 0.18, 0.0])
    np.testing.assert_allclose(found["polarizability"], np.eye(3).ravel())
    (found,) = [row for split in load_potentials(config).values() for row in split]
    np.testing.assert_allclose(found["potential"], [1.6])


def test_contacts_for_training_are_seen_often(tmp_path: Path) -> None:
    contact = dimer_row(3.5) | {"subset": CONTACTS}
    write_table([contact], DIMERS, tmp_path / "contacts" / "liquid-0000.parquet")
    write_table([dimer_row(4.0)], DIMERS, tmp_path / "decompositions" / "Li-water.parquet")

    def subsets(held_out: float, split: Split) -> list[str]:
        config = TrainingConfig(
            name="x", reference_data="x", output=str(tmp_path), stages=(),
            split=SplitConfig(pair_fraction=held_out),
            labels=LabelConfig(contacts=ContactConfig(molecules=(), repeats=3)),
        )  # fmt: skip
        return sorted(row["subset"] for row in load_dimers(config)[split])

    assert subsets(0.0, "train") == [*[CONTACTS] * 3, "toy"]
    assert subsets(0.99, "test") == [CONTACTS, "toy"]


def test_liquids_that_must_be_right_are_not_held_out(tmp_path: Path) -> None:
    water = dimer_row(3.5) | {"smiles_b": WATER, "coordinates": np.tile(WATER_XYZ, (2, 1)).ravel()}
    water["coordinates"][9:] += 3.0
    write_table([dimer_row(3.5), water], DIMERS, tmp_path / "contacts" / "liquid-0000.parquet")
    config = TrainingConfig(
        name="x", reference_data="x", output=str(tmp_path), stages=(),
        split=SplitConfig(pair_fraction=0.99, trained=("[H]O[H]",)),
    )  # fmt: skip
    found = load_dimers(config)
    assert [row["smiles_b"] for row in found["train"]] == [WATER]
    assert [row["smiles_b"] for row in found["test"]] == [METHANE]


def test_contacts_are_a_target_of_their_own_where_asked_for(tmp_path: Path) -> None:
    rows = [dimer_row(3.5) | {"subset": subset} for subset in (CONTACTS, MINIMA, "toy")]
    write_table(rows, DIMERS, tmp_path / "contacts" / "liquid-0000.parquet")
    model = Model(seed=1)

    def sizes(*names: str) -> dict[str, int]:
        stage = StageConfig(
            name="s", weights=dict.fromkeys(names, 1.0), epochs=1, learning_rate=1e-3
        )
        config = TrainingConfig(
            name="x", reference_data="x", output=str(tmp_path), stages=(stage,),
            split=SplitConfig(pair_fraction=0.0),
        )  # fmt: skip
        return {name: target.size("train") for name, target in make_targets(config, model).items()}

    assert sizes("dimers") == {"dimers": 3}
    assert sizes("dimers", "contacts") == {"dimers": 1, "contacts": 2}
    assert sizes("contacts") == {"contacts": 2}


def test_pairs_of_molecules_with_few_totals_are_repeated(tmp_path: Path) -> None:
    contact = dimer_row(3.5) | {"subset": CONTACTS}
    other = contact | {"smiles_b": WATER, "coordinates": np.tile(WATER_XYZ, (2, 1)).ravel()}
    other["coordinates"][9:] += 3.0
    rows = [contact] * 4 + [other, contact | {"total": math.nan}]
    write_table(rows, DIMERS, tmp_path / "contacts" / "liquid-0000.parquet")

    def count(**settings: int) -> list[int]:
        config = TrainingConfig(
            name="x", reference_data="x", output=str(tmp_path), stages=(),
            split=SplitConfig(pair_fraction=0.0),
            labels=LabelConfig(contacts=ContactConfig(molecules=(), **settings)),
        )  # fmt: skip
        found = load_dimers(config)["train"]
        water = sum(row["smiles_b"] == WATER for row in found)
        without = sum(math.isnan(row["total"]) for row in found)
        return [len(found) - water - without, water, without]

    assert count() == [4, 1, 1]
    assert count(shown=10) == [12, 10, 1]
    assert count(shown=10, repeats=4) == [16, 10, 4]
    assert count(shown=1000) == [80, 20, 1], "at most twenty times"


def test_bound_pairs_are_repeated_on_their_own(tmp_path: Path) -> None:
    """However many contacts from liquids the same two molecules have."""
    contact = dimer_row(3.5) | {"subset": CONTACTS}
    rows = [contact] * 12 + [contact | {"subset": MINIMA}] * 2
    write_table(rows, DIMERS, tmp_path / "contacts" / "liquid-0000.parquet")
    config = TrainingConfig(
        name="x", reference_data="x", output=str(tmp_path), stages=(),
        split=SplitConfig(pair_fraction=0.0),
        labels=LabelConfig(contacts=ContactConfig(molecules=(), shown=6)),
    )  # fmt: skip
    found = Counter(row["subset"] for row in load_dimers(config)["train"])
    assert found == {CONTACTS: 12, MINIMA: 6}


def test_contacts_with_a_total_have_a_weight_of_their_own(tmp_path: Path) -> None:
    row = dimer_row(3.5) | {"subset": CONTACTS}
    rows = [row, row | {"name": "first order", "total": math.nan}]
    write_table(rows, DIMERS, tmp_path / "contacts" / "liquid-0000.parquet")

    def weights(**settings: float) -> list[float]:
        config = TrainingConfig(
            name="x", reference_data="x", output=str(tmp_path), stages=(),
            labels=LabelConfig(contacts=ContactConfig(molecules=(), **settings)),
        )  # fmt: skip
        return [row["weight"] for rows in load_dimers(config).values() for row in rows]

    assert weights(weight=4.0) == [4.0, 4.0]
    assert weights(weight=4.0, total_weight=8.0) == [8.0, 4.0]


def test_some_molecules_are_seen_often(tmp_path: Path) -> None:
    rows = [molecule_row("O", WATER, WATER_XYZ), molecule_row("C", METHANE, METHANE_XYZ)]
    write_table(rows, MOLECULES, tmp_path / "labels" / "named-0000.parquet")
    config = TrainingConfig(
        name="x", reference_data="x", output=str(tmp_path), stages=(),
        split=SplitConfig(scaffold_fraction=0.0),
        labels=LabelConfig(emphasis={"[H]O[H]": 3}),
    )  # fmt: skip
    found = load_molecules(config)
    assert sorted(row["smiles"] for row in found["train"]) == ["C", "O", "O", "O"]
    assert not found["validation"] + found["test"]


def toy_labels(folder: Path) -> list[dict]:
    """Two molecules; water's dipole is known, methane's polarizability alone."""
    molecules = [molecule_row("O", WATER, WATER_XYZ), molecule_row("C", METHANE, METHANE_XYZ)]
    responses = [
        response_row("O", WATER, WATER_XYZ, 1.5),
        response_row("C", METHANE, METHANE_XYZ, 2.5) | {"dipole": np.full(3, np.nan)},
    ]
    potentials = [
        potential_row("O", WATER, WATER_XYZ, 6),
        potential_row("C", METHANE, METHANE_XYZ, 4),
    ]
    write_table(molecules, MOLECULES, folder / "labels" / "named-0000.parquet")
    write_table(responses, RESPONSES, folder / "labels" / "responses" / "chunk-0000.parquet")
    write_table(potentials, POTENTIALS, folder / "labels" / "potentials" / "chunk-0000.parquet")
    return molecules


def toy_config(folder: Path, *stages: dict[str, float], **labels: object) -> TrainingConfig:
    return TrainingConfig(
        name="x", reference_data="x", output=str(folder),
        stages=tuple(
            StageConfig(name=str(i), weights=weights, epochs=1, learning_rate=1e-3)
            for i, weights in enumerate(stages)
        ),
        split=SplitConfig(scaffold_fraction=0.0),
        labels=LabelConfig(**labels),
    )  # fmt: skip


def test_emphasis_repeats_responses_and_potentials_for_training(tmp_path: Path) -> None:
    toy_labels(tmp_path)
    config = toy_config(tmp_path, emphasis={"[H]O[H]": 3})
    for load in (load_responses, load_potentials):
        found = load(config)
        assert sorted(row["name"] for row in found["train"]) == ["C", "O", "O", "O"]
        held = config.model_copy(update={"split": SplitConfig(scaffold_fraction=0.99)})
        assert sorted(row["name"] for row in load(held)["test"]) == ["C", "O"]


def test_known_dipoles_replace_those_of_aimnet2(tmp_path: Path) -> None:
    toy_labels(tmp_path)
    config = toy_config(tmp_path)
    molecules = load_molecules(config)
    found = without_known_dipoles(molecules, load_responses(config))
    unknown = {row["smiles"]: np.isnan(row["dipoles"]) for row in found["train"]}
    assert unknown["O"].all()
    assert not unknown["C"].any()
    assert not any(np.isnan(row["dipoles"]).any() for row in molecules["train"])


@pytest.mark.parametrize(
    ("stages", "replaced"),
    [
        ([{"monomers": 1.0}], False),
        ([{"monomers": 1.0, "responses": 1.0}], True),
        ([{"responses": 1.0}, {"monomers": 1.0, "responses": 1.0}], True),
        ([{"monomers": 1.0}, {"monomers": 1.0, "responses": 1.0}], False),
    ],
)
def test_dipoles_are_replaced_where_every_stage_has_the_better_ones(
    tmp_path: Path, stages: list[dict[str, float]], replaced: bool
) -> None:
    toy_labels(tmp_path)
    target = make_targets(toy_config(tmp_path, *stages), Model(seed=3))["monomers"]
    (batch,) = [
        batch for i in range(2) if (batch := target.collate("train", [i], 0)).smiles == ("O",)
    ]
    assert batch.dipoles.isnan().all().item() == replaced


def test_the_training_recipe_can_ask_for_responses() -> None:
    path = Path(__file__).parents[2] / "recipes/05-train-a-model/train.yaml"
    labels = yaml.safe_load(path.read_text())["labels"]
    labels["responses"] = {"extra": ["O", "CO"], "benchmark": ["O"], "max_heavy_atoms": 7}
    config = load_config(path, {"labels": labels})
    assert config.labels.responses is not None
    assert config.labels.responses.benchmark == ("O",)
    assert config.labels.contacts is not None
