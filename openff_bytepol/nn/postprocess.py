"""What a network leaves undone: exact symmetry and total charges, angles within 180 degrees."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor

from openff_bytepol.graph.graph import MolecularGraph
from openff_bytepol.graph.message_passing import scatter_sum
from openff_bytepol.nn.layers import class_mean
from openff_bytepol.parameters import ATOM_PARAMETERS, TERM_PARAMETERS, ParameterSet

_TERM_BONDS: Final = {"angles": "angle_bonds", "propers": "proper_bonds"}


def symmetrize(parameters: ParameterSet, graph: MolecularGraph) -> ParameterSet:
    """Average parameters over equivalent atoms and over equivalent terms.

    The network's own values for them differ by rounding only; equal values let exporters
    share one parameter for all of them.

    Parameters
    ----------
    parameters
        With a leading ensemble axis.
    graph
        The graph they were predicted from.
    """
    values: dict[str, Any] = {
        name: class_mean(getattr(parameters, name), graph.atom_classes, graph.n_atom_classes)
        for name in ATOM_PARAMETERS
    }
    for index, names in TERM_PARAMETERS.items():
        classes = _term_classes(graph, index)
        n_classes = int(classes.max()) + 1 if len(classes) else 0
        for name in names:
            values[name] = class_mean(getattr(parameters, name), classes, n_classes)
    return replace(parameters, **values)


def _term_classes(graph: MolecularGraph, index: str) -> Tensor:
    """Equal numbers for terms over equivalent atoms and bonds, in either direction."""
    if index == "bonds":
        return graph.bond_classes
    atoms = graph.atom_classes[getattr(graph, index)]
    base = max(graph.n_atom_classes, graph.n_bond_classes)
    if index == "impropers":
        rows = torch.cat([atoms[:, :1], atoms[:, 1:].sort(dim=1).values], dim=1)
        return _number_rows(rows, base)
    bonds = graph.bond_classes[getattr(graph, _TERM_BONDS[index])]
    forward = torch.cat([atoms, bonds], dim=1)
    backward = torch.cat([atoms.flip(1), bonds.flip(1)], dim=1)
    both = _number_rows(torch.cat([forward, backward]), base).view(2, -1)
    classes: Tensor = torch.unique(both.amin(dim=0), return_inverse=True)[1]
    return classes


def _number_rows(rows: Tensor, base: int) -> Tensor:
    """Number rows of integers below ``base``, equal rows equally."""
    number = rows[:, 0]
    for column in rows.T[1:]:
        number = torch.unique(number * base + column, return_inverse=True)[1]
    return number


def limit_angles(parameters: ParameterSet) -> ParameterSet:
    """Keep equilibrium angles within 180 degrees, beyond which engines refuse them.

    The outer spring of an angle ends above 180 degrees, so angles of linear groups may come
    out a few degrees too wide.
    """
    return replace(parameters, angle_theta0=parameters.angle_theta0.clamp(max=math.pi))


def neutralize(parameters: ParameterSet, graph: MolecularGraph) -> ParameterSet:
    """Spread what charges lack to the formal charge evenly over each molecule."""
    index, n = graph.molecule_index, graph.n_molecules
    formal = torch.zeros(n, dtype=torch.int64).index_add(0, index, graph.formal_charges)
    missing = formal - scatter_sum(parameters.charges, index, n)
    share = missing / torch.bincount(index, minlength=n)
    return replace(parameters, charges=parameters.charges + share.index_select(1, index))
