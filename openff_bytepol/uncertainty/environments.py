"""Which atoms the model has seen: hashed atoms with their neighbours.

An environment is what one step of message passing can tell apart: element, number of
bonds, formal charge and smallest ring of an atom, with the orders of its bonds and the
element, connectivity and charge of its neighbours.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from openff_bytepol.graph import MolecularGraph
from openff_bytepol.graph.message_passing import scatter_sum

_MASK: Final = (1 << 52) - 1
"""Codes are integers that JSON readers keep exactly."""


def _mix(values: Tensor) -> Tensor:
    """Spread integers over 64 bits (splitmix64 finalizer, Steele et al. 2014)."""
    values = (values ^ (values >> 30)) * -4658895280553007687
    values = (values ^ (values >> 27)) * -7723592293110705685
    return values ^ (values >> 31)


def environment_codes(graph: MolecularGraph) -> Tensor:
    """Code of each atom's environment, int64 below 2**52; (n_atoms,).

    The same in any order of atoms, in any batch and on any machine.
    """
    charges = graph.formal_charges + 8
    own = (graph.atomic_numbers * 8 + graph.connectivities) * 16 + charges
    seen = own * 16 + 7
    first, second = graph.bonds.unbind(1)
    orders = graph.bond_orders
    sent = torch.cat([_mix(seen[second] * 4 + orders), _mix(seen[first] * 4 + orders)])
    around = scatter_sum(sent[None], torch.cat([first, second]), graph.n_atoms)[0]
    return _mix(around + _mix(own * 16 + graph.ring_sizes)) & _MASK


def unknown_fractions(graph: MolecularGraph, known: Tensor) -> Tensor:
    """Fraction of each molecule's atoms whose environment is not known, float64; (n_molecules,).

    Parameters
    ----------
    graph
        Molecules.
    known
        Codes in rising order; (n,).
    """
    codes = environment_codes(graph)
    if len(known) == 0:
        return torch.ones(graph.n_molecules, dtype=torch.float64)
    places = torch.searchsorted(known, codes).clamp(max=len(known) - 1)
    unknown = (known[places] != codes).double()
    sums = scatter_sum(unknown[None], graph.molecule_index, graph.n_molecules)[0]
    return sums / torch.bincount(graph.molecule_index, minlength=graph.n_molecules)
