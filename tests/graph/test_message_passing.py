"""Both implementations of message passing give the same numbers and gradients."""

import subprocess
import sys

import pytest
import torch

from openff_bytepol.exceptions import BytePolError, MissingDependencyError
from openff_bytepol.graph import batch_graphs, build_graph, dgl_backend
from openff_bytepol.graph.message_passing import (
    BACKEND_VARIABLE,
    TorchMessagePassing,
    message_passing,
    scatter_sum,
)
from tests.graph.smiles import SUPPORTED

CPU = torch.device("cpu")
needs_dgl = pytest.mark.skipif(
    dgl_backend.why_unavailable(CPU) is not None, reason="DGL is not installed"
)


@pytest.fixture(scope="module")
def batch():
    return batch_graphs([build_graph(s) for s in SUPPORTED])


def attend(passing, n_atoms, seed=0):
    """One attention step and its gradients."""
    generator = torch.Generator().manual_seed(seed)
    inputs = [
        torch.randn(2, n_atoms, 3, 5, dtype=torch.float64, generator=generator, requires_grad=True)
        for _ in range(3)
    ]
    scores = passing.scores(inputs[0], inputs[1])
    weights = passing.softmax(scores)
    result = passing.aggregate(inputs[2], weights)
    gradients = torch.autograd.grad(result.pow(2).sum() + scores.sin().sum(), inputs)
    return (scores, weights, result, *gradients)


@needs_dgl
def test_dgl_and_torch_agree(batch):
    for a, b in zip(
        attend(dgl_backend.DGLMessagePassing(batch), batch.n_atoms),
        attend(TorchMessagePassing(batch), batch.n_atoms),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("backend", ["torch", pytest.param("dgl", marks=needs_dgl)])
def test_attention_by_hand(backend):
    graph = build_graph("O")  # atoms O H H; edges 0→1, 1→0, 0→2, 2→0
    passing = message_passing(graph, backend)
    query = torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1)
    key = torch.tensor([5.0, 0.1, 0.3]).view(1, 3, 1, 1)
    scores = passing.scores(query, key).flatten()
    torch.testing.assert_close(scores, torch.tensor([10.0, 0.1, 15.0, 0.3]))
    weights = passing.softmax(scores.view(1, 4, 1))
    at_oxygen = torch.softmax(torch.tensor([0.1, 0.3]), dim=0)
    expected = torch.stack([torch.tensor(1.0), at_oxygen[0], torch.tensor(1.0), at_oxygen[1]])
    torch.testing.assert_close(weights.flatten(), expected)
    value = torch.tensor([7.0, 11.0, 13.0]).view(1, 3, 1, 1)
    result = passing.aggregate(value, weights).flatten()
    mixed = 11 * at_oxygen[0] + 13 * at_oxygen[1]
    torch.testing.assert_close(result, torch.stack([mixed, torch.tensor(7.0), torch.tensor(7.0)]))


@pytest.mark.parametrize("backend", ["torch", pytest.param("dgl", marks=needs_dgl)])
def test_atoms_without_bonds_receive_nothing(backend):
    graph = build_graph("[Li+]")
    result = attend(message_passing(graph, backend), 1)
    assert result[0].shape == (2, 0, 3)
    assert torch.equal(result[2], torch.zeros(2, 1, 3, 5, dtype=torch.float64))


@needs_dgl
def test_dgl_graph_carries_features(batch):
    graph = dgl_backend.to_dgl(batch)
    assert graph.num_nodes() == batch.n_atoms
    assert torch.equal(graph.ndata["ring_sizes"], batch.ring_sizes)
    source, target = graph.edges()
    assert torch.equal(torch.stack([source[::2], target[::2]], 1), batch.bonds)
    assert torch.equal(torch.stack([target[1::2], source[1::2]], 1), batch.bonds)
    assert torch.equal(graph.edata["bond_orders"][1::2], batch.bond_orders)


def test_environment_chooses(batch, monkeypatch):
    monkeypatch.setenv(BACKEND_VARIABLE, "torch")
    assert isinstance(message_passing(batch), TorchMessagePassing)
    monkeypatch.setenv(BACKEND_VARIABLE, "numpy")
    with pytest.raises(BytePolError, match=f"{BACKEND_VARIABLE}='numpy'.*auto, dgl, torch"):
        message_passing(batch)


def test_device_without_dgl_build():
    pytest.importorskip("dgl")
    meta = build_graph("O").to("meta")
    assert isinstance(message_passing(meta), TorchMessagePassing)
    with pytest.raises(MissingDependencyError, match=r"meta.*'torch'"):
        message_passing(meta, "dgl")


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )


def test_without_dgl(monkeypatch):
    code = """
import sys
sys.modules["dgl"] = None
from openff_bytepol.graph import build_graph
from openff_bytepol.graph.message_passing import message_passing
print(type(message_passing(build_graph("O"))).__name__)
try:
    message_passing(build_graph("O"), "dgl")
except ImportError as error:
    print(type(error).__name__, error)
"""
    lines = run_python(code, PATH="/usr/bin").stdout.splitlines()
    assert lines[0] == "TorchMessagePassing"
    assert lines[1].startswith("MissingDependencyError DGL cannot be imported")


@needs_dgl
def test_dgl_is_loaded_quietly_and_only_when_used(tmp_path):
    code = """
import sys
from openff_bytepol.graph import build_graph
from openff_bytepol.graph.message_passing import message_passing
graph = build_graph("O")
assert "dgl" not in sys.modules
message_passing(graph, "dgl")
assert "dgl" in sys.modules
"""
    done = run_python(code, HOME=str(tmp_path), PATH="/usr/bin")
    assert (done.stdout, done.stderr) == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_scatter_sum():
    values = torch.arange(12.0).view(2, 3, 2)
    total = scatter_sum(values, torch.tensor([1, 1, 3]), 4)
    assert total.tolist() == [
        [[0, 0], [2, 4], [0, 0], [4, 5]],
        [[0, 0], [14, 16], [0, 0], [10, 11]],
    ]
