"""Which labels are made where none are chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from openff_bytepol.exceptions import DataError
from openff_bytepol.training.config import LabelConfig, load_config
from openff_bytepol.training.labels.make import KINDS, make_labels

RECIPES = Path(__file__).parents[2] / "recipes"
POOL = {"mine": {"path": "molecules.csv", "count": 3}}
CATIONS = {"Li": [1.9]}


@pytest.mark.parametrize(
    ("labels", "kinds"),
    [
        ({}, set()),
        ({"n_conformers": 2, "emphasis": {"O": 3}}, set()),
        ({"pools": POOL}, {"molecules"}),
        ({"extra": ["O"], "checks": {}}, {"molecules", "checks"}),
        ({"anchors": {"molecules": ["O"]}}, {"anchors"}),
        ({"responses": {"pools": POOL}}, {"responses"}),
        ({"contacts": {"molecules": ["O"]}, "clusters": {}}, {"contacts", "clusters"}),
        ({"cations": CATIONS}, set()),
        ({"cations": CATIONS, "ion_ligands": {"water": "O"}}, {"ions"}),
        ({"decompositions": {}}, {"decompositions"}),
    ],
)
def test_kinds_are_named_by_what_they_need(labels: dict, kinds: set[str]) -> None:
    assert LabelConfig(**labels).kinds == kinds <= KINDS.keys()


def test_recipes_name_what_they_promise() -> None:
    def kinds(recipe: str) -> frozenset[str]:
        return load_config(RECIPES / recipe).labels.kinds

    assert kinds("04-make-labels/label.yaml") == {"responses", "decompositions"}
    assert kinds("05-train-a-model/train.yaml") == {
        "molecules", "contacts", "clusters", "ions", "responses", "anchors"
    }  # fmt: skip
    assert kinds("06-fine-tune/fine-tune.yaml") == {"molecules"}


def test_molecules_of_dimers_are_not_labelled_unasked(toy_config: Path) -> None:
    values = yaml.safe_load(toy_config.read_text())
    assert values["dimers"]
    toy_config.write_text(yaml.safe_dump(values | {"labels": {"anchors": {}}}))
    folder = make_labels(toy_config)
    assert [path.name for path in folder.iterdir()] == ["pool-0000.parquet"], "made before"


def test_nothing_to_label_is_refused_with_a_remedy(toy_config: Path) -> None:
    with pytest.raises(DataError, match=r"train\.yaml: `labels` names nothing .* --kind molecules"):
        make_labels(toy_config)
