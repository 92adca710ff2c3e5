"""Attention over bonds: the interface of both implementations, and the plain one."""

from __future__ import annotations

import os
from typing import Final, Literal, Protocol, get_args

import torch
from torch import Tensor

from openff_bytepol.exceptions import BytePolError
from openff_bytepol.graph.graph import MolecularGraph

Backend = Literal["auto", "dgl", "torch"]

BACKEND_VARIABLE: Final = "BYTEPOL_GRAPH_BACKEND"
"""Environment variable that chooses the implementation where "auto" is asked for."""


class MessagePassing(Protocol):
    """Operations on the directed bonds of a batch: bond b runs i→j as edge 2b, j→i as 2b + 1.

    Tensors carry a leading ensemble axis m; n atoms, e = 2·n_bonds edges, h heads, c channels.
    """

    def scores(self, query: Tensor, key: Tensor) -> Tensor:
        """query(target)·key(source) on each edge: (m, n, h, c) twice → (m, e, h)."""

    def softmax(self, scores: Tensor) -> Tensor:
        """Softmax over the edges that enter each atom: (m, e, h) → (m, e, h)."""

    def aggregate(self, value: Tensor, weights: Tensor) -> Tensor:
        """Weighted sum over neighbours: (m, n, h, c), (m, e, h) → (m, n, h, c)."""


def directed_edges(graph: MolecularGraph) -> tuple[Tensor, Tensor]:
    """Source and target atom of each directed bond, (2·n_bonds,) each."""
    source = graph.bonds.reshape(-1)
    target = graph.bonds.flip(1).reshape(-1)
    return source, target


def message_passing(graph: MolecularGraph, backend: Backend = "auto") -> MessagePassing:
    """Message passing over a graph.

    Parameters
    ----------
    graph
        Molecules, on any device.
    backend
        ``"dgl"``, ``"torch"``, or ``"auto"``: what the environment variable
        ``BYTEPOL_GRAPH_BACKEND`` says, else DGL if it is installed with a build for the
        device, else torch.

    Raises
    ------
    MissingDependencyError
        If DGL is asked for and cannot run on the device.
    """
    if backend == "auto":
        backend = _backend_from_environment()
    if backend == "torch":
        return TorchMessagePassing(graph)
    from openff_bytepol.graph import dgl_backend

    if backend == "auto" and dgl_backend.why_unavailable(graph.device):
        return TorchMessagePassing(graph)
    return dgl_backend.DGLMessagePassing(graph)


def _backend_from_environment() -> Backend:
    value = os.environ.get(BACKEND_VARIABLE, "auto")
    if value not in get_args(Backend):
        raise BytePolError(
            f"{BACKEND_VARIABLE}='{value}' is not one of {', '.join(get_args(Backend))}"
        )
    return value  # type: ignore[return-value]


class TorchMessagePassing:
    """`MessagePassing` with gathers and scatters of plain torch."""

    def __init__(self, graph: MolecularGraph) -> None:
        self.source, self.target = directed_edges(graph)
        self.n_atoms = graph.n_atoms

    def scores(self, query: Tensor, key: Tensor) -> Tensor:
        at_target = query.index_select(1, self.target)
        at_source = key.index_select(1, self.source)
        return (at_target * at_source).sum(dim=-1)

    def softmax(self, scores: Tensor) -> Tensor:
        index = self.target[None, :, None].expand_as(scores)
        shape = (scores.shape[0], self.n_atoms, scores.shape[2])
        highest = scores.detach().new_full(shape, -torch.inf)
        highest = highest.scatter_reduce(1, index, scores.detach(), "amax")
        exponentials = torch.exp(scores - highest.index_select(1, self.target))
        total = exponentials.new_zeros(shape).scatter_add(1, index, exponentials)
        return exponentials / total.index_select(1, self.target)

    def aggregate(self, value: Tensor, weights: Tensor) -> Tensor:
        messages = value.index_select(1, self.source) * weights.unsqueeze(-1)
        return scatter_sum(messages, self.target, self.n_atoms)


def scatter_sum(values: Tensor, index: Tensor, size: int) -> Tensor:
    """Sum rows with equal index: (m, n, …), (n,) → (m, size, …)."""
    rows = values.transpose(0, 1)
    flat = rows.flatten(1)
    total = flat.new_zeros(size, flat.shape[1]).index_add(0, index, flat)
    return total.reshape(size, *rows.shape[1:]).transpose(0, 1)
