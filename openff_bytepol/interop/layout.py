"""Where the molecules of a system are, and their parameters spread over its particles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from openff_bytepol.exceptions import ForceFieldError, ParameterError
from openff_bytepol.parameters import ATOM_PARAMETERS, TERM_PARAMETERS, ParameterSet
from openff_bytepol.settings import NonbondedSettings

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Placements: TypeAlias = Sequence[tuple[int, Sequence[int]]]
"""One entry per molecule: index of its type and the system particle of each of its atoms."""


@dataclass(frozen=True)
class Layout:
    """Molecule types and the particles that each of their copies occupies.

    Attributes
    ----------
    types
        Parameters of each molecule type, float64, on the CPU, without gradients.
    copies
        Per type, the particles of each copy; (n_copies, n_atoms).
    n_particles
        Particles of the system; each belongs to one molecule.
    """

    types: tuple[ParameterSet, ...]
    copies: tuple[Integers, ...]
    n_particles: int

    @classmethod
    def from_placements(
        cls, parameters: Sequence[ParameterSet], placements: Placements, n_particles: int
    ) -> Layout:
        """Collect the copies of each type.

        Parameters
        ----------
        parameters
            One set per molecule type, all with the same settings and without ensemble axis.
        placements
            Type and particles of every molecule of the system.
        n_particles
            Particles of the system.

        Raises
        ------
        ParameterError
            If settings differ, there is an ensemble axis, or a parameter that must not be
            negative is, or any is not finite.
        ForceFieldError
            If there are no types, or placements do not cover every particle exactly once.
        """
        if not parameters:
            raise ForceFieldError("no molecule types; a system needs at least one molecule")
        types = tuple(_prepare(p, index) for index, p in enumerate(parameters))
        if any(p.settings != types[0].settings for p in types):
            raise ParameterError("molecule types with different settings cannot share a system")
        members: list[list[Sequence[int]]] = [[] for _ in types]
        for kind, particles in placements:
            if not 0 <= kind < len(types):
                raise ForceFieldError(f"placement of molecule type {kind}; there are {len(types)}")
            if len(particles) != types[kind].n_atoms:
                raise ForceFieldError(
                    f"a molecule of type {kind} has {types[kind].n_atoms} atoms, "
                    f"its placement {len(particles)}"
                )
            members[kind].append(particles)
        copies = tuple(
            np.asarray(rows, dtype=np.int64).reshape(-1, p.n_atoms)
            for rows, p in zip(members, types, strict=True)
        )
        _check_cover(copies, n_particles)
        return cls(types, copies, n_particles)

    @property
    def settings(self) -> NonbondedSettings:
        """Constants of the functional form, common to all types."""
        return self.types[0].settings

    @cached_property
    def atoms(self) -> dict[str, Floats]:
        """Per-atom parameters in particle order, internal units; (n_particles,) each."""
        return {name: self._spread(name) for name in ATOM_PARAMETERS}

    @cached_property
    def atomic_numbers(self) -> Integers:
        """Atomic number of each particle; (n_particles,)."""
        return self._spread("atomic_numbers").astype(np.int64)

    @cached_property
    def bonds(self) -> Integers:
        """Bonded particles; (n_bonds, 2)."""
        return self.terms("bonds")[0]

    def pairs(self, name: str) -> Integers:
        """Particle pairs of ``pairs_12`` … ``pairs_15`` over all copies; (n_pairs, 2)."""
        return self._place([getattr(p.pairs, name) for p in self.types], width=2)

    def terms(self, index: str) -> tuple[Integers, dict[str, Floats]]:
        """One bonded term over all copies.

        Parameters
        ----------
        index
            ``bonds``, ``angles``, ``propers`` or ``impropers``.

        Returns
        -------
        particles
            (n_terms, width).
        values
            Parameters of the term by name, internal units, with n_terms rows.
        """
        rows = [getattr(p, index) for p in self.types]
        particles = self._place(rows, width=rows[0].shape[1])
        values = {
            name: np.concatenate(
                [
                    np.tile(value.numpy(), (len(copies), *[1] * (value.dim() - 1)))
                    for value, copies in (
                        (getattr(p, name), c) for p, c in zip(self.types, self.copies, strict=True)
                    )
                ]
            )
            for name in TERM_PARAMETERS[index]
        }
        return particles, values

    def _spread(self, name: str) -> Floats:
        values = np.empty(self.n_particles)
        for parameters, copies in zip(self.types, self.copies, strict=True):
            values[copies] = getattr(parameters, name).numpy()
        return values

    def _place(self, rows: Sequence[torch.Tensor], width: int) -> Integers:
        return np.concatenate(
            [
                copies[:, atoms.numpy()].reshape(-1, width)
                for atoms, copies in zip(rows, self.copies, strict=True)
            ]
        )


def _prepare(parameters: ParameterSet, index: int) -> ParameterSet:
    if parameters.n_members is not None:
        raise ParameterError(
            "these parameters have an ensemble axis; choose .mean() or .member(index)"
        )
    parameters = parameters.detach().to("cpu", torch.float64)
    for name in ATOM_PARAMETERS:
        values = getattr(parameters, name)
        if not torch.isfinite(values).all() or (name != "charges" and (values < 0).any()):
            raise ParameterError(f"{name} of molecule type {index} are negative or not finite")
    return parameters


def _check_cover(copies: Sequence[Integers], n_particles: int) -> None:
    used = np.sort(np.concatenate([c.ravel() for c in copies]))
    if not np.array_equal(used, np.arange(n_particles)):
        raise ForceFieldError(
            f"the placements name {len(used)} particles ({len(np.unique(used))} distinct) of a "
            f"system with {n_particles}; every particle must belong to one molecule, so virtual "
            "sites cannot be combined with this force field"
        )
