"""The molecular graph: plain index and feature tensors, batched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import torch
from torch import Tensor

BOND_ORDERS: Final = ("single", "double", "triple", "aromatic")
"""Meaning of the values of `MolecularGraph.bond_orders`."""

MAX_CONNECTIVITY: Final = 6
MAX_FORMAL_CHARGE: Final = 2
MAX_RING_SIZE: Final = 8

_ATOM_INDICES: Final = ("bonds", "angles", "propers", "impropers")
_BOND_INDICES: Final = ("angle_bonds", "proper_bonds", "improper_bonds")


@dataclass(frozen=True, kw_only=True, eq=False)
class MolecularGraph:
    """One molecule, or several placed one after another.

    All tensors are int64 except the two boolean ones.

    Attributes
    ----------
    atomic_numbers, connectivities, formal_charges
        Element, number of bonds and formal charge of each atom; (n_atoms,).
    ring_bonds, ring_sizes
        Number of bonds in rings of at most eight atoms, and size of the smallest such
        ring (0 for none); (n_atoms,).
    atom_classes
        Symmetry class of each atom, numbered over the whole batch; (n_atoms,).
    molecule_index
        Molecule of each atom; (n_atoms,).
    bonds
        Bonded atoms i < j, sorted; (n_bonds, 2).
    bond_in_ring
        Whether the bond is in a ring of at most eight atoms; bool (n_bonds,).
    bond_orders
        Position in `BOND_ORDERS`; (n_bonds,).
    bond_classes
        Symmetry class of each bond, numbered over the whole batch; (n_bonds,).
    angles, propers, impropers
        Atoms of each term, sorted. The centre of an angle is in the middle, that of an
        improper comes first; (n, 3), (n, 4), (n, 4).
    angle_bonds, proper_bonds, improper_bonds
        Bonds along each term, for impropers from the centre to each neighbour;
        (n, 2), (n, 3), (n, 3).
    proper_linear
        Whether an atom of the central bond is linear; bool (n_propers,).
    fixed_terms
        Which of the known molecules (`GraphOptions.fixed_molecules`) each molecule
        is, -1 for none; (n_molecules,).
    n_atom_classes, n_bond_classes
        Numbers of symmetry classes.
    """

    atomic_numbers: Tensor
    connectivities: Tensor
    formal_charges: Tensor
    ring_bonds: Tensor
    ring_sizes: Tensor
    atom_classes: Tensor
    molecule_index: Tensor
    bonds: Tensor
    bond_in_ring: Tensor
    bond_orders: Tensor
    bond_classes: Tensor
    angles: Tensor
    angle_bonds: Tensor
    propers: Tensor
    proper_bonds: Tensor
    proper_linear: Tensor
    impropers: Tensor
    improper_bonds: Tensor
    fixed_terms: Tensor
    n_atom_classes: int
    n_bond_classes: int

    @property
    def n_atoms(self) -> int:
        return len(self.atomic_numbers)

    @property
    def n_bonds(self) -> int:
        return len(self.bonds)

    @property
    def n_molecules(self) -> int:
        return len(self.fixed_terms)

    @property
    def device(self) -> torch.device:
        return self.atomic_numbers.device

    def to(self, device: torch.device | str) -> MolecularGraph:
        """Copy on another device."""
        return replace(self, **{name: getattr(self, name).to(device) for name in _TENSORS})


_TENSORS: Final = tuple(f.name for f in fields(MolecularGraph) if not f.name.startswith("n_"))


def batch_graphs(graphs: Sequence[MolecularGraph]) -> MolecularGraph:
    """Place graphs one after another, shifting every index.

    Parameters
    ----------
    graphs
        At least one graph, all on the same device.

    Returns
    -------
    MolecularGraph
        Molecules in the given order.
    """
    if len(graphs) == 1:
        return graphs[0]
    columns: dict[str, list[Tensor]] = {name: [] for name in _TENSORS}
    shifts = dict.fromkeys(("atoms", "bonds", "molecules", "atom_classes", "bond_classes"), 0)
    shifted = (
        dict.fromkeys(_ATOM_INDICES, "atoms")
        | dict.fromkeys(_BOND_INDICES, "bonds")
        | {
            "molecule_index": "molecules",
            "atom_classes": "atom_classes",
            "bond_classes": "bond_classes",
        }
    )
    for graph in graphs:
        for name, column in columns.items():
            value = getattr(graph, name)
            column.append(value + shifts[shifted[name]] if name in shifted else value)
        for kind in shifts:
            shifts[kind] += getattr(graph, f"n_{kind}")
    values: dict[str, Any] = {name: torch.cat(column) for name, column in columns.items()}
    return MolecularGraph(
        **values,
        n_atom_classes=shifts["atom_classes"],
        n_bond_classes=shifts["bond_classes"],
    )
