"""Rows of the training schema from what programs return."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from openff_bytepol.exceptions import DataError
from openff_bytepol.smiles import canonical_smiles
from openff_bytepol.training.labels import geometries, priors

FloatArray = NDArray[np.float64]
ENERGY_WINDOW: Final = 80.0
"""Geometries further above the lowest are dropped, kcal/mol."""


def molecule_row(
    mapped_smiles: str,
    coordinates: FloatArray,
    energies: FloatArray,
    forces: FloatArray,
    *,
    kinds: Sequence[str],
    source: str,
    dipoles: FloatArray,
    charges: FloatArray | None = None,
) -> dict[str, Any]:
    """Row of the molecules schema: one molecule at several geometries.

    Sage's bonded terms and DFT-D4's dispersion, which training uses as priors, are added.

    Parameters
    ----------
    mapped_smiles
        Its map numbers give the atom order.
    coordinates, forces
        (n_geometries, n_atoms, 3), Å and kcal/mol/Å.
    energies
        (n_geometries,), kcal/mol, any common zero.
    kinds
        ``conformer``, ``torsion`` or ``distorted`` for each geometry.
    source
        Pool of the molecule.
    dipoles
        (n_geometries, 3), e·Å, about the mean position of the atoms.
    charges
        (n_atoms,), e; unknown if left out.

    Raises
    ------
    DataError
        If a value is not finite, fewer than two geometries are left, or there are no priors.
    """
    mol = geometries.from_mapped_smiles(mapped_smiles)
    if not all(np.isfinite(values).all() for values in (coordinates, energies, forces, dipoles)):
        raise DataError(f"{mapped_smiles}: energies, forces or dipoles are not finite")
    keep = energies - energies.min() < ENERGY_WINDOW
    if keep.sum() < 2:
        raise DataError(f"{mapped_smiles}: at least two geometries within {ENERGY_WINDOW} kcal/mol")
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()], dtype=np.int64)
    charge = Chem.GetFormalCharge(mol)
    try:
        bonded = priors.bonded_priors(priors.openff_molecule(mol))
    except (ValueError, KeyError) as error:
        raise DataError(f"{mapped_smiles}: no priors: {error}") from error
    lowest = int(np.argmin(energies))
    dispersion = priors.dispersion_priors(numbers, coordinates[lowest], charge)
    return {
        "smiles": canonical_smiles(mapped_smiles),
        "mapped_smiles": mapped_smiles,
        "source": source,
        "charges": [math.nan] * len(numbers) if charges is None else charges.tolist(),
        **{name: value.ravel().tolist() for name, value in (bonded | dispersion).items()},
        "kinds": [kind for kind, kept in zip(kinds, keep.tolist(), strict=True) if kept],
        "coordinates": coordinates[keep].ravel().tolist(),
        "energies": (energies[keep] - energies[keep].min()).tolist(),
        "forces": forces[keep].ravel().tolist(),
        "dipoles": dipoles[keep].ravel().tolist(),
    }


def dimer_row(
    smiles: Sequence[str],
    coordinates: FloatArray,
    total: float,
    *,
    level: str,
    subset: str,
    name: str,
    elst: float = math.nan,
    exch: float = math.nan,
    ind: float = math.nan,
    disp: float = math.nan,
    weight: float = 1.0,
) -> dict[str, Any]:
    """Row of the dimers schema.

    Parameters
    ----------
    smiles
        Mapped SMILES of the two molecules.
    coordinates
        (n_atoms, 3), Å, the first molecule's atoms first.
    total, elst, exch, ind, disp
        kcal/mol; NaN where the level has no components.
    level, subset, name
        Level of theory, set, and name within it.
    weight
        Of the dimer in the loss.

    Raises
    ------
    DataError
        If the total is not finite.
    """
    if not math.isfinite(total):
        raise DataError(f"{name}: the interaction energy is not finite")
    return {
        "subset": subset, "name": name, "level": level,
        "smiles_a": smiles[0], "smiles_b": smiles[1],
        "coordinates": np.asarray(coordinates).ravel().tolist(),
        "elst": elst, "exch": exch, "ind": ind, "disp": disp, "total": total, "weight": weight,
    }  # fmt: skip
