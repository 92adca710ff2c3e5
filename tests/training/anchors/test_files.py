"""Checks of files of anchors."""

from __future__ import annotations

import math

import pytest

from openff_bytepol.training.datasets.kinds import KINDS, has_geometry
from openff_bytepol.training.datasets.validation import contradictions, validate
from tests.training.conftest import WATER, anchor_row, dimer_row

CHARGES = [-0.8, 0.4, 0.4]


@pytest.mark.parametrize(
    ("reason", "values"),
    [
        ("unsupported chemistry: not a valid SMILES", {"mapped_smiles": "nonsense"}),
        ("unsupported chemistry: element", {"mapped_smiles": "[Se:1]([H:2])[H:3]"}),
        ("parameters and molecule differ in length", {"radii": [1.0, 2.0]}),
        ("values that are not finite", {"c6": [1.0, math.inf, 1.0]}),
        ("values that are not finite", {"loss_after": math.nan}),
        ("lambdas that are not positive", {"lambdas": [1.0, -1.0, 1.0]}),
        ("ct_epsilons that are not positive", {"ct_epsilons": [0.0, 1.0, 1.0]}),
        ("charges do not add up", {"charges": [-0.8, 0.4, 0.41]}),
        ("loss rose in the fit", {"loss_after": 2.5}),
    ],
)
def test_broken_anchors_are_dropped_with_the_reason(reason: str, values: dict) -> None:
    good = anchor_row("[Cl-:1]", [-1.0])
    kept, report = validate("anchors", [good, anchor_row(WATER, CHARGES) | values])
    assert kept == [good]
    assert report.dropped == {reason: 1}
    assert report.examples == {reason: [values.get("mapped_smiles", WATER)]}


def test_anchors_that_were_not_fitted_have_no_loss() -> None:
    unknown = {"n_dimers": 0, "loss_before": math.nan, "loss_after": math.nan}
    _, report = validate("anchors", [anchor_row(WATER, CHARGES, **unknown)])
    assert report.clean
    assert report.levels == {"not fitted": 1}


def test_a_molecule_has_one_set_of_parameters() -> None:
    turned = anchor_row("[H:1][O:2][H:3]", [0.4, -0.8, 0.4])
    other = anchor_row(WATER, CHARGES, c6=[9.0, 1.0, 1.0])
    kept, report = validate("anchors", [anchor_row(WATER, CHARGES), turned, other])
    assert len(kept) == 1
    assert report.dropped == {"duplicate": 1, "other parameters of the same molecule": 1}
    assert report.examples["duplicate"] == ["[H:1][O:2][H:3]"]


def test_only_entries_without_geometries_contradict_one_another() -> None:
    assert [kind for kind in KINDS if not has_geometry(kind)] == ["anchors"]
    anchors = [anchor_row(WATER, CHARGES), anchor_row(WATER, CHARGES, c6=[9.0, 1.0, 1.0])]
    assert contradictions("anchors", anchors) == {1}
    assert contradictions("dimers", [dimer_row(3.0), dimer_row(3.5)]) == set()
