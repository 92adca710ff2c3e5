"""Is a molecule like those that the model was trained on? ``in``, ``edge`` or ``out``.

Two scores decide: the ensemble's disagreement on the molecule's parameters, and the part
of its atoms whose environment never occurred in training. ``edge`` is above what 95 % of
held-out molecules have, ``out`` above (nearly) all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from openff_bytepol.exceptions import ModelError
from openff_bytepol.graph import MolecularGraph
from openff_bytepol.models.registry import find_model, load_model
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.uncertainty.calibration import Calibration, Thresholds, read_calibration
from openff_bytepol.uncertainty.ensemble import disagreement_score, parameter_disagreement
from openff_bytepol.uncertainty.environments import unknown_fractions

Domain = Literal["in", "edge", "out"]


@dataclass(frozen=True)
class Verdict:
    """How far a molecule is from what the model knows."""

    domain: Domain
    disagreement: float | None
    """Relative to what is usual; None for a single model."""
    novelty: float
    """Part of the atoms in unknown environments."""
    reasons: tuple[str, ...]
    """Why it is not ``in``."""


def judge(model: str, molecules: Sequence[Any]) -> list[Verdict]:
    """Verdicts on molecules.

    Parameters
    ----------
    model
        Name or directory of a model that has a calibration.
    molecules
        SMILES, OpenFF or RDKit molecules.

    Raises
    ------
    ModelError
        If the model has no calibration.
    ChemistryError
        If the model cannot describe a molecule.
    """
    loaded = load_model(model)
    calibration = read_calibration(find_model(model), loaded.sha256)
    if calibration is None:
        raise ModelError(
            f"model '{loaded.name}' has no calibration; make one with `bytepol models calibrate`"
        )
    graphs = [loaded.build_graph(molecule) for molecule in molecules]
    members = loaded.predict_members(graphs)
    return [
        judge_prediction(calibration, graph, parameters)
        for graph, parameters in zip(graphs, members, strict=True)
    ]


def judge_prediction(
    calibration: Calibration, graph: MolecularGraph, members: ParameterSet
) -> Verdict:
    """Verdict on one molecule whose parameters are predicted already.

    Parameters
    ----------
    calibration
        Of the model.
    graph
        The molecule.
    members
        Its parameters, with an ensemble axis.
    """
    novelty = novelty_of(graph, torch.tensor(calibration.known_environments))
    domains, reasons = [_place(novelty, calibration.novelty)], []
    if domains[0] != "in":
        reasons.append(f"{novelty:.0%} of its atoms are in surroundings the model has not seen")
    disagreement = None
    if calibration.disagreement is not None:
        disagreement = disagreement_of(members, calibration.scales)
        domains.append(_place(disagreement, calibration.disagreement))
        if domains[1] != "in":
            reasons.append(f"the ensemble disagrees {disagreement:.1f} times as much as usual")
    worst: Domain = next((d for d in ("out", "edge") if d in domains), "in")
    return Verdict(worst, disagreement, novelty, tuple(reasons))


def disagreement_of(members: ParameterSet, scales: dict[str, float]) -> float:
    """Score of one molecule from its members' parameters."""
    spread = {n: v.double().numpy() for n, v in parameter_disagreement(members).items()}
    return float(disagreement_score(spread, scales)[0])


def novelty_of(graph: MolecularGraph, known: torch.Tensor) -> float:
    """Part of one molecule's atoms in environments that are not known."""
    return float(unknown_fractions(graph, known)[0])


def _place(score: float, thresholds: Thresholds) -> Domain:
    if score > thresholds.out:
        return "out"
    return "edge" if score > thresholds.edge else "in"
