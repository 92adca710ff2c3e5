"""Which atoms interact: the part of an energy that does not change during training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from openff_bytepol.exceptions import ParameterError
from openff_bytepol.parameters import TERM_PARAMETERS, ParameterSet
from openff_bytepol.potentials.blocks import Block, make_blocks


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs:
    """All pairs of atoms within each system, ordered by how they interact.

    Pairs 1-2, 1-3, 1-4, 1-5, more than four bonds apart, and of different molecules
    follow one another, so that every set of pairs an energy needs is a slice. Make it
    once for a molecule, dimer or batch and pass it to the energy functions again and
    again; `concatenate` joins those of several systems into a batch.

    Attributes
    ----------
    first, second
        Atom indices, first < second; (n_pairs,).
    system
        System of each pair; (n_pairs,).
    counts
        Number of pairs of each of the six kinds.
    atom_system, atom_molecule
        System and molecule of each atom; (n_atoms,).
    n_systems, n_molecules
        How many there are.
    """

    first: Tensor
    second: Tensor
    system: Tensor
    counts: tuple[int, int, int, int, int, int]
    atom_system: Tensor
    atom_molecule: Tensor
    n_systems: int
    n_molecules: int

    @property
    def n_atoms(self) -> int:
        return len(self.atom_system)

    @property
    def n_14(self) -> int:
        """How many of the `interacting` pairs, at their beginning, are 1-4."""
        return self.counts[2]

    @property
    def interacting(self) -> slice:
        """1-4 and further: repulsion, dispersion, charges and the field of charges."""
        return slice(sum(self.counts[:2]), None)

    @property
    def beyond_15(self) -> slice:
        """More than four bonds apart or of different molecules: charge transfer."""
        return slice(sum(self.counts[:4]), None)

    @property
    def within(self) -> slice:
        """Of the same molecule."""
        return slice(0, sum(self.counts[:5]))

    @property
    def between(self) -> slice:
        """Of different molecules."""
        return slice(sum(self.counts[:5]), None)

    @cached_property
    def system_blocks(self) -> list[Block]:
        """Layout of the response matrices of the systems."""
        return make_blocks(self.atom_system, self.n_systems, self.first, self.second)

    @cached_property
    def molecule_blocks(self) -> list[Block]:
        """Layout of the response matrices of the molecules, over pairs `within`."""
        within = self.within
        return make_blocks(
            self.atom_molecule, self.n_molecules, self.first[within], self.second[within]
        )

    def to(self, device: torch.device | str) -> Pairs:
        """Copy on another device."""
        names = ("first", "second", "system", "atom_system", "atom_molecule")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})

    @classmethod
    def from_parameters(cls, parameters: ParameterSet, system_index: Tensor | None = None) -> Pairs:
        """List the pairs of one or several systems.

        Parameters
        ----------
        parameters
            Only its indices are read.
        system_index
            System of each atom, 0, 1, …; (n_atoms,). All atoms form one system by default.

        Raises
        ------
        ParameterError
            If the index has a wrong length, skips a system, or splits a molecule.
        """
        molecule = parameters.molecule_index
        if system_index is None:
            system_index = torch.zeros_like(molecule)
        system_index = system_index.to(molecule)
        n_systems = _check_systems(parameters, system_index)

        order = torch.argsort(system_index, stable=True)
        sizes = torch.bincount(system_index, minlength=n_systems)
        starts = sizes.cumsum(0) - sizes
        place = torch.argsort(order)
        sorted_systems = system_index[order]
        rank = torch.arange(len(order), device=order.device) - starts[sorted_systems]
        offset = rank.cumsum(0) - rank
        second = torch.repeat_interleave(rank)
        position = torch.arange(len(second), device=order.device) - offset[second]
        first = order[position + starts[sorted_systems[second]]]

        kind = torch.where(molecule[first] == molecule[order[second]], 4, 5)
        for number, close in enumerate(parameters.pairs):
            later = place[close[:, 1]]
            kind[offset[later] + rank[place[close[:, 0]]]] = number
        return cls(
            atom_system=system_index,
            atom_molecule=molecule,
            n_systems=n_systems,
            n_molecules=parameters.n_molecules,
            **_sorted_by_kind(first, order[second], sorted_systems[second], kind),
        )

    @staticmethod
    def concatenate(items: Sequence[Pairs]) -> Pairs:
        """Batch of systems placed one after another, as `ParameterSet.concatenate` does.

        Raises
        ------
        ParameterError
            If the list is empty.
        """
        if not items:
            raise ParameterError("nothing to concatenate")
        device = items[0].first.device
        atoms = torch.tensor([0, *(item.n_atoms for item in items)], device=device).cumsum(0)
        systems = torch.tensor([0, *(item.n_systems for item in items)], device=device).cumsum(0)
        molecules = torch.tensor([0, *(item.n_molecules for item in items)], device=device)
        counts = torch.tensor([item.counts for item in items], device=device)
        kind = torch.arange(6, device=device).repeat(len(items))
        kind = kind.repeat_interleave(counts.flatten())
        owner = torch.repeat_interleave(counts.sum(1))
        atom_owner = torch.repeat_interleave(atoms.diff())
        return Pairs(
            atom_system=torch.cat([i.atom_system for i in items]) + systems[atom_owner],
            atom_molecule=torch.cat([i.atom_molecule for i in items])
            + molecules.cumsum(0)[atom_owner],
            n_systems=int(systems[-1]),
            n_molecules=int(molecules.sum()),
            **_sorted_by_kind(
                torch.cat([i.first for i in items]) + atoms[owner],
                torch.cat([i.second for i in items]) + atoms[owner],
                torch.cat([i.system for i in items]) + systems[owner],
                kind,
            ),
        )


def _check_systems(parameters: ParameterSet, system_index: Tensor) -> int:
    if system_index.shape != parameters.molecule_index.shape:
        raise ParameterError(
            f"system_index has shape {tuple(system_index.shape)}; "
            f"one value for each of the {parameters.n_atoms} atoms is needed"
        )
    if parameters.n_atoms == 0:
        raise ParameterError("there are no atoms")
    present = torch.unique(system_index)
    if not torch.equal(present, torch.arange(len(present), device=present.device)):
        raise ParameterError("system_index must hold every number from 0 to the last system")
    owner = torch.full_like(parameters.molecule_index, -1)[: parameters.n_molecules]
    owner[parameters.molecule_index] = system_index
    split = owner[parameters.molecule_index] != system_index
    if split.any():
        molecule = int(parameters.molecule_index[split][0])
        raise ParameterError(
            f"molecule {molecule} lies in several systems; give its atoms one system_index"
        )
    for name in TERM_PARAMETERS:
        members = parameters.molecule_index[getattr(parameters, name)]
        if (members != members[:, :1]).any():
            raise ParameterError(f"{name} join atoms of different molecules")
    return len(present)


def _sorted_by_kind(first: Tensor, second: Tensor, system: Tensor, kind: Tensor) -> dict[str, Any]:
    order = torch.argsort(kind, stable=True)
    return {
        "first": first[order],
        "second": second[order],
        "system": system[order],
        "counts": tuple(torch.bincount(kind, minlength=6).tolist()),
    }
