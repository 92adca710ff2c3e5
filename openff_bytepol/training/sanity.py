"""Physical sanity of a model's nonbonded parameters: no collapse, no polarization catastrophe."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
import torch
from rdkit import Chem

from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import interaction_components, smallest_response_eigenvalue
from openff_bytepol.training.molecules import gather_nonbonded

GRID = torch.arange(0.5, 6.001, 0.05, dtype=torch.float64)
"""Distances of pair curves, Å."""


CLOSEST = 1.0
"""No two atoms of different molecules may attract each other at this distance, Å."""


class PairCurve(NamedTuple):
    """Interaction of two lone atoms that carry the parameters of two molecules."""

    elements: str
    """Such as ``O-H``."""
    minimum_distance: float
    """Å"""
    minimum_energy: float
    """kcal/mol"""
    collapses: bool
    """Whether the pair attracts at `CLOSEST` or nearer, within the repulsive wall."""
    smallest_eigenvalue: float
    """Of the response matrix over all distances; must be positive."""


def pair_curves(model: Model, smiles: Sequence[str]) -> list[PairCurve]:
    """Curves of every pair of element environments in some molecules, 0.5 to 6 Å.

    Of each molecule the first atom of each element is taken, with its charge, so that
    attraction between unlike atoms is stronger than within neutral molecules.
    """
    atoms = []
    for one, parameters in zip(smiles, model.predict(list(smiles)), strict=True):
        for number in torch.unique(parameters.atomic_numbers):
            first = int((parameters.atomic_numbers == number).nonzero()[0])
            atoms.append((f"{_symbol(int(number))}({one})", parameters, first))
    return [_curve(a, b) for a, b in combinations_with_replacement(atoms, 2)]


def _curve(one: tuple[str, ParameterSet, int], other: tuple[str, ParameterSet, int]) -> PairCurve:
    name_a, a, i = one
    name_b, b, j = other
    pair = gather_nonbonded(
        ParameterSet.concatenate([a, b]), torch.tensor([i, a.n_atoms + j]), torch.tensor([0, 1])
    )
    coordinates = torch.zeros((len(GRID), 2, 3), dtype=torch.float64)
    coordinates[:, 1, 0] = GRID
    energies = interaction_components(pair, coordinates).total.squeeze(-1).numpy()
    lowest = int(np.argmin(energies))
    return PairCurve(
        f"{name_a}-{name_b}",
        float(GRID[lowest]),
        float(energies[lowest]),
        bool((energies[GRID.numpy() <= CLOSEST] < 0.0).any()),
        float(smallest_response_eigenvalue(pair, coordinates).min()),
    )


def _symbol(number: int) -> str:
    return str(Chem.GetPeriodicTable().GetElementSymbol(number))
