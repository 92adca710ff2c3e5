"""Molecule → `MolecularGraph`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem

from openff_bytepol.free_atoms import FREE_ATOMS
from openff_bytepol.graph.chemistry import ORDER_CLASSES, atoms_of, standard_molecule
from openff_bytepol.graph.graph import MAX_RING_SIZE, MolecularGraph
from openff_bytepol.graph.symmetry import canonical_rank_classes, refined_classes
from openff_bytepol.graph.terms import (
    Indices,
    find_angles,
    find_impropers,
    find_neighbours,
    find_propers,
)


@dataclass(frozen=True)
class GraphOptions:
    """What a model wants to see of a molecule.

    Attributes
    ----------
    elements
        Supported atomic numbers.
    impropers
        ``"trefoil"``: three cyclic permutations for each centre; ``"single"``: one.
    symmetry
        ``"refinement"``: `symmetry.refined_classes`; ``"canonical_rank"``: the classes of
        the published ByteFF-Pol.
    trans_angles
        Keep the angles between opposite neighbours of six-coordinate atoms.
    fixed_molecules
        SMILES of molecules to recognize in `MolecularGraph.fixed_terms`; these never have
        trans angles.
    """

    elements: tuple[int, ...] = tuple(FREE_ATOMS)
    impropers: Literal["trefoil", "single"] = "trefoil"
    symmetry: Literal["refinement", "canonical_rank"] = "refinement"
    trans_angles: bool = False
    fixed_molecules: tuple[str, ...] = ()


def build_graph(molecule: Any, options: GraphOptions | None = None) -> MolecularGraph:
    """Graph of one molecule, the same however the molecule was drawn.

    Parameters
    ----------
    molecule
        SMILES, OpenFF ``Molecule`` or RDKit ``Mol``; see `chemistry.standard_molecule`
        for hydrogens and atom order.
    options
        What the model wants to see.

    Returns
    -------
    MolecularGraph
        On the CPU, atoms in the order of the molecule.

    Raises
    ------
    ChemistryError
        Or one of its subclasses, naming the molecule, the reason and the remedy.
    """
    options = options or GraphOptions()
    mol = standard_molecule(molecule, frozenset(options.elements))
    atoms = atoms_of(mol)
    atomic_numbers = np.array([a.GetAtomicNum() for a in atoms], dtype=np.int64)
    bonds, bond_orders, bond_in_ring = _read_bonds(mol)
    table = find_neighbours(bonds, len(atomic_numbers))
    rings = mol.GetRingInfo()
    ring_sizes = np.array(
        [rings.MinAtomRingSize(i) for i in range(len(atomic_numbers))], dtype=np.int64
    )
    ring_sizes[ring_sizes > MAX_RING_SIZE] = 0
    charges = np.array([a.GetFormalCharge() for a in atoms], dtype=np.int64)
    if options.symmetry == "refinement":
        atom_classes, bond_classes = refined_classes(atomic_numbers, bonds)
    else:
        atom_classes, bond_classes = canonical_rank_classes(atomic_numbers, bonds)
    fixed = _recognize(mol, atomic_numbers, options.fixed_molecules)
    angles, angle_bonds = find_angles(table, trans=options.trans_angles and fixed < 0)
    propers, proper_bonds = find_propers(table, bonds)
    impropers, improper_bonds = find_impropers(
        table, atomic_numbers, trefoil=options.impropers == "trefoil"
    )
    linear = _linear_atoms(atomic_numbers, charges, ring_sizes, table.degree, bonds)
    arrays = {
        "atomic_numbers": atomic_numbers,
        "connectivities": table.degree,
        "formal_charges": charges,
        "ring_bonds": np.bincount(bonds[bond_in_ring].reshape(-1), minlength=len(charges)),
        "ring_sizes": ring_sizes,
        "atom_classes": atom_classes,
        "molecule_index": np.zeros_like(charges),
        "bonds": bonds,
        "bond_in_ring": bond_in_ring,
        "bond_orders": bond_orders,
        "bond_classes": bond_classes,
        "angles": angles,
        "angle_bonds": angle_bonds,
        "propers": propers,
        "proper_bonds": proper_bonds,
        "proper_linear": linear[propers[:, 1:3]].any(axis=1),
        "impropers": impropers,
        "improper_bonds": improper_bonds,
        "fixed_terms": np.array([fixed], dtype=np.int64),
    }
    return MolecularGraph(
        **{name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()},
        n_atom_classes=int(atom_classes.max()) + 1,
        n_bond_classes=int(bond_classes.max(initial=-1)) + 1,
    )


def _read_bonds(mol: Chem.Mol) -> tuple[Indices, Indices, NDArray[np.bool_]]:
    """Sorted atom pairs (n_bonds, 2), order classes (n_bonds,), in a small ring (n_bonds,)."""
    rings = mol.GetRingInfo()
    rows = []
    for bond in (mol.GetBondWithIdx(i) for i in range(mol.GetNumBonds())):
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        ring = rings.MinBondRingSize(bond.GetIdx())
        rows.append(
            (min(i, j), max(i, j), ORDER_CLASSES[bond.GetBondType()], 0 < ring <= MAX_RING_SIZE)
        )
    table = np.array(sorted(rows), dtype=np.int64).reshape(-1, 4)
    return table[:, :2], table[:, 2], table[:, 3].astype(bool)


def _linear_atoms(
    atomic_numbers: Indices, charges: Indices, ring_sizes: Indices, degree: Indices, bonds: Indices
) -> NDArray[np.bool_]:
    """Atoms about which a proper torsion is undefined, bool (n_atoms,).

    Two-coordinate carbon outside five- and six-membered rings, and two-coordinate N+
    unless a neighbour is N-H (arXiv:2508.08575).
    """
    carbon = (atomic_numbers == 6) & (degree == 2) & ~np.isin(ring_sizes, (5, 6))
    n_hydrogens = np.zeros_like(degree)
    n_nh = np.zeros_like(degree)
    for a, b in (bonds.T, bonds.T[::-1]):
        np.add.at(n_hydrogens, a, atomic_numbers[b] == 1)
    is_nh = (atomic_numbers == 7) & (n_hydrogens == 1)
    for a, b in (bonds.T, bonds.T[::-1]):
        np.add.at(n_nh, a, is_nh[b])
    nitrogen = (atomic_numbers == 7) & (degree == 2) & (charges == 1) & (n_nh == 0)
    linear: NDArray[np.bool_] = carbon | nitrogen
    return linear


@lru_cache(maxsize=16)
def _known_formulas(smiles: tuple[str, ...]) -> dict[tuple[int, ...], dict[str, int]]:
    known: dict[tuple[int, ...], dict[str, int]] = {}
    for position, one in enumerate(smiles):
        mol = standard_molecule(one, frozenset(range(1, 119)))
        formula = tuple(sorted(a.GetAtomicNum() for a in atoms_of(mol)))
        known.setdefault(formula, {})[Chem.MolToSmiles(mol)] = position
    return known


def _recognize(mol: Chem.Mol, atomic_numbers: Indices, smiles: tuple[str, ...]) -> int:
    """Position of the molecule in a list of SMILES, -1 if it is not there."""
    same_formula = _known_formulas(smiles).get(tuple(np.sort(atomic_numbers).tolist()))
    return same_formula.get(Chem.MolToSmiles(mol), -1) if same_formula else -1
