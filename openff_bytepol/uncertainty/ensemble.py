"""Disagreement of the members of an ensemble on parameters, and latent vectors.

Deep ensembles as a measure of uncertainty: Lakshminarayanan et al., NeurIPS 2017
(arXiv:1612.01474).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from openff_bytepol.exceptions import ModelError
from openff_bytepol.graph import MolecularGraph, batch_graphs
from openff_bytepol.graph.message_passing import scatter_sum
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import TERM_PARAMETERS, ParameterSet

FloatArray = NDArray[np.float64]

SCALES: Final = {
    "charges": 0.05,
    "polarizabilities": 0.1,
    "c6": 0.2,
    "radii": 0.05,
    "epsilons": 0.3,
    "lambdas": 0.1,
    "ct_epsilons": 0.5,
    "ct_lambdas": 0.2,
    "bond_k": 0.2,
    "bond_r0": 0.02,
    "angle_k": 0.2,
    "angle_theta0": 0.05,
    "proper_k": 0.5,
    "improper_k": 0.5,
}
"""Disagreement that counts as one, in the parameter's unit; of the natural logarithm for
parameters that are `LOGARITHMIC`. A calibration replaces them by what is usual."""

LOGARITHMIC: Final = frozenset(
    {"polarizabilities", "c6", "epsilons", "lambdas", "ct_epsilons", "ct_lambdas"}
    | {"bond_k", "angle_k"}
)
_TERM_OF: Final = {name: term for term, names in TERM_PARAMETERS.items() for name in names}


@dataclass(frozen=True)
class MoleculeDescription:
    """What one pass of the network tells about molecules."""

    disagreement: dict[str, FloatArray]
    """Largest standard deviation over the ensemble in each molecule, by parameter; (n,).
    Empty for a single model."""
    latent: NDArray[np.float32]
    """Mean over atoms of the last atom vectors of the first member; (n, width)."""


def disagreement_score(
    disagreement: dict[str, FloatArray], scales: dict[str, float] | None = None
) -> FloatArray:
    """Root mean square over parameters of disagreement/scale; (n,).

    Raises
    ------
    ModelError
        If there is no disagreement to speak of: a model of one member.
    """
    if not disagreement:
        raise ModelError(
            "a single model has no disagreement; use an ensemble, or an estimator that needs "
            "none (latent, fingerprint, novelty, or last-layer Laplace)"
        )
    scales = SCALES | (scales or {})
    squares = [(values / scales[name]) ** 2 for name, values in disagreement.items()]
    return np.asarray(np.sqrt(np.mean(squares, axis=0)), dtype=np.float64)


def parameter_disagreement(parameters: ParameterSet) -> dict[str, Tensor]:
    """Largest standard deviation in each molecule, by parameter; (n_molecules,).

    Parameters
    ----------
    parameters
        Of any number of molecules, with an ensemble axis of at least two.

    Returns
    -------
    dict
        Parameter (see `SCALES`) → deviations in its unit, or of its logarithm.
    """
    n_molecules = parameters.n_molecules
    found = {}
    for name in SCALES:
        values = getattr(parameters, name)
        if name in LOGARITHMIC:
            values = values.clamp(min=1e-6).log()
        spread = values.std(0) if values.numel() else values.sum(0)
        owner = parameters.molecule_index
        if name in _TERM_OF:
            owner = owner[getattr(parameters, _TERM_OF[name])[:, 0]]
        if name == "proper_k":
            spread = spread.amax(-1) if len(spread) else spread.new_zeros(0)
        largest = spread.new_zeros(n_molecules)
        found[name] = largest.scatter_reduce(0, owner, spread, "amax")
    return found


def describe_molecules(
    model: Model, molecules: Iterable[Any], *, batch_size: int = 128
) -> MoleculeDescription:
    """Disagreement and latent vectors of many molecules, a batch at a time.

    Parameters
    ----------
    model
        Any; a single one has no disagreement.
    molecules
        Graphs of this model, or what `Model.build_graph` takes.
    batch_size
        Molecules in a pass; memory grows with it and with nothing else.

    Raises
    ------
    ChemistryError
        If the model cannot describe a molecule.
    """
    graphs = [m if isinstance(m, MolecularGraph) else model.build_graph(m) for m in molecules]
    order = sorted(range(len(graphs)), key=lambda i: graphs[i].n_atoms)
    names = tuple(SCALES) if model.n_members > 1 else ()
    spread = {name: np.zeros(len(graphs)) for name in names}
    latent = np.zeros((len(graphs), model.config.transformer.out), dtype=np.float32)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        parameters, vectors = _evaluate(model, batch_graphs([graphs[i] for i in chosen]))
        latent[chosen] = vectors.numpy()
        if names:
            for name, values in parameter_disagreement(parameters).items():
                spread[name][chosen] = values.numpy()
    return MoleculeDescription(spread, latent)


@torch.no_grad()
def _evaluate(model: Model, graph: MolecularGraph) -> tuple[ParameterSet, Tensor]:
    training = model.training
    model.eval()
    device = next(model.parameters()).device
    moved = graph.to(device)
    try:
        with _last_atom_vectors(model) as seen:
            parameters = model.network(moved, model.backend)
    finally:
        model.train(training)
    sums = scatter_sum(seen[0][:1], moved.molecule_index, graph.n_molecules)[0]
    counts = torch.bincount(moved.molecule_index, minlength=graph.n_molecules)
    return parameters.to("cpu"), (sums / counts[:, None]).cpu()


@contextmanager
def _last_atom_vectors(model: Model) -> Iterator[list[Tensor]]:
    """Keep what the transformer passes on to the heads, (n_members, n_atoms, width)."""
    seen: list[Tensor] = []
    handle = model.network.transformer.register_forward_hook(
        lambda _module, _inputs, output: seen.append(output[0])
    )
    try:
        yield seen
    finally:
        handle.remove()
