"""Disagreement of the members of an ensemble: parameters, energies, components, forces.

Deep ensembles as a measure of uncertainty: Lakshminarayanan et al., NeurIPS 2017
(arXiv:1612.01474).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
from openff_bytepol.potentials import Pairs, energy_and_forces
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.targets.dimers import collate_dimers, predict_dimers

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
_DIMER_BATCH: Final = 128
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


@dataclass(frozen=True)
class DimerPrediction:
    """Mean and standard deviation over the ensemble, kcal/mol."""

    rows: list[dict[str, Any]]
    """Those that the model covers."""
    mean: dict[str, FloatArray]
    deviation: dict[str, FloatArray]
    """Zero for a single model."""


def complete_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of dimers with unknown labels where they have none, as the trainer wants them."""
    blank = dict.fromkeys(("elst", "exch", "ind", "disp", "total", "weight"), np.nan)
    return [blank | {"subset": "", "name": ""} | row for row in rows]


DIMER_QUANTITIES: Final = ("elst+exch", "ind", "disp", "total")


@torch.no_grad()
def dimer_disagreement(model: Model, rows: Sequence[dict[str, Any]]) -> DimerPrediction:
    """Interaction energies with their spread over the ensemble.

    Parameters
    ----------
    model
        Any.
    rows
        With ``smiles_a``, ``smiles_b`` (mapped) and ``coordinates`` (flattened, Å), such as
        rows of the dimer schema; those the model does not cover are left out.

    Raises
    ------
    PolarizationCatastropheError
        If a geometry has no stable induced dipoles.
    """
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    library.add(row[f"smiles_{side}"] for row in rows for side in "ab")
    kept = [r for r in rows if r["smiles_a"] in library and r["smiles_b"] in library]
    pieces: dict[str, list[Tensor]] = {name: [] for name in DIMER_QUANTITIES}
    for start in range(0, len(kept), _DIMER_BATCH):
        chunk = complete_rows(kept[start : start + _DIMER_BATCH])
        energies = predict_dimers(model, collate_dimers(chunk, library))
        values = (
            energies.elec + energies.pauli, energies.pol + energies.ct, energies.disp,
            energies.total,
        )  # fmt: skip
        for name, value in zip(DIMER_QUANTITIES, values, strict=True):
            pieces[name].append(value.double())
    empty = torch.empty((model.n_members, 0), dtype=torch.float64)
    joined = {name: torch.cat(parts or [empty], dim=1) for name, parts in pieces.items()}
    several = model.n_members > 1
    return DimerPrediction(
        kept,
        {name: value.mean(0).numpy() for name, value in joined.items()},
        {
            name: (value.std(0) if several else torch.zeros(value.shape[1])).numpy()
            for name, value in joined.items()
        },
    )


@dataclass(frozen=True)
class MonomerPrediction:
    """Relative energies and forces of one molecule's geometries."""

    energies: FloatArray
    """(n_members, n_geometries), kcal/mol, each member's mean removed"""
    forces: FloatArray
    """(n_members, n_geometries, n_atoms, 3), kcal/mol/Å"""


def monomer_members(model: Model, mapped_smiles: str, coordinates: Tensor) -> MonomerPrediction:
    """Every member's energies and forces.

    Parameters
    ----------
    model
        Any.
    mapped_smiles
        Its map numbers give the atom order.
    coordinates
        (n_geometries, n_atoms, 3), Å.
    """
    parameters = model.predict_members([mapped_smiles])[0]
    pairs = Pairs.from_parameters(parameters)
    components, forces = energy_and_forces(parameters, coordinates.double(), pairs=pairs)
    energies = components.total.detach().squeeze(-1)
    energies = energies - energies.mean(-1, keepdim=True)
    return MonomerPrediction(energies.numpy(), forces.detach().numpy())
