"""Pair lists against shortest paths, batches against their parts."""

from __future__ import annotations

import itertools

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from openff_bytepol.exceptions import ParameterError
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import Pairs
from openff_bytepol.potentials.blocks import make_blocks
from tests.factories import ethane, lithium, make_parameters


def kinds(pairs: Pairs) -> dict[tuple[int, int], int]:
    labels = torch.arange(6).repeat_interleave(torch.tensor(pairs.counts)).tolist()
    listed = zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
    return dict(zip(listed, labels, strict=True))


def equal(a: Pairs, b: Pairs) -> bool:
    tensors = ("first", "second", "system", "atom_system", "atom_molecule")
    return (
        all(torch.equal(getattr(a, name), getattr(b, name)) for name in tensors)
        and a.counts == b.counts
        and (a.n_systems, a.n_molecules) == (b.n_systems, b.n_molecules)
    )


@st.composite
def batches(draw):
    """Random molecules (trees with extra bonds) in random systems, in any order."""
    molecules = []
    for _ in range(draw(st.integers(1, 4))):
        n = draw(st.integers(1, 7))
        bonds = {(draw(st.integers(0, i - 1)), i) for i in range(1, n)}
        if n > 3 and draw(st.booleans()):
            bonds.add((0, n - 1))
        molecules.append(make_parameters(sorted(bonds), [6] * n))
    owners = [draw(st.integers(0, 2)) for _ in molecules]
    numbering = {owner: i for i, owner in enumerate(dict.fromkeys(owners))}
    return molecules, [numbering[owner] for owner in owners]


@given(batches())
@settings(deadline=None, max_examples=60)
def test_every_pair_of_a_system_once_and_of_the_right_kind(batch):
    molecules, owners = batch
    parameters = ParameterSet.concatenate(molecules)
    system = torch.tensor(owners)[parameters.molecule_index]
    pairs = Pairs.from_parameters(parameters, system)
    graph = nx.Graph(parameters.bonds.tolist())
    graph.add_nodes_from(range(parameters.n_atoms))
    steps = dict(nx.all_pairs_shortest_path_length(graph))
    expected = {
        (i, j): min(steps[i][j] - 1, 4) if j in steps[i] else 5
        for i, j in itertools.combinations(range(parameters.n_atoms), 2)
        if system[i] == system[j]
    }
    assert kinds(pairs) == expected
    assert torch.equal(pairs.system, system[pairs.first])
    assert len(pairs.first[pairs.between]) == list(expected.values()).count(5)
    assert pairs.n_14 == list(expected.values()).count(2)


@given(batches())
@settings(deadline=None, max_examples=30)
def test_concatenation_equals_a_fresh_list(batch):
    molecules, owners = batch
    groups = [
        [m for m, owner in zip(molecules, owners, strict=True) if owner == i]
        for i in range(max(owners) + 1)
    ]
    systems = [ParameterSet.concatenate(group) for group in groups]
    index = torch.repeat_interleave(torch.tensor([s.n_atoms for s in systems]))
    fresh = Pairs.from_parameters(ParameterSet.concatenate(systems), index)
    assert equal(Pairs.concatenate([Pairs.from_parameters(s) for s in systems]), fresh)


@given(batches())
@settings(deadline=None, max_examples=30)
def test_blocks_hold_every_atom_and_pair_once(batch):
    molecules, owners = batch
    parameters = ParameterSet.concatenate(molecules)
    pairs = Pairs.from_parameters(parameters, torch.tensor(owners)[parameters.molecule_index])
    blocks = pairs.system_blocks
    assert sorted(torch.cat([b.atoms for b in blocks]).tolist()) == list(range(pairs.n_atoms))
    assert sorted(torch.cat([b.pairs for b in blocks]).tolist()) == list(range(len(pairs.first)))
    for block in blocks:
        side = 3 * block.size
        assert len(set(block.rows.flatten().tolist())) == block.rows.numel()
        assert len(set(block.entries.flatten().tolist())) == block.entries.numel()
        row, column = (block.entries // side) % side, block.entries % side
        assert (row > column).all()


def test_blocks_waste_little():
    sizes = torch.tensor([1, 10, 11, 12, 40, 41, 200])
    group = torch.repeat_interleave(sizes)
    nothing = torch.zeros(0, dtype=torch.int64)
    for block in make_blocks(group, len(sizes), nothing, nothing):
        assert (sizes[block.groups] * 1.3 >= block.size).all()


def test_copy_on_a_device():
    pairs = Pairs.from_parameters(ethane())
    assert equal(pairs.to("cpu"), pairs)
    assert pairs.to("meta").first.device.type == "meta"


def test_wrong_length():
    with pytest.raises(ParameterError, match="8 atoms"):
        Pairs.from_parameters(ethane(), torch.zeros(7, dtype=torch.int64))


def test_skipped_system():
    pair = ParameterSet.concatenate([lithium(), lithium()])
    with pytest.raises(ParameterError, match="every number"):
        Pairs.from_parameters(pair, torch.tensor([0, 2]))


def test_split_molecule():
    with pytest.raises(ParameterError, match="molecule 0 lies in several systems"):
        Pairs.from_parameters(ethane(), torch.tensor([0, 0, 0, 0, 1, 1, 1, 1]))


def test_nothing_to_concatenate():
    with pytest.raises(ParameterError, match="nothing"):
        Pairs.concatenate([])
