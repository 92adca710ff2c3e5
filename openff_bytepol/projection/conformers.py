"""A geometry that the connection table and the parameters of a molecule alone decide."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdDistGeom
from scipy.linalg.lapack import dposv

from openff_bytepol.projection.source import Source

Floats = NDArray[np.float64]

SEED: Final = 2508
_EMBEDDING_TOLERANCE: Final = 0.0135
_MAX_ATTEMPTS: Final = 20
_RELAXATION_STEPS: Final = 6
_ANGLE_WEIGHT: Final = 0.3
_DAMPING: Final = 0.01


def make_conformer(source: Source, mol: Chem.Mol, seed: int = SEED) -> Floats | None:
    """One conformer with the bond lengths and angles of the model.

    Parameters
    ----------
    source
        The molecule.
    mol
        The same molecule in any atom order, sanitized, with explicit hydrogens.
    seed
        Of the random numbers of distance geometry.

    Returns
    -------
    ndarray or None
        Å, (n_atoms, 3) in the order of ``source``; None where distance geometry finds no
        structure.
    """
    if source.n_atoms == 1:
        return np.zeros((1, 3))
    embedded = _embed(mol, seed)
    return None if embedded is None else _relax(source, embedded)


def _embed(mol: Chem.Mol, seed: int) -> Floats | None:
    """Distance geometry with flat rings and straight triple bonds, always the same.

    The molecule is written as canonical SMILES and read again, so that atoms, bonds and
    random numbers come in one order. Method: KDG of Riniker and Landrum, J. Chem. Inf.
    Model. 55, 2562 (2015), https://doi.org/10.1021/acs.jcim.5b00654; random starting
    coordinates where the usual ones fail.
    """
    parameters = Chem.SmilesParserParams()
    parameters.removeHs = False  # type: ignore[assignment]
    with rdBase.BlockLogs():
        canonical = Chem.MolFromSmiles(Chem.MolToSmiles(mol), parameters)
        if canonical is None or canonical.GetNumAtoms() != mol.GetNumAtoms():
            return None
        for random in (False, True):
            options = rdDistGeom.KDG()
            options.randomSeed = seed  # type: ignore[assignment]
            options.optimizerForceTol = _EMBEDDING_TOLERANCE  # type: ignore[assignment]
            options.maxIterations = _MAX_ATTEMPTS  # type: ignore[assignment]
            options.useRandomCoords = random  # type: ignore[assignment]
            if rdDistGeom.EmbedMolecule(canonical, options) == 0:
                return np.array(canonical.GetConformer().GetPositions())
    return None


def _relax(source: Source, xyz: Floats) -> Floats:
    """Move atoms to the equilibrium 1-2 and 1-3 distances; damped Gauss-Newton steps.

    The damping keeps what these distances leave open, the torsions, where they are.
    """
    n_atoms = source.n_atoms
    lengths = np.zeros((n_atoms, n_atoms))
    i, j = source.bonds.T
    lengths[i, j] = lengths[j, i] = source.bond_r0
    a, centre, b = source.angles.T
    left, right = lengths[a, centre], lengths[centre, b]
    square = left**2 + right**2 - 2.0 * left * right * np.cos(source.angle_theta0)
    first, second = np.concatenate([i, a]), np.concatenate([j, b])
    target = np.concatenate([source.bond_r0, np.sqrt(square)])
    weight = np.concatenate([np.ones(len(i)), np.full(len(a), _ANGLE_WEIGHT)])
    rows = np.arange(len(first))
    for _ in range(_RELAXATION_STEPS):
        vectors = xyz[first] - xyz[second]
        r = np.sqrt((vectors * vectors).sum(axis=1))
        unit = vectors * (weight / r)[:, None]
        jacobian = np.zeros((len(first), n_atoms, 3))
        jacobian[rows, first] = unit
        jacobian[rows, second] = -unit
        flat = jacobian.reshape(len(first), -1)
        normal = flat.T @ flat
        normal[np.diag_indices(3 * n_atoms)] += _DAMPING
        _, step, _ = dposv(normal, flat.T @ (weight * (r - target)))
        xyz = xyz - step.reshape(n_atoms, 3)
    centred: Floats = xyz - xyz.mean(axis=0)
    return centred
