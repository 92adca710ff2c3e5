"""Graphs and message passing in DGL, the only module that imports it.

Works with DGL 1.1 and 2.x. Importing this module does not import DGL.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from openff_bytepol.graph.graph import MolecularGraph
from openff_bytepol.graph.message_passing import directed_edges


@lru_cache(maxsize=1)
def _load() -> tuple[Any, str]:
    """DGL, or None and the reason."""
    os.environ.setdefault("DGLBACKEND", "pytorch")  # else DGL prints and writes in ~/.dgl
    try:
        import dgl
    except (ImportError, OSError) as error:
        return None, f"DGL cannot be imported ({error})"
    return dgl, ""


@lru_cache(maxsize=8)
def why_unavailable(device: torch.device) -> str | None:
    """Why DGL cannot run on a device, None if it can."""
    dgl, problem = _load()
    if dgl is None:
        return problem
    try:
        dgl.graph(([], []), num_nodes=1, device=device)
    except (dgl.DGLError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1]
        return f"this build of DGL does not support {device.type} ({reason})"
    return None


def to_dgl(graph: MolecularGraph) -> Any:
    """Directed ``DGLGraph`` with the features of atoms and bonds.

    Bond b runs i→j as edge 2b and j→i as edge 2b + 1. ``ndata`` and ``edata`` hold the
    features under the names of `MolecularGraph`.
    """
    dgl, _ = _load()
    source, target = directed_edges(graph)
    result = dgl.graph((source, target), num_nodes=graph.n_atoms, device=graph.device)
    for name in (
        "atomic_numbers",
        "connectivities",
        "formal_charges",
        "ring_bonds",
        "ring_sizes",
        "atom_classes",
        "molecule_index",
    ):
        result.ndata[name] = getattr(graph, name)
    for name in ("bond_in_ring", "bond_orders", "bond_classes"):
        result.edata[name] = getattr(graph, name).repeat_interleave(2)
    return result


class DGLMessagePassing:
    """`MessagePassing` with DGL's kernels."""

    def __init__(self, graph: MolecularGraph) -> None:
        self._dgl, _ = _load()
        source, target = directed_edges(graph)
        self._graph = self._dgl.graph(
            (source, target), num_nodes=graph.n_atoms, device=graph.device
        )

    def scores(self, query: Tensor, key: Tensor) -> Tensor:
        scores: Tensor = self._dgl.ops.u_dot_v(self._graph, _rows(key), _rows(query))
        return scores.squeeze(-1).transpose(0, 1)

    def softmax(self, scores: Tensor) -> Tensor:
        weights: Tensor = self._dgl.nn.functional.edge_softmax(self._graph, _rows(scores))
        return weights.transpose(0, 1)

    def aggregate(self, value: Tensor, weights: Tensor) -> Tensor:
        gate = _rows(weights).unsqueeze(-1)
        total: Tensor = self._dgl.ops.u_mul_e_sum(self._graph, _rows(value), gate)
        return total.transpose(0, 1)


def _rows(values: Tensor) -> Tensor:
    """Atoms or edges first, as DGL wants them."""
    return values.transpose(0, 1).contiguous()
