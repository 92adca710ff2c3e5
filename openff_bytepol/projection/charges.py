"""Fixed charges that carry the dipoles of a polarized molecule.

Charge flows along bonds, one amount for each class of equivalent bonds, so that the total
charge is exact and equivalent atoms stay equal. The flows are the least-squares solution
that makes the charges' electric field that of the atomic dipoles: both are smeared into
Gaussians of width sigma, and the Coulomb self-energy of the difference of the two
densities, which is the integral of its squared field over all space, is minimal. (This is
density fitting in the Coulomb metric: Dunlap, Connolly and Sabin, J. Chem. Phys. 71, 3396
(1979), https://doi.org/10.1063/1.438728.) The squared error of the molecular dipole, which
acts at the longest range, is added, and a small penalty on the flows.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from openff_bytepol.projection.source import Source

Floats = NDArray[np.float64]

_SIGMA: Final = 0.7
"""Width of the Gaussians, Å: about half of a bond."""

_DIPOLE_WEIGHT: Final = 1.0
"""Of squared dipole errors, Å⁻³."""

_PENALTY: Final = 0.1
"""On squared flows, Å⁻¹: keeps flows between buried atoms from following the conformer."""


def charge_shifts(source: Source, conformers: Floats, dipoles: Floats) -> Floats:
    """Change of charges that stands for atomic dipoles.

    Parameters
    ----------
    source
        The molecule.
    conformers
        Å; (n_conformers, n_atoms, 3).
    dipoles
        e·Å; (n_conformers, n_atoms, 3).

    Returns
    -------
    ndarray
        e; (n_atoms,). Adds up to zero.
    """
    flows = _flows(source)
    if flows.shape[1] == 0:
        return np.zeros(source.n_atoms)
    width = 2.0 * _SIGMA
    at_zero = 2.0 / (np.sqrt(np.pi) * width)
    normal = _PENALTY * np.diag(np.abs(flows).sum(axis=0) / 2.0)
    target = np.zeros(flows.shape[1])
    for xyz, moments in zip(conformers, dipoles, strict=True):
        square = ((xyz[:, None] - xyz) ** 2).sum(axis=-1)
        np.fill_diagonal(square, 1.0)
        r = np.sqrt(square)
        coulomb = erf(r / width) / r
        radial = (coulomb - at_zero * np.exp(-square / width**2)) / square
        np.fill_diagonal(coulomb, at_zero)
        np.fill_diagonal(radial, 0.0)
        # potential of the dipoles at the atoms: sum_j radial·mu_j·(r_i - r_j)
        along = (radial @ moments * xyz).sum(axis=1) - radial @ (moments * xyz).sum(axis=1)
        displaced = flows.T @ xyz
        normal += flows.T @ coulomb @ flows / len(conformers)
        normal += _DIPOLE_WEIGHT * displaced @ displaced.T / len(conformers)
        target += flows.T @ along / len(conformers)
        target += _DIPOLE_WEIGHT * displaced @ moments.sum(axis=0) / len(conformers)
    shifts = flows @ np.linalg.solve(normal, target)
    classes = source.classes[0]
    return (np.bincount(classes, shifts) / np.bincount(classes))[classes]


def _flows(source: Source) -> Floats:
    """Charges moved by a unit flow along each class of bonds, (n_atoms, n_flows).

    Bonds between equivalent atoms carry no flow.
    """
    atom_classes, bond_classes = source.classes
    i, j = source.bonds.T
    swap = atom_classes[i] > atom_classes[j]
    i, j = np.where(swap, j, i), np.where(swap, i, j)
    flows = np.zeros((source.n_atoms, int(bond_classes.max(initial=-1)) + 1))
    np.add.at(flows, (i, bond_classes), 1.0)
    np.add.at(flows, (j, bond_classes), -1.0)
    equivalent = np.unique(bond_classes[atom_classes[i] == atom_classes[j]])
    return np.delete(flows, equivalent, axis=1)
