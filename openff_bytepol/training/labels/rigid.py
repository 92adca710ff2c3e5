"""Molecules that keep their shape, with orbitals that are computed once for each conformer."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from openff_bytepol.exceptions import DataError
from openff_bytepol.qm.first_order import Orbitals, occupied_orbitals
from openff_bytepol.qm.fragments import Fragment
from openff_bytepol.qm.levels import Level
from openff_bytepol.training.labels import aimnet2, geometries

Coordinates = NDArray[np.float64]


class RigidMolecule:
    """Relaxed conformers of a molecule.

    Parameters
    ----------
    smiles
        SMILES.
    n_conformers
        How many are embedded.
    relaxation_steps
        With AIMNet2.
    seed
        Of the embedding.

    Raises
    ------
    DataError
        If AIMNet2 lacks an element, ions of one atom included, or the molecule has no geometry.
    MissingDependencyError
        If the AIMNet2 weights are not installed.
    """

    def __init__(self, smiles: str, *, n_conformers: int, relaxation_steps: int, seed: int) -> None:
        self.molecule = geometries.hydrogenated(smiles)
        _refuse_unknown_elements(smiles, self.molecule)
        table = Chem.GetPeriodicTable()
        self.mapped_smiles = str(Chem.MolToSmiles(self.molecule))
        self.conformers = geometries.relaxed_conformers(
            self.molecule, n_conformers, seed, relaxation_steps
        )
        """(n_conformers, n_atoms, 3), Å."""
        self.radii = np.array(
            [table.GetRvdw(atom.GetAtomicNum()) for atom in self.molecule.GetAtoms()]
        )
        """Bondi's van der Waals radii, Å."""
        self._orbitals: dict[tuple[int, str], Orbitals] = {}

    def at(self, coordinates: Coordinates, level: Level) -> Orbitals:
        """The most similar conformer, moved onto a geometry.

        Parameters
        ----------
        coordinates
            (n_atoms, 3), Å.
        level
            Of the orbitals.

        Raises
        ------
        ConvergenceError
            If the SCF does not converge.
        """
        best, rotation, translation = self._fit(coordinates)
        return self._solved(best, level).moved(rotation, translation)

    def placed(self, coordinates: Coordinates) -> Fragment:
        """The most similar conformer, moved onto a geometry, without orbitals.

        Parameters
        ----------
        coordinates
            (n_atoms, 3), Å.
        """
        best, rotation, translation = self._fit(coordinates)
        moved = self.conformers[best] @ rotation.T + translation
        return Fragment.from_mapped_smiles(self.mapped_smiles, moved)

    def _fit(self, coordinates: Coordinates) -> tuple[int, Coordinates, Coordinates]:
        """Number of the most similar conformer, rotation R and translation t: x·Rᵀ + t."""
        centre = coordinates.mean(0)
        fits = [geometries.align(coordinates - centre, x - x.mean(0)) for x in self.conformers]
        best = int(np.argmin([deviation for _, deviation in fits]))
        rotation = fits[best][0]
        return best, rotation, centre - self.conformers[best].mean(0) @ rotation.T

    def _solved(self, conformer: int, level: Level) -> Orbitals:
        key = (conformer, level.name)
        if key not in self._orbitals:
            fragment = Fragment.from_mapped_smiles(self.mapped_smiles, self.conformers[conformer])
            self._orbitals[key] = occupied_orbitals(fragment, level)
        return self._orbitals[key]


def _refuse_unknown_elements(smiles: str, molecule: Chem.Mol) -> None:
    atoms = molecule.GetAtoms()
    unknown = {a.GetSymbol() for a in atoms if a.GetAtomicNum() not in aimnet2.ELEMENTS}
    if unknown:
        raise DataError(
            f"{smiles}: AIMNet2, which relaxes its conformers, does not know "
            f"{', '.join(sorted(unknown))}; leave it out of `labels.contacts` and "
            "`labels.clusters` (dimers with an ion of one atom: `labels.decompositions`)"
        )


@cache
def rigid_molecule(
    smiles: str, n_conformers: int, relaxation_steps: int, seed: int
) -> RigidMolecule:
    """`RigidMolecule`, made once in a process; errors as there."""
    return RigidMolecule(
        smiles, n_conformers=n_conformers, relaxation_steps=relaxation_steps, seed=seed
    )
