"""Repulsive walls: atoms that come too close repel, whatever the data say about it.

Data end where molecules touch. Inside, charge transfer and Coulomb attraction may outgrow an
exponential repulsion that nothing holds up, and atoms fall into each other.
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


def wall_penalty(parameters: ParameterSet, energy: float) -> Tensor:
    """Pseudo-Huber of (energy - E)/energy of pairs below it, summed over pairs, per molecule.

    Parameters
    ----------
    parameters
        Of a batch of molecules; its atoms are taken one by one. Those that are molecules of their
        own, such as Li⁺, meet all the others: nothing screens their attraction.
    energy
        What any two atoms shall have at each of `DISTANCES` at least, kcal/mol; without
        polarization.

    Returns
    -------
    Tensor
        (n_members,) or ().
    """
    atoms = torch.arange(parameters.n_atoms, device=parameters.charges.device)
    lone = torch.bincount(parameters.molecule_index)[parameters.molecule_index] == 1
    rolled = [atoms.roll(shift) for shift in SHIFTS]
    partners = torch.cat([*rolled, atoms[lone].repeat_interleave(len(atoms))])
    second = partners.repeat(len(DISTANCES))
    first = atoms.repeat(len(second) // len(atoms))
    distances = torch.tensor(DISTANCES, device=atoms.device, dtype=parameters.charges.dtype)
    numbers = torch.arange(len(first), device=atoms.device)
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
    r = distances.repeat_interleave(len(partners))
    terms = pair_energies(parameters, r, pairs, pairs.between)
    missing = (energy - torch.stack(list(terms.values())).sum(0)).clamp(min=0.0) / energy
    return robust(missing).sum(-1) / parameters.n_molecules
