"""The model that a run starts from: untrained, or any model there is, with parts frozen."""

from __future__ import annotations

import copy

import torch
from pydantic import ValidationError
from rdkit import Chem

from openff_bytepol.exceptions import DataError
from openff_bytepol.models import load_model
from openff_bytepol.models.registry import find_model
from openff_bytepol.nn.config import ModelConfig
from openff_bytepol.nn.model import Model
from openff_bytepol.training.config import TrainingConfig
from openff_bytepol.training.labels.entries import start_entries
from openff_bytepol.training.labels.geometries import hydrogenated

PERTURBATION = 0.02
"""Relative noise on the weights of members that start as copies of one another."""


def initial_model(config: TrainingConfig) -> Model:
    """The model that a configuration starts from, with ``freeze`` applied.

    Raises
    ------
    DataError
        If a field of ``model`` is unknown or out of range, if ``model`` is given together
        with ``start``, or if ``freeze`` names nothing.
    ModelNotFoundError
        If there is no model ``start``.
    """
    model = _untrained(config) if config.start is None else _started(config, config.start)
    freeze(model, config.freeze)
    return model


def named_model(config: TrainingConfig, name: str) -> Model:
    """A model beside a configuration, or else one by its name.

    Raises
    ------
    ModelNotFoundError
        If there is neither.
    """
    beside = config.beside(name)
    return load_model(beside if beside.is_dir() else find_model(name))


def freeze(model: Model, parts: tuple[str, ...]) -> None:
    """Keep all parameters whose name begins with one of ``parts`` as they are.

    Raises
    ------
    DataError
        If a part fits no parameter, or nothing is left to train.
    """
    parameters = dict(model.network.named_parameters())
    for part in parts:
        chosen = [name for name in parameters if name == part or name.startswith(f"{part}.")]
        if not chosen:
            known = ", ".join(dict.fromkeys(name.split(".")[0] for name in parameters))
            raise DataError(f"freeze: the network has no part '{part}'; it has {known}")
        for name in chosen:
            parameters[name].requires_grad_(False)
    if not any(parameter.requires_grad for parameter in parameters.values()):
        raise DataError("freeze: nothing is left to train")


def average_with_start(model: Model, config: TrainingConfig) -> None:
    """Set each weight to ``start_share`` of the start's and the rest of its own.

    Models fine-tuned from one another lie in one valley of the loss, where the mean of their
    weights often does well on what both were trained for: Wortsman et al., CVPR 2022, "Robust
    fine-tuning of zero-shot models", arXiv 2109.01903.
    """
    if config.start_share == 0.0:
        return
    start = initial_model(config).network.state_dict()
    with torch.no_grad():
        for name, weight in model.network.named_parameters():
            weight.lerp_(start[name].to(weight), config.start_share)


def start_molecules(config: TrainingConfig) -> list[str]:
    """Mapped SMILES of the molecules for which the start's parameters are a target.

    Those of ``start_pools``, or of ``labels.pools`` and ``labels.extra``, as often as
    ``labels.emphasis`` says.

    Raises
    ------
    DataError
        If the run has no ``start``, or there are no molecules.
    """
    if config.start is None:
        raise DataError(
            f"{config.name}: the target start keeps what a model knows: name it in `start`"
        )
    entries = start_entries(config)
    if not entries:
        raise DataError(
            f"{config.name}: the target start has no molecules: name some in `start_pools` or "
            "`labels.pools`"
        )
    often = config.labels.times_shown
    return [
        Chem.MolToSmiles(hydrogenated(entry.smiles))
        for entry in entries
        for _ in range(often.get(entry.smiles, 1))
    ]


def _untrained(config: TrainingConfig) -> Model:
    try:
        settings = ModelConfig.model_validate(config.model)
    except ValidationError as error:
        raise DataError(f"{config.name}: `model`: {error}") from error
    return Model(settings, n_members=config.n_members or 1, name=config.name, seed=config.seed)


def _started(config: TrainingConfig, start: str) -> Model:
    """The members of a model, repeated with a little noise if there are too few."""
    if config.model:
        raise DataError(f"{config.name}: `model` cannot be changed in a run that has a `start`")
    base = copy.deepcopy(named_model(config, start))
    count = config.n_members or base.n_members
    members = [base.member(i % base.n_members) for i in range(count)]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(config.seed)
        for member in members[base.n_members :]:
            for parameter in member.parameters():
                parameter.mul_(1.0 + PERTURBATION * torch.randn_like(parameter))
    return Model.from_members(members, name=config.name)
