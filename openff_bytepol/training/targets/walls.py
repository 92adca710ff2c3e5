"""Repulsive walls: atoms that come too close repel, whatever the data say about it.

Data end where molecules touch. Inside, charge transfer and Coulomb attraction may outgrow an
exponential repulsion that nothing holds up, and atoms fall into each other. Two atoms of one kind
may do so much further out: charge transfer mixes geometrically, so what binds a hydrogen to a
nitrogen binds two nitrogens of two molecules thirty times as strongly, where no data hold them
apart.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import Pairs
from openff_bytepol.potentials.energies import pair_energies
from openff_bytepol.training.targets.base import robust

DISTANCES: Final = (0.6, 0.8, 1.0)
"""Å"""
SHIFTS: Final = (0, 1, 2, 5)
"""Every atom meets itself and others of the batch, this many rows further, and every lone ion."""
FRACTIONS: Final = (0.5, 0.6, 0.7)
"""Distances of two atoms of one kind, in the sum of their radii."""
LIKE_ENERGY: Final = 2.0
"""What these shall have at least without their charges, which neighbours screen, kcal/mol."""


def wall_penalty(parameters: ParameterSet, energy: float) -> Tensor:
    """Pseudo-Huber of (energy - E)/energy of pairs below it, summed over pairs, per molecule.

    Parameters
    ----------
    parameters
        Of a batch of molecules; its atoms are taken one by one. Those that are molecules of their
        own, such as Li⁺, meet all the others: nothing screens their attraction.
    energy
        What any two atoms shall have at each of `DISTANCES` at least, kcal/mol; without
        polarization. Two heavy atoms of one kind shall have `LIKE_ENERGY` further out.

    Returns
    -------
    Tensor
        (n_members,) or ().
    """
    walls = _penalty_of_any(parameters, energy) + _penalty_of_like(parameters)
    return walls / parameters.n_molecules


def _penalty_of_any(parameters: ParameterSet, energy: float) -> Tensor:
    atoms = torch.arange(parameters.n_atoms, device=parameters.charges.device)
    lone = _lone(parameters)
    rolled = [atoms.roll(shift) for shift in SHIFTS]
    partners = torch.cat([*rolled, atoms[lone].repeat_interleave(len(atoms))])
    second = partners.repeat(len(DISTANCES))
    first = atoms.repeat(len(second) // len(atoms))
    distances = torch.tensor(DISTANCES, device=atoms.device, dtype=parameters.charges.dtype)
    r = distances.repeat_interleave(len(partners))
    terms = _energies(parameters, first, second, r)
    return _missing(torch.stack(list(terms.values())).sum(0), energy)


def _penalty_of_like(parameters: ParameterSet) -> Tensor:
    heavy = ((parameters.atomic_numbers > 1) & ~_lone(parameters)).nonzero()[:, 0]
    atoms = heavy.repeat(len(FRACTIONS))
    fractions = torch.tensor(FRACTIONS, device=atoms.device, dtype=parameters.charges.dtype)
    r = fractions.repeat_interleave(len(heavy)) * 2.0 * parameters.radii[..., atoms]
    terms = _energies(parameters, atoms, atoms, r)
    return _missing(
        terms["repulsion"] + terms["dispersion"] + terms["charge_transfer"], LIKE_ENERGY
    )


def _lone(parameters: ParameterSet) -> Tensor:
    """Which atoms are molecules of their own."""
    return torch.bincount(parameters.molecule_index)[parameters.molecule_index] == 1


def _energies(
    parameters: ParameterSet, first: Tensor, second: Tensor, r: Tensor
) -> dict[str, Tensor]:
    """Of pairs of atoms, each a system of its own."""
    numbers = torch.arange(len(first), device=first.device)
    atoms = torch.arange(parameters.n_atoms, device=first.device)
    pairs = Pairs(
        first=first,
        second=second,
        system=numbers,
        counts=(0, 0, 0, 0, 0, len(first)),
        atom_system=atoms,
        atom_molecule=atoms,
        n_systems=len(first),
        n_molecules=len(atoms),
    )
    return pair_energies(parameters, r, pairs, pairs.between)


def _missing(energies: Tensor, least: float) -> Tensor:
    return robust((least - energies).clamp(min=0.0) / least).sum(-1)
