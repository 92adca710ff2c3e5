"""Geometries of a molecule: conformers and torsion scans (RDKit ETKDG and MMFF94).

Conformers can be relaxed with AIMNet2.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers, rdMolTransforms
from scipy.spatial.transform import Rotation

from openff_bytepol.exceptions import DataError
from openff_bytepol.training.labels import aimnet2

Coordinates = NDArray[np.float64]

RELAXATION_STEPS: Final = 60
"""Of conformers that stand for minima."""
_ROTATABLE = Chem.MolFromSmarts("[!$(*#*)&!#1]-;!@[!$(*#*)&!#1]")
_CLASH = 0.62
"""Closest allowed non-bonded distance, as a fraction of the sum of van der Waals radii."""


def hydrogenated(smiles: str) -> Chem.Mol:
    """Molecule with explicit hydrogens and atom map numbers 1, 2, …"""
    parsed = Chem.MolFromSmiles(smiles)
    if parsed is None:
        raise DataError(f"{smiles}: not a valid SMILES")
    mol = Chem.AddHs(parsed)
    for atom in mol.GetAtoms():
        atom.SetAtomMapNum(atom.GetIdx() + 1)
    return mol


def from_mapped_smiles(mapped_smiles: str) -> Chem.Mol:
    """Molecule whose atoms are ordered by the map numbers.

    Raises
    ------
    DataError
        If the SMILES is invalid or hydrogens or map numbers are missing.
    """
    settings = Chem.SmilesParserParams()
    settings.removeHs = False  # type: ignore[assignment]
    mol = Chem.MolFromSmiles(mapped_smiles, settings)
    if mol is None:
        raise DataError(f"{mapped_smiles}: not a valid SMILES")
    numbers = [atom.GetAtomMapNum() for atom in mol.GetAtoms()]
    if sorted(numbers) != list(range(1, mol.GetNumAtoms() + 1)):
        raise DataError(f"{mapped_smiles}: every atom, hydrogens too, needs a map number 1…n")
    return Chem.RenumberAtoms(mol, np.argsort(numbers).tolist())


def conformers(mol: Chem.Mol, count: int, seed: int) -> Coordinates:
    """Distinct ETKDG conformers relaxed with MMFF94, shape (n, n_atoms, 3), Å.

    Raises
    ------
    DataError
        If RDKit finds no geometry.
    """
    work = Chem.Mol(mol)
    found = list(rdDistGeom.EmbedMultipleConfs(work, count, randomSeed=seed, pruneRmsThresh=0.3))
    if not found:
        found = list(
            rdDistGeom.EmbedMultipleConfs(work, count, randomSeed=seed, useRandomCoords=True)
        )
    if not found:
        raise DataError(f"{Chem.MolToSmiles(mol)}: RDKit finds no conformer")
    if rdForceFieldHelpers.MMFFHasAllMoleculeParams(work):
        rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(work, maxIters=200)
    return np.array([work.GetConformer(i).GetPositions() for i in found])


def relaxed_conformers(mol: Chem.Mol, count: int, seed: int, steps: int) -> Coordinates:
    """Conformers after some steps down AIMNet2's surface, shape (n, n_atoms, 3), Å.

    Parameters
    ----------
    mol
        Molecule with explicit hydrogens.
    count
        How many are embedded.
    seed
        Of the embedding.
    steps
        With AIMNet2.

    Raises
    ------
    DataError
        If AIMNet2 lacks an element, or RDKit finds no geometry.
    MissingDependencyError
        If the AIMNet2 weights are not installed.
    """
    numbers = torch.tensor([atom.GetAtomicNum() for atom in mol.GetAtoms()])
    if not aimnet2.ELEMENTS.issuperset(numbers.tolist()):
        raise DataError("AIMNet2 lacks one of its elements")
    starts = torch.from_numpy(conformers(mol, count, seed))
    relaxed = aimnet2.relax(starts, numbers, Chem.GetFormalCharge(mol), steps)
    return np.asarray(relaxed.double().numpy())


def rotatable_bonds(mol: Chem.Mol) -> list[tuple[int, int, int, int]]:
    """One dihedral about each acyclic single bond, bonds between heavy chains first."""
    dihedrals = []
    for j, k in mol.GetSubstructMatches(_ROTATABLE):
        ends = [
            sorted(
                (a for a in mol.GetAtomWithIdx(centre).GetNeighbors() if a.GetIdx() != other),
                key=lambda a: (-a.GetAtomicNum(), a.GetIdx()),
            )
            for centre, other in ((j, k), (k, j))
        ]
        if ends[0] and ends[1]:
            heavy = sum(end[0].GetAtomicNum() > 1 for end in ends)
            dihedrals.append((heavy, (ends[0][0].GetIdx(), j, k, ends[1][0].GetIdx())))
    return [d for _, d in sorted(dihedrals, key=lambda item: -item[0])]


def torsion_scan(
    mol: Chem.Mol, start: Coordinates, dihedral: tuple[int, int, int, int], angles: list[float]
) -> Coordinates:
    """Geometries along one torsion, relaxed with MMFF94 where it has parameters.

    Geometries with clashes are dropped.

    Parameters
    ----------
    mol
        Molecule.
    start
        Coordinates to start from, (n_atoms, 3), Å.
    dihedral
        The four atoms.
    angles
        Rotations from the start, degrees.

    Returns
    -------
    Coordinates
        (n, n_atoms, 3), Å.
    """
    work = Chem.Mol(mol)
    work.RemoveAllConformers()
    conformer = Chem.Conformer(mol.GetNumAtoms())
    conformer.SetPositions(np.ascontiguousarray(start))
    work.AddConformer(conformer)
    conformer = work.GetConformer()
    origin = rdMolTransforms.GetDihedralDeg(conformer, *dihedral)
    properties = (
        rdForceFieldHelpers.MMFFGetMoleculeProperties(work)
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(work)
        else None
    )
    found = []
    for angle in angles:
        conformer.SetPositions(np.ascontiguousarray(start))
        rdMolTransforms.SetDihedralDeg(conformer, *dihedral, origin + angle)
        if properties is not None:
            field = rdForceFieldHelpers.MMFFGetMoleculeForceField(work, properties)
            target = rdMolTransforms.GetDihedralDeg(conformer, *dihedral)
            field.MMFFAddTorsionConstraint(*dihedral, False, target, target, 100.0)
            field.Minimize(maxIts=60)
        positions = conformer.GetPositions()
        if np.isfinite(positions).all() and not clashes(mol, positions):
            found.append(positions)
    return np.array(found).reshape(-1, mol.GetNumAtoms(), 3)


def clashes(mol: Chem.Mol, positions: Coordinates) -> bool:
    """Whether two atoms more than three bonds apart are closer than their size allows."""
    table = Chem.GetPeriodicTable()
    radii = np.array([table.GetRvdw(a.GetAtomicNum()) for a in mol.GetAtoms()])
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    far = Chem.GetDistanceMatrix(mol) > 3
    return bool((distances[far] < _CLASH * (radii[:, None] + radii[None])[far]).any())


def align(target: Coordinates, mobile: Coordinates) -> tuple[Coordinates, float]:
    """Rotation that brings centred coordinates onto others, and the deviation that is left.

    Parameters
    ----------
    target, mobile
        (n_atoms, 3), Å.

    Returns
    -------
    tuple
        Rotation matrix (3, 3), and the root of the sum of squared distances, Å.
    """
    if len(target) == 1:
        return np.eye(3), 0.0
    rotation, deviation = Rotation.align_vectors(target, mobile)
    return rotation.as_matrix(), float(deviation)
