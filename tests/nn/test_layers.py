"""Layers with an ensemble axis equal the plain layers of each member."""

import pytest
import torch
from torch import nn

from openff_bytepol.nn.chain import ChainPerceptron
from openff_bytepol.nn.config import PerceptronSizes
from openff_bytepol.nn.layers import (
    SMALL_START,
    Embedding,
    LayerNorm,
    Linear,
    Perceptron,
    class_mean,
    straight_through_clamp,
)


@pytest.fixture(autouse=True)
def _double_precision():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_linear_norm_and_embedding_of_each_member():
    linear, norm, table = Linear(3, 4, 5), LayerNorm(3, 4), Embedding(3, 7, 4)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    index = torch.tensor([6, 0, 0, 3])
    x = table(index)
    for m in range(3):
        assert torch.equal(x[m], table.weight[m][index])
        expected = nn.functional.linear(x[m], linear.weight[m], linear.bias[m])
        torch.testing.assert_close(linear(x)[m], expected)
        expected = nn.functional.layer_norm(x[m], (4,), norm.weight[m], norm.bias[m])
        torch.testing.assert_close(norm(x)[m], expected)


def test_perceptron_is_a_sequence_of_maps_and_activations():
    perceptron = Perceptron(2, [3, 6, 6, 2], "silu", activate_last=True)
    x = torch.randn(2, 5, 3)
    y = x
    for layer in perceptron.layers:
        y = nn.functional.silu(layer(y))
    torch.testing.assert_close(perceptron(x), y)


def test_members_start_different_and_small_start_is_small():
    torch.manual_seed(1)
    usual = Perceptron(2, [3, 6, 2], "gelu")
    torch.manual_seed(1)
    small = Perceptron(2, [3, 6, 2], "gelu", small_start=True)
    assert not torch.equal(usual.layers[1].weight[0], usual.layers[1].weight[1])
    torch.testing.assert_close(small.layers[1].weight, SMALL_START * usual.layers[1].weight)
    assert torch.count_nonzero(small.layers[1].bias) == 0


@pytest.mark.parametrize("length", [2, 4])
def test_chain_perceptron_equals_perceptron_of_the_concatenation(length):
    chain = ChainPerceptron(2, (3, 5), length, PerceptronSizes(hidden=8, out=4, layers=3), "gelu")
    atoms, bonds = torch.randn(2, 6, 3), torch.randn(2, 7, 5)
    atom_rows = torch.randint(6, (10, length))
    bond_rows = torch.randint(7, (10, length - 1))
    pieces = []
    for i in range(length):
        pieces.append(atoms[:, atom_rows[:, i]])
        if i + 1 < length:
            pieces.append(bonds[:, bond_rows[:, i]])
    expected = chain.perceptron(torch.cat(pieces, dim=-1))
    result = chain(chain.project(atoms, bonds), atom_rows, bond_rows)
    torch.testing.assert_close(result, expected)


def test_class_mean():
    values = torch.tensor([[[1.0], [2.0], [6.0]], [[0.0], [1.0], [1.0]]])
    means = class_mean(values, torch.tensor([1, 0, 1]), 2)
    assert means.tolist() == [[[3.5], [2.0], [3.5]], [[0.5], [1.0], [0.5]]]
    assert class_mean(torch.zeros(2, 0, 3), torch.zeros(0, dtype=torch.int64), 0).shape == (2, 0, 3)


def test_clamp_passes_gradients_outside_its_limits():
    x = torch.tensor([-3.0, 0.5, 9.0], requires_grad=True)
    y = straight_through_clamp(x, 0.0, 1.0)
    assert y.tolist() == [0.0, 0.5, 1.0]
    (2 * y).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]
