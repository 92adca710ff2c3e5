"""A polarizable molecule as NumPy arrays, in an order that its chemistry alone decides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from openff_bytepol.exceptions import ParameterError
from openff_bytepol.graph.chemistry import standard_molecule
from openff_bytepol.graph.symmetry import refined_classes
from openff_bytepol.parameters import ATOM_PARAMETERS, ParameterSet
from openff_bytepol.settings import NonbondedSettings

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_MAX_CHARGE_ERROR = 1e-3


@dataclass(frozen=True, eq=False)
class Source:
    """What the projection reads of one molecule, in internal units.

    Attributes
    ----------
    smiles
        Without hydrogens, to name the molecule.
    order
        Position in the given molecule of each atom here, (n_atoms,).
    charges
        Shifted evenly so that they add up to the formal charge.
    distances
        Number of bonds between atoms, (n_atoms, n_atoms).

    The other arrays are those of `ParameterSet`; bonds are sorted, angles and propers stand
    in the order of the parameters.
    """

    smiles: str
    order: Indices
    distances: Indices
    atomic_numbers: Indices
    charges: Floats
    polarizabilities: Floats
    dampings: Floats
    c6: Floats
    radii: Floats
    epsilons: Floats
    lambdas: Floats
    ct_epsilons: Floats
    ct_lambdas: Floats
    bonds: Indices
    bond_r0: Floats
    angles: Indices
    angle_theta0: Floats
    propers: Indices
    proper_k: Floats
    settings: NonbondedSettings

    @property
    def n_atoms(self) -> int:
        return len(self.atomic_numbers)

    @cached_property
    def classes(self) -> tuple[Indices, Indices]:
        """Symmetry class of each atom and of each bond."""
        return refined_classes(self.atomic_numbers, self.bonds)

    @classmethod
    def read(cls, parameters: ParameterSet, mol: Chem.Mol) -> Source:
        """Arrays of one molecule in the order of its canonical SMILES.

        Parameters
        ----------
        parameters
            Of one molecule, without an ensemble axis.
        mol
            The same molecule with the same atom order.

        Raises
        ------
        ParameterError
            If the two differ in atoms, bonds or total charge.
        """
        smiles = Chem.MolToSmiles(Chem.RemoveAllHs(mol, sanitize=False))
        _check(parameters, mol, smiles)
        order = _canonical_order(mol)
        new_index = np.argsort(order)
        arrays = {
            name: getattr(parameters, name).detach().double().cpu().numpy()[order]
            for name in ATOM_PARAMETERS
        }
        total = Chem.GetFormalCharge(mol)
        error = total - arrays["charges"].sum()
        if abs(error) > _MAX_CHARGE_ERROR:
            raise ParameterError(
                f"the charges of molecule '{smiles}' add up to {total - error:.6f} e, but its "
                f"formal charge is {total} e; use parameters made for this molecule"
            )
        arrays["charges"] = arrays["charges"] + error / len(order)
        terms = {
            name: new_index[getattr(parameters, name).cpu().numpy()]
            for name in ("bonds", "angles", "propers")
        }
        values = {
            name: getattr(parameters, name).detach().double().cpu().numpy()
            for name in ("bond_r0", "angle_theta0", "proper_k")
        }
        bonds = np.sort(terms["bonds"], axis=1)
        sorted_bonds = np.lexsort((bonds[:, 1], bonds[:, 0]))
        terms["bonds"] = bonds[sorted_bonds]
        values["bond_r0"] = values["bond_r0"][sorted_bonds]
        return cls(
            smiles=smiles,
            order=order,
            distances=Chem.GetDistanceMatrix(mol).astype(np.int64)[np.ix_(order, order)],
            atomic_numbers=parameters.atomic_numbers.cpu().numpy()[order],
            settings=parameters.settings,
            **arrays,
            **terms,
            **values,
        )


def flat_molecule(parameters: ParameterSet, molecule: Any) -> Chem.Mol:
    """RDKit molecule without stereochemistry and conformers, atoms in the given order.

    Parameters know no stereochemistry, so that stereoisomers share one projection.

    Raises
    ------
    ChemistryError
        If the molecule cannot be read.
    """
    mol = standard_molecule(molecule, frozenset(parameters.atomic_numbers.tolist()))
    Chem.RemoveStereochemistry(mol)
    return mol


def _canonical_order(mol: Chem.Mol) -> Indices:
    """Atom indices in the order of the canonical SMILES, (n_atoms,)."""
    Chem.MolToSmiles(mol)
    text = mol.GetProp("_smilesAtomOutputOrder")
    return np.array([int(i) for i in text.strip("[],").split(",")], dtype=np.int64)


def _check(parameters: ParameterSet, mol: Chem.Mol, smiles: str) -> None:
    if parameters.n_molecules != 1:
        raise ParameterError(
            f"these parameters hold {parameters.n_molecules} molecules; project them one by one "
            "(ParameterSet.split)"
        )
    numbers = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    bonds = {tuple(sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx()))) for b in mol.GetBonds()}
    own_bonds = {tuple(sorted(pair)) for pair in parameters.bonds.tolist()}
    if parameters.atomic_numbers.tolist() != numbers or own_bonds != bonds:
        raise ParameterError(
            f"the parameters are not those of molecule '{smiles}': atoms or bonds differ; give the "
            "molecule that was parameterized, with its atoms in the same order"
        )
