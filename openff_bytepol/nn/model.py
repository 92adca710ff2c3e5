"""A model: configuration, weights and the way from molecules to parameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from openff_bytepol.exceptions import ModelError
from openff_bytepol.graph import MolecularGraph, batch_graphs, build_graph
from openff_bytepol.graph.message_passing import Backend
from openff_bytepol.nn.config import ModelConfig
from openff_bytepol.nn.network import Network
from openff_bytepol.nn.postprocess import limit_angles, neutralize, symmetrize
from openff_bytepol.parameters import ParameterSet


class Model(nn.Module):
    """One network or an ensemble of several, evaluated in one call.

    Parameters
    ----------
    config
        Configuration; the default is that of our own models.
    n_members
        Ensemble members.
    name
        What the model is called in messages and files.
    backend
        Message passing: ``"auto"``, ``"dgl"`` or ``"torch"``
        (see `graph.message_passing.message_passing`).
    seed
        Seed of the initial weights; None draws from the global generator.

    Attributes
    ----------
    metadata
        Where the weights come from, as stored with them; no part of the hash.
    """

    def __init__(
        self,
        config: ModelConfig | None = None,
        *,
        n_members: int = 1,
        name: str = "untrained",
        backend: Backend = "auto",
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self.config = config or ModelConfig()
        self.name = name
        self.backend = backend
        self.metadata: dict[str, Any] = {}
        with torch.random.fork_rng(devices=[], enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            self.network = Network(self.config, n_members)

    @property
    def n_members(self) -> int:
        """Number of ensemble members."""
        return self.network.n_members

    @property
    def sha256(self) -> str:
        """SHA-256 of configuration and weights: equal if and only if the models are."""
        return model_sha256(self.config, self.network.state_dict())

    def build_graph(self, molecule: Any) -> MolecularGraph:
        """Graph of one molecule as this model wants it; see `graph.build_graph`.

        A graph is passed through, so that `predict` takes graphs, too.
        """
        if isinstance(molecule, MolecularGraph):
            return molecule
        return build_graph(molecule, self.config.graph_options)

    def forward(self, graph: MolecularGraph) -> ParameterSet:
        """Differentiable parameters of a batch of molecules.

        Parameters
        ----------
        graph
            Molecules, batched by `graph.batch_graphs`, on the device of the weights.

        Returns
        -------
        ParameterSet
            In the weights' float type, with a leading axis of ``n_members`` if there are
            several.
        """
        parameters: ParameterSet = self.network(graph, self.backend)
        return parameters.member(0) if self.n_members == 1 else parameters

    def predict(self, molecules: Any, *, batch_size: int = 64) -> list[ParameterSet]:
        """Parameters of molecules, means over the ensemble.

        Parameters
        ----------
        molecules
            One molecule or a sequence: SMILES, OpenFF ``Molecule`` or RDKit ``Mol``.
        batch_size
            Molecules per call of the network. It changes speed and memory only.

        Returns
        -------
        list of ParameterSet
            One for each molecule, in its own atom order, float64 on the CPU, without
            gradients. Charges sum to the formal charge; with the default symmetry classes
            equivalent atoms and terms have exactly equal parameters and no equilibrium angle
            is above 180 degrees.

        Raises
        ------
        ChemistryError
            If the model cannot describe a molecule.
        """
        return self._predict(molecules, batch_size, ParameterSet.mean)

    def predict_members(self, molecules: Any, *, batch_size: int = 64) -> list[ParameterSet]:
        """Like `predict`, with a leading axis of ``n_members`` instead of the mean."""
        return self._predict(molecules, batch_size, lambda members: members)

    def _predict(
        self, molecules: Any, batch_size: int, reduce: Callable[[ParameterSet], ParameterSet]
    ) -> list[ParameterSet]:
        graphs = [self.build_graph(molecule) for molecule in _as_sequence(molecules)]
        order = sorted(range(len(graphs)), key=lambda i: graphs[i].n_atoms)
        results: dict[int, ParameterSet] = {}
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            batch = batch_graphs([graphs[i] for i in chosen])
            results.update(zip(chosen, reduce(self._evaluate(batch)).split(), strict=True))
        return [results[i] for i in range(len(graphs))]

    @torch.no_grad()
    def _evaluate(self, graph: MolecularGraph) -> ParameterSet:
        training = self.training
        self.eval()
        try:
            device = next(self.parameters()).device
            parameters = self.network(graph.to(device), self.backend)
        finally:
            self.train(training)
        parameters = parameters.to("cpu", torch.float64)
        if self.config.symmetry == "refinement":
            parameters = limit_angles(symmetrize(parameters, graph))
        return neutralize(parameters, graph)

    def member(self, index: int) -> Model:
        """One member of an ensemble as a model of its own."""
        single = Model(self.config, name=f"{self.name}[{index}]", backend=self.backend)
        state = self.network.state_dict()
        per_member = dict(self.network.named_parameters())
        single.network.load_state_dict(
            {
                key: value[index : index + 1] if key in per_member else value
                for key, value in state.items()
            }
        )
        return single.to(next(self.parameters()))

    @staticmethod
    def from_members(models: Sequence[Model], *, name: str | None = None) -> Model:
        """Ensemble of models that share one configuration.

        Raises
        ------
        ModelError
            If there are none, or their configurations or fixed tables differ.
        """
        if not models or any(m.config != models[0].config for m in models):
            raise ModelError("an ensemble needs models with one and the same configuration")
        states = [m.network.state_dict() for m in models]
        per_member = dict(models[0].network.named_parameters())
        merged: dict[str, Tensor] = {}
        for key, value in states[0].items():
            if key in per_member:
                merged[key] = torch.cat([state[key] for state in states])
            elif all(torch.equal(value, state[key]) for state in states):
                merged[key] = value
            else:
                raise ModelError(f"members of an ensemble differ in the fixed table '{key}'")
        ensemble = Model(
            models[0].config,
            n_members=sum(m.n_members for m in models),
            name=name or f"{models[0].name}-ensemble",
            backend=models[0].backend,
        )
        ensemble.network.load_state_dict(merged)
        return ensemble.to(next(models[0].parameters()))


def model_sha256(config: ModelConfig, state: dict[str, Tensor]) -> str:
    """SHA-256 of the canonical bytes of configuration and weights.

    The configuration as JSON with sorted keys, then every tensor in the order of its name:
    name, type, shape and little-endian values.
    """
    digest = hashlib.sha256()
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    digest.update(text.encode())
    for name in sorted(state):
        values = state[name].detach().cpu().contiguous().numpy()
        little = values.astype(values.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name}:{values.dtype.name}:{list(values.shape)}".encode())
        digest.update(little.tobytes())
    return digest.hexdigest()


def _as_sequence(molecules: Any) -> Sequence[Any]:
    """The molecules of a sequence, or the single one that is given."""
    if isinstance(molecules, str) or not isinstance(molecules, Iterable):
        return [molecules]
    return list(molecules)
