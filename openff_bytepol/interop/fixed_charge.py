"""A fixed-charge system as plain arrays, ready for the file formats of other engines.

A molecule type holds what one molecule looks like; a system lists molecule types in the
order of its molecules. Lengths are in Å, energies in kcal/mol, charges in e, angles in rad.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from openff_bytepol.topology import PairLists, find_pairs

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

WATER: Final = (8, 1, 1)
"""Atomic numbers of a water molecule in the order that engines expect."""


class Terms(NamedTuple):
    """Bonded terms of one kind: atoms (n, width) and parameters (n, n_parameters)."""

    atoms: Integers
    values: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class MoleculeType:
    """One molecule: atoms in order, connections, and every parameter.

    Attributes
    ----------
    name
        Letters, digits and underscores; unique in a system.
    atom_names, residue_names
        At most four characters each, per atom.
    residues
        Residue of each atom, counted from 0; shape (n_atoms,).
    atomic_numbers, masses, charges, sigmas, epsilons
        Shape (n_atoms,); Da, e, Å, kcal/mol.
    connections
        Chemical bonds, which decide the 1-2, 1-3 and 1-4 pairs; shape (n_bonds, 2).
    bonds
        Values k, r0 of k/2·(r - r0)²; every connection once.
    angles
        Values k, theta0 of k/2·(theta - theta0)², centre in the middle.
    propers, impropers
        Values k, n, delta of k·[1 + cos(n·phi - delta)], phi of the atoms as listed.
    constraints
        Value d, the fixed distance; the bonds among them carry no energy.
    """

    name: str
    atom_names: tuple[str, ...]
    residue_names: tuple[str, ...]
    residues: Integers
    atomic_numbers: Integers
    masses: Floats
    charges: Floats
    sigmas: Floats
    epsilons: Floats
    connections: Integers
    bonds: Terms
    angles: Terms
    propers: Terms
    impropers: Terms
    constraints: Terms

    @property
    def n_atoms(self) -> int:
        return len(self.atomic_numbers)

    @property
    def is_water(self) -> bool:
        return tuple(self.atomic_numbers) == WATER and len(self.connections) == 2

    @cached_property
    def fixed_distances(self) -> dict[tuple[int, int], float]:
        """Constrained atom pairs (i < j) and their distances, Å."""
        return {
            (min(pair), max(pair)): float(distance)
            for pair, (distance,) in zip(
                self.constraints.atoms.tolist(), self.constraints.values, strict=True
            )
        }

    @cached_property
    def pairs(self) -> PairLists:
        """Atom pairs one to four bonds apart."""
        return find_pairs(torch.from_numpy(self.connections), self.n_atoms)


@dataclass(frozen=True, kw_only=True, eq=False)
class FixedChargeSystem:
    """Molecules in order, with the settings of their nonbonded energy.

    Attributes
    ----------
    types
        Distinct molecules.
    molecules
        Index into ``types`` of every molecule, in the order of their atoms.
    charge_14, vdw_14
        Factors on the energies of 1-4 pairs.
    cutoff
        Of Lennard-Jones and of the direct space of PME, Å.
    switch_distance
        Where the switching function of the Lennard-Jones energy starts, Å; the cutoff
        where there is none.
    box
        Box vectors as rows, lower triangular, Å; None without periodicity.
    positions
        Shape (n_atoms, 3), Å.
    """

    types: tuple[MoleculeType, ...]
    molecules: Integers
    charge_14: float
    vdw_14: float
    cutoff: float
    switch_distance: float
    box: Floats | None
    positions: Floats

    @property
    def n_atoms(self) -> int:
        return len(self.positions)

    @cached_property
    def offsets(self) -> Integers:
        """Index of the first atom of every molecule."""
        sizes = np.array([t.n_atoms for t in self.types])[self.molecules]
        return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)

    @property
    def total_charge(self) -> float:
        """Sum of all charges, e."""
        return float(np.array([t.charges.sum() for t in self.types])[self.molecules].sum())

    @property
    def is_switched(self) -> bool:
        return self.switch_distance < self.cutoff
