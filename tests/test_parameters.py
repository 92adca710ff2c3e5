"""The hub: concatenation, splitting, renumbering, ensembles and serialisation."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest
import torch

from openff_bytepol.exceptions import ParameterError
from openff_bytepol.parameters import ATOM_PARAMETERS, TERM_PARAMETERS, ParameterSet
from openff_bytepol.settings import PUBLISHED_SETTINGS, NonbondedSettings
from tests.factories import C8, ethane, lithium


def assert_equal(first: ParameterSet, second: ParameterSet) -> None:
    for field in fields(ParameterSet):
        a, b = getattr(first, field.name), getattr(second, field.name)
        if field.name == "settings":
            assert a == b
        else:
            assert a.shape == b.shape, field.name
            assert torch.equal(a, b), field.name


def test_split_undoes_concatenate() -> None:
    molecules = [ethane(0), lithium(), ethane(2)]
    together = ParameterSet.concatenate(molecules)
    assert together.n_atoms == 17
    assert together.n_molecules == 3
    assert together.molecule_index.tolist() == [0] * 8 + [1] + [2] * 8
    assert together.bonds[-1].tolist() == [10, 16]
    for before, after in zip(molecules, together.split(), strict=True):
        assert_equal(before, after)


def test_split_with_members() -> None:
    stacked = ethane()
    stacked = replace(
        stacked,
        **{
            name: torch.stack([getattr(stacked, name), 2 * getattr(stacked, name)])
            for name in (*ATOM_PARAMETERS, *(n for t in TERM_PARAMETERS.values() for n in t))
        },
    )
    assert stacked.n_members == 2
    first, second = ParameterSet.concatenate([stacked, stacked]).split()
    assert_equal(first, stacked)
    assert_equal(second, stacked)
    assert_equal(stacked.member(0), ethane())
    assert torch.allclose(stacked.mean().charges, 1.5 * ethane().charges)


def test_member_needs_an_ensemble() -> None:
    with pytest.raises(ParameterError, match="no ensemble axis"):
        ethane().member(0)


def test_settings_must_agree() -> None:
    other = replace(ethane(), settings=PUBLISHED_SETTINGS)
    with pytest.raises(ParameterError, match="different settings"):
        ParameterSet.concatenate([ethane(), other])


def test_permute_moves_atoms_and_terms_together() -> None:
    original = ethane()
    order = [3, 1, 0, 2, 7, 6, 5, 4]
    moved = original.permute(order)
    for new, old in enumerate(order):
        assert moved.charges[new] == original.charges[old]
    before = {
        (*order_pair,): k
        for order_pair, k in zip(original.bonds.tolist(), original.bond_k, strict=True)
    }
    for (i, j), k in zip(moved.bonds.tolist(), moved.bond_k, strict=True):
        assert before[(order[i], order[j])] == k


@pytest.mark.parametrize("order", [[0] * 8, [0, 1, 2]])
def test_permute_refuses_what_is_no_permutation(order: list[int]) -> None:
    with pytest.raises(ParameterError, match="permutation"):
        ethane().permute(order)


def test_json_round_trip() -> None:
    with_c8 = replace(ethane(), settings=NonbondedSettings(**C8))
    both = ParameterSet.concatenate([ethane(), lithium()])
    for parameters in (ethane(), with_c8, lithium(), both):
        text = json.dumps(parameters.to_dict())
        assert_equal(ParameterSet.from_dict(json.loads(text)), parameters)


def test_unknown_fields_are_refused() -> None:
    values = ethane().to_dict()
    values["surprise"] = values.pop("c6")
    with pytest.raises(ParameterError, match="c6, surprise"):
        ParameterSet.from_dict(values)


def test_lengths_are_checked() -> None:
    with pytest.raises(ParameterError, match="charges has shape"):
        replace(ethane(), charges=torch.zeros(3))
    with pytest.raises(ParameterError, match="proper_k has shape"):
        replace(ethane(), proper_k=torch.zeros(2, 4))
