"""Graphs and message passing in DGL, the only module that imports it.

Works with DGL 1.1 and 2.x. Importing this module does not import DGL.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, Final

import torch
from torch import Tensor

from openff_bytepol.exceptions import MissingDependencyError
from openff_bytepol.graph.graph import MolecularGraph
from openff_bytepol.graph.message_passing import directed_edges

_ATOM_FEATURES: Final = (
    "atomic_numbers",
    "connectivities",
    "formal_charges",
    "ring_bonds",
    "ring_sizes",
    "atom_classes",
    "molecule_index",
)
_BOND_FEATURES: Final = ("bond_in_ring", "bond_orders", "bond_classes")


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
        graph = dgl.graph(([0], [0]), num_nodes=1, device=device)
        dgl.ops.copy_u_sum(graph, torch.ones(1, 1, device=device))
    except Exception as error:  # DGL, torch and drivers raise unrelated types here
        reason = str(error).strip().splitlines()[-1]
        return f"this build of DGL does not support {device.type} ({reason})"
    return None


def to_dgl(graph: MolecularGraph) -> Any:
    """Directed ``DGLGraph`` with the features of atoms and bonds.

    Bond b runs i→j as edge 2b and j→i as edge 2b + 1. ``ndata`` and ``edata`` hold the
    features under the names of `MolecularGraph`.

    Raises
    ------
    MissingDependencyError
        If DGL cannot run on the graph's device.
    """
    result = _structure(graph)
    for name in _ATOM_FEATURES:
        result.ndata[name] = getattr(graph, name)
    for name in _BOND_FEATURES:
        result.edata[name] = getattr(graph, name).repeat_interleave(2)
    return result


def _structure(graph: MolecularGraph) -> Any:
    problem = why_unavailable(graph.device)
    if problem is not None:
        raise MissingDependencyError(
            f"{problem}; install a DGL build for it or choose the backend 'torch'"
        )
    dgl, _ = _load()
    source, target = directed_edges(graph)
    return dgl.graph((source, target), num_nodes=graph.n_atoms, device=graph.device)


class DGLMessagePassing:
    """`MessagePassing` with DGL's kernels."""

    def __init__(self, graph: MolecularGraph) -> None:
        self._graph = _structure(graph)
        self._ops = _load()[0].ops

    def scores(self, query: Tensor, key: Tensor) -> Tensor:
        scores: Tensor = self._ops.u_dot_v(self._graph, _rows(key), _rows(query))
        return scores.squeeze(-1).transpose(0, 1)

    def softmax(self, scores: Tensor) -> Tensor:
        weights: Tensor = self._ops.edge_softmax(self._graph, _rows(scores))
        return weights.transpose(0, 1)

    def aggregate(self, value: Tensor, weights: Tensor) -> Tensor:
        gate = _rows(weights).unsqueeze(-1)
        total: Tensor = self._ops.u_mul_e_sum(self._graph, _rows(value), gate)
        return total.transpose(0, 1)


def _rows(values: Tensor) -> Tensor:
    """Atoms or edges first, as DGL wants them."""
    return values.transpose(0, 1).contiguous()
