"""The polarizable energy of a periodic box in PyTorch, differentiable in all parameters.

The same sum as `openff_bytepol.interop.openmm_system.create_system` gives OpenMM, with a
plain Ewald sum in place of particle meshes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from openff_bytepol.exceptions import ParameterError
from openff_bytepol.interop.layout import Layout, Placements
from openff_bytepol.interop.periodic_box import check_cutoff
from openff_bytepol.parameters import TERM_PARAMETERS, ParameterSet
from openff_bytepol.potentials.angles import angle_energy
from openff_bytepol.potentials.bonds import bond_energy
from openff_bytepol.potentials.charge_transfer import charge_transfer_energy
from openff_bytepol.potentials.dispersion import dispersion_energy
from openff_bytepol.potentials.geometry import bond_angles, dihedral_cosines, norms, pair_vectors
from openff_bytepol.potentials.mixing import arithmetic, geometric
from openff_bytepol.potentials.repulsion import repulsion_energy
from openff_bytepol.potentials.torsions import improper_energy, proper_energy
from openff_bytepol.properties.ewald import (
    electrostatic_energy,
    pair_terms,
    screening,
    solve_dipoles,
    waves,
)
from openff_bytepol.properties.observables import Floats
from openff_bytepol.settings import NonbondedSettings
from openff_bytepol.units import COULOMB

_TAIL_POINTS: Final = 32
"""Of the Gauss-Legendre quadrature of the energy beyond the cutoff."""
_PAIR_BLOCK: Final = 500
"""Atoms whose pairs are looked for at a time, for memory."""


class PeriodicEnergy:
    """Energy of one box, frame by frame, as a function of the molecules' parameters.

    Parameters
    ----------
    templates
        Parameters of each molecule type, for topology and settings.
    placements
        For every molecule, the index of its type and the particle of each of its atoms.
    cutoff
        Å; of van der Waals and real-space electrostatic energies.
    switch_distance
        Where the van der Waals energy starts to be switched off, Å; not at all by default.
    tolerance
        Of the Ewald sum.

    Raises
    ------
    ForceFieldError
        If the placements do not cover the particles 0, 1, … exactly once.
    """

    def __init__(
        self,
        templates: Sequence[ParameterSet],
        placements: Placements,
        *,
        cutoff: float,
        switch_distance: float | None = None,
        tolerance: float = 1e-6,
    ) -> None:
        n_atoms = sum(len(particles) for _, particles in placements)
        layout = Layout.from_placements(templates, placements, n_atoms)
        self.cutoff, self.switch_distance, self.tolerance = cutoff, switch_distance, tolerance
        self.settings = layout.settings
        self.n_atoms = n_atoms
        self.n_molecules = len(placements)
        self._sources = torch.zeros(n_atoms, dtype=torch.int64)
        sizes = [p.n_atoms for p in layout.types]
        for first, size, copies in zip(_starts(sizes), sizes, layout.copies, strict=True):
            self._sources[torch.as_tensor(copies)] = first + torch.arange(size)
        self._terms = {name: _term_rows(layout, name) for name in TERM_PARAMETERS}
        near = [layout.pairs(f"pairs_1{n}") for n in (2, 3, 4, 5)]
        self._near = torch.as_tensor(np.sort(np.concatenate(near), axis=1))
        self._kinds = torch.repeat_interleave(torch.arange(4), torch.tensor([len(n) for n in near]))
        self._near_keys = torch.sort(self._near[:, 0] * n_atoms + self._near[:, 1]).values

    def __call__(
        self, parameters: Sequence[ParameterSet], positions: Floats | Tensor, box: Floats | Tensor
    ) -> Tensor:
        """Potential energy of a frame.

        First derivatives with respect to the parameters are exact: induced dipoles minimise
        the energy, so that they may be held fixed.

        Parameters
        ----------
        parameters
            One float64 set per molecule type, on the CPU, possibly with gradients.
        positions
            Å; (n_atoms, 3), molecules whole.
        box
            Reduced box vectors as rows, Å.

        Returns
        -------
        Tensor
            kcal/mol; scalar.

        Raises
        ------
        CutoffError
            If the cutoff is longer than half the shortest box width.
        ParameterError
            If positions do not fit.
        ConvergenceError, PolarizationCatastropheError
            If induced dipoles are not found.
        """
        xyz = torch.as_tensor(positions, dtype=torch.float64).detach()
        cell = torch.as_tensor(box, dtype=torch.float64).detach()
        if tuple(xyz.shape) != (self.n_atoms, 3):
            raise ParameterError(f"positions have shape {tuple(xyz.shape)}, not {self.n_atoms}, 3")
        check_cutoff(cell.numpy(), self.cutoff)
        types = ParameterSet.concatenate(parameters)
        atoms = _Atoms(types, self._sources)
        far, vectors = self._far_pairs(xyz, cell)
        electrostatics = self._electrostatics(atoms, xyz, cell, far, vectors)
        van_der_waals = self._far_van_der_waals(atoms, far, norms(vectors.T))
        tail = self._tail(types, torch.linalg.det(cell).abs())
        near = self._near_van_der_waals(atoms, xyz)
        return electrostatics + van_der_waals + tail + near + self._bonded(types, xyz)

    def _far_pairs(self, xyz: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Pairs within the cutoff more than four bonds apart, (n, 2), and vectors, (n, 3)."""
        pairs, vectors = [], []
        everyone = torch.arange(self.n_atoms)
        for start in range(0, self.n_atoms, _PAIR_BLOCK):
            own = everyone[start : start + _PAIR_BLOCK]
            delta = xyz[None, :] - xyz[own][:, None]
            for axis in (2, 1, 0):
                shifts = torch.round(delta[..., axis] / cell[axis, axis])
                delta = delta - shifts[..., None] * cell[axis]
            close = delta.square().sum(-1) < self.cutoff**2
            close &= everyone[None, :] > own[:, None]
            rows, columns = torch.nonzero(close, as_tuple=True)
            keys = own[rows] * self.n_atoms + columns
            places = torch.searchsorted(self._near_keys, keys).clamp_max(len(self._near_keys) - 1)
            free = (
                self._near_keys[places] != keys
                if len(self._near_keys)
                else torch.ones_like(keys, dtype=torch.bool)
            )
            pairs.append(torch.stack([own[rows], columns], dim=1)[free])
            vectors.append(delta[rows, columns][free])
        return torch.cat(pairs), torch.cat(vectors)

    def _electrostatics(
        self, atoms: _Atoms, xyz: Tensor, cell: Tensor, far: Tensor, vectors: Tensor
    ) -> Tensor:
        alpha = screening(self.cutoff, self.tolerance)
        settings = self.settings
        scales = torch.tensor([0.0, 0.0, settings.charge_14, 1.0], dtype=torch.float64)
        fields = torch.tensor([0.0, 0.0, settings.induction_14, 1.0], dtype=torch.float64)
        first, second = self._near[:, 0], self._near[:, 1]
        from_atom, to_atom = far[:, 0], far[:, 1]
        dampings = atoms["dampings"]
        pairs = [
            pair_terms(
                from_atom,
                to_atom,
                vectors,
                geometric(dampings, from_atom, to_atom),
                thole=settings.thole,
                alpha=alpha,
            ),
            pair_terms(
                first,
                second,
                xyz[second] - xyz[first],
                geometric(dampings, first, second),
                thole=settings.thole,
                alpha=alpha,
                charge_scale=scales[self._kinds],
                field_scale=fields[self._kinds],
            ),
        ]
        reciprocal = waves(xyz, cell, alpha, self.tolerance)
        charges, alphas = atoms["charges"], atoms["polarizabilities"]
        dipoles = solve_dipoles(charges, alphas, pairs, reciprocal, alpha)
        own = 0.5 * COULOMB * (dipoles.square().sum(-1) / alphas).sum()
        return own + electrostatic_energy(charges, dipoles, pairs, reciprocal, alpha)

    def _far_van_der_waals(self, atoms: _Atoms, far: Tensor, r: Tensor) -> Tensor:
        energies = _van_der_waals(atoms, far[:, 0], far[:, 1], r, self.settings)
        return (energies * self._switch(r)).sum()

    def _near_van_der_waals(self, atoms: _Atoms, xyz: Tensor) -> Tensor:
        chosen = self._kinds >= 2
        first, second = self._near[chosen, 0], self._near[chosen, 1]
        r = norms((xyz[second] - xyz[first]).T)
        scale = torch.where(self._kinds[chosen] == 2, self.settings.vdw_14, 1.0)
        energies = _van_der_waals(
            atoms, first, second, r, self.settings, with_charge_transfer=False
        )
        return (scale * energies).sum()

    def _switch(self, r: Tensor) -> Tensor:
        """1 up to the switching distance, 0 from the cutoff, as in OpenMM."""
        if self.switch_distance is None:
            return torch.where(r < self.cutoff, 1.0, 0.0).to(r)
        x = ((r - self.switch_distance) / (self.cutoff - self.switch_distance)).clamp(0.0, 1.0)
        return 1.0 - x**3 * (10.0 - 15.0 * x + 6.0 * x**2)

    def _tail(self, types: ParameterSet, volume: Tensor) -> Tensor:
        """Mean van der Waals energy that cutoff and switch leave out, as OpenMM counts it.

        2 pi N²/V times the mean over all pairs, each atom with itself included, of the
        integral of r²·(1 − S(r))·u(r).
        """
        counts = torch.bincount(self._sources, minlength=types.n_atoms).to(torch.float64)
        first, second = torch.triu_indices(len(counts), len(counts))
        weights = torch.where(
            first == second,
            0.5 * counts[first] * (counts[first] + 1.0),
            counts[first] * counts[second],
        )
        nodes, factors = (torch.as_tensor(a) for a in np.polynomial.legendre.leggauss(_TAIL_POINTS))
        unit_nodes, unit_factors = 0.5 * (nodes + 1.0), 0.5 * factors
        radii = [self.cutoff / unit_nodes]
        measures = [unit_factors * radii[0] ** 2 * self.cutoff / unit_nodes**2]
        if self.switch_distance is not None:
            width = self.cutoff - self.switch_distance
            inner = self.switch_distance + width * unit_nodes
            radii.append(inner)
            measures.append(unit_factors * width * inner**2 * (1.0 - self._switch(inner)))
        atoms = _Atoms(types, torch.arange(types.n_atoms))
        total = volume.new_zeros(())
        for r, measure in zip(radii, measures, strict=True):
            distances = r[:, None].expand(-1, len(first))
            energies = _van_der_waals(atoms, first, second, distances, self.settings)
            total = total + (measure[:, None] * weights * energies).sum()
        n = float(self.n_atoms)
        return 2.0 * math.pi * n**2 / volume * total / (0.5 * n * (n + 1.0))

    def _bonded(self, types: ParameterSet, xyz: Tensor) -> Tensor:
        coordinates = xyz.T
        total = xyz.new_zeros(())
        for name, (particles, rows) in self._terms.items():
            if len(rows) == 0:
                continue
            k = {key: getattr(types, key).index_select(0, rows) for key in TERM_PARAMETERS[name]}
            if name == "bonds":
                lengths = norms(pair_vectors(coordinates, particles[:, 0], particles[:, 1]))
                energy = bond_energy(lengths, k["bond_k"], k["bond_r0"])
            elif name == "angles":
                angles = bond_angles(coordinates, particles)
                energy = angle_energy(angles, k["angle_k"], k["angle_theta0"])
            elif name == "propers":
                energy = proper_energy(dihedral_cosines(coordinates, particles), k["proper_k"])
            else:
                energy = improper_energy(dihedral_cosines(coordinates, particles), k["improper_k"])
            total = total + energy.sum()
        return total


class _Atoms:
    """Per-atom parameters of the box, gathered from the types on demand."""

    def __init__(self, types: ParameterSet, sources: Tensor) -> None:
        self._types, self._sources = types, sources

    def __getitem__(self, name: str) -> Tensor:
        values: Tensor = getattr(self._types, name)
        return values.index_select(-1, self._sources)


def _van_der_waals(
    atoms: _Atoms,
    first: Tensor,
    second: Tensor,
    r: Tensor,
    settings: NonbondedSettings,
    *,
    with_charge_transfer: bool = True,
) -> Tensor:
    """Repulsion, dispersion and charge transfer of each pair, kcal/mol; (n_pairs,)."""
    radius = arithmetic(atoms["radii"], first, second)
    energy = repulsion_energy(
        r,
        geometric(atoms["epsilons"], first, second),
        geometric(atoms["lambdas"], first, second),
        radius,
        settings.repulsion_s12,
    ) + dispersion_energy(
        r,
        geometric(atoms["c6"], first, second),
        radius,
        settings.dispersion_damping,
        settings.dispersion_c8,
    )
    if not with_charge_transfer:
        return energy
    return energy + charge_transfer_energy(
        r,
        geometric(atoms["ct_epsilons"], first, second),
        geometric(atoms["ct_lambdas"], first, second),
        radius,
    )


def _starts(sizes: Sequence[int]) -> list[int]:
    return [sum(sizes[:i]) for i in range(len(sizes))]


def _term_rows(layout: Layout, name: str) -> tuple[Tensor, Tensor]:
    """Particles of one bonded term over all copies, and its row in the joined types."""
    lengths = [len(getattr(p, name)) for p in layout.types]
    rows = [
        torch.arange(start, start + n).repeat(len(copies))
        for start, n, copies in zip(_starts(lengths), lengths, layout.copies, strict=True)
    ]
    return torch.as_tensor(layout.terms(name)[0]), torch.cat(rows)
