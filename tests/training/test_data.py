"""What a run finds to train on."""

from __future__ import annotations

import math
from pathlib import Path

from openff_bytepol.training.config import LabelConfig, SplitConfig, TrainingConfig
from openff_bytepol.training.data import load_dimers, load_molecules
from openff_bytepol.training.labels.config import ContactConfig
from openff_bytepol.training.labels.contacts import SUBSET
from openff_bytepol.training.labels.schema import MOLECULES, write_table
from openff_bytepol.training.splits import Split
from openff_bytepol.training.targets.dimers import DIMERS
from tests.training.conftest import METHANE, METHANE_XYZ, WATER, WATER_XYZ, dimer_row, molecule_row


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


def test_contacts_for_training_are_seen_often(tmp_path: Path) -> None:
    contact = dimer_row(3.5) | {"subset": SUBSET}
    write_table([contact], DIMERS, tmp_path / "contacts" / "liquid-0000.parquet")
    write_table([dimer_row(4.0)], DIMERS, tmp_path / "decompositions" / "Li-water.parquet")

    def subsets(held_out: float, split: Split) -> list[str]:
        config = TrainingConfig(
            name="x", reference_data="x", output=str(tmp_path), stages=(),
            split=SplitConfig(pair_fraction=held_out),
            labels=LabelConfig(contacts=ContactConfig(molecules=(), repeats=3)),
        )  # fmt: skip
        return sorted(row["subset"] for row in load_dimers(config)[split])

    assert subsets(0.0, "train") == [*[SUBSET] * 3, "toy"]
    assert subsets(0.99, "test") == [SUBSET, "toy"]


def test_contacts_with_a_total_have_a_weight_of_their_own(tmp_path: Path) -> None:
    row = dimer_row(3.5) | {"subset": SUBSET}
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
