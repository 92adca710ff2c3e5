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
from openff_bytepol.training.labels import geometries
from openff_bytepol.training.molecules import gather_nonbonded
from openff_bytepol.training.rigid_pairs import BoundPair, Molecule, bound_pairs

GRID = torch.arange(0.5, 6.001, 0.05, dtype=torch.float64)
"""Distances of pair curves, Å."""


CLOSEST = 1.0
"""No two atoms of different molecules may attract each other at this distance, Å."""


TOUCHING = 0.78
"""Heavy atoms of two molecules are no nearer at a minimum, in the sum of Bondi's radii: the
shortest hydrogen bonds between neutral molecules have 0.83 (2.5 Å between oxygens)."""


class ClosestApproach(NamedTuple):
    """Two heavy atoms of two molecules at the deepest minima of their interaction."""

    smiles: tuple[str, str]
    elements: str
    """Such as ``O-N``."""
    distance: float
    """Å"""
    fraction: float
    """Of the sum of Bondi's van der Waals radii."""
    energy: float
    """Of the two molecules, kcal/mol."""
    collapses: bool
    """Whether they are nearer than `TOUCHING`."""


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


def closest_approaches(
    model: Model, pairs: Sequence[tuple[str, str]], *, n_starts: int = 16, seed: int = 0
) -> list[ClosestApproach]:
    """How near a model lets two molecules come where it binds them, the nearest of all minima.

    A hole in the walls between whole molecules need not show in `pair_curves`: charge transfer
    of several pairs of atoms adds up, and a minimum may lie at 2 or 3 Å.

    Parameters
    ----------
    model
        Its mean parameters are taken.
    pairs
        SMILES of neutral molecules.
    n_starts
        Random contacts of each pair from which its energy is minimised.
    seed
        Of conformers and contacts.

    Returns
    -------
    list of ClosestApproach
        One for each pair; ETKDG conformers are kept rigid.
    """
    names = list(dict.fromkeys(smiles for pair in pairs for smiles in pair))
    molecules = dict(zip(names, _rigid(model, names, seed), strict=True))
    found = bound_pairs(
        [(molecules[a], molecules[b]) for a, b in pairs], n_starts=n_starts, seed=seed
    )
    return [
        min(
            (_approach(pair, (molecules[pair[0]], molecules[pair[1]]), m) for m in minima),
            key=lambda approach: approach.fraction,
        )
        for pair, minima in zip(pairs, found, strict=True)
    ]


def _rigid(model: Model, names: Sequence[str], seed: int) -> list[Molecule]:
    table = Chem.GetPeriodicTable()
    mols = [geometries.hydrogenated(smiles) for smiles in names]
    parameters = model.predict([Chem.MolToSmiles(mol) for mol in mols])
    return [
        Molecule(
            one,
            geometries.conformers(mol, 1, seed)[0],
            np.array([table.GetRvdw(atom.GetAtomicNum()) for atom in mol.GetAtoms()]),
        )
        for mol, one in zip(mols, parameters, strict=True)
    ]


def _approach(
    smiles: tuple[str, str], molecules: tuple[Molecule, Molecule], minimum: BoundPair
) -> ClosestApproach:
    numbers = [one.parameters.atomic_numbers.numpy() for one in molecules]
    heavy = [(of > 1).nonzero()[0] for of in numbers]
    first, second = (xyz[k] for xyz, k in zip(minimum.coordinates, heavy, strict=True))
    distances = np.linalg.norm(first[:, None] - second[None], axis=-1)
    sums = np.add.outer(*(one.radii[k] for one, k in zip(molecules, heavy, strict=True)))
    i, j = np.unravel_index(int((distances / sums).argmin()), distances.shape)
    fraction = float(distances[i, j] / sums[i, j])
    return ClosestApproach(
        smiles,
        f"{_symbol(int(numbers[0][heavy[0][i]]))}-{_symbol(int(numbers[1][heavy[1][j]]))}",
        float(distances[i, j]),
        fraction,
        minimum.energy,
        fraction < TOUCHING,
    )


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
