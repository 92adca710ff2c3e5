"""Molecules with plausible parameters and geometries, without a trained model."""

from __future__ import annotations

import networkx as nx
import numpy as np
import torch
from rdkit import Chem
from rdkit.Chem import AllChem
from torch import Tensor

from openff_bytepol.free_atoms import FREE_ATOMS
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.settings import NonbondedSettings


def molecule(
    smiles: str, *, seed: int = 1, settings: NonbondedSettings | None = None
) -> tuple[ParameterSet, Tensor]:
    """Parameters scaled from free atoms with random charges, and an embedded geometry."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(mol, randomSeed=seed) == 0
    graph = nx.Graph((b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds())
    graph.add_nodes_from(range(mol.GetNumAtoms()))
    numbers = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    rng = np.random.default_rng(seed)
    free = [FREE_ATOMS[number] for number in numbers]
    n_atoms = len(numbers)

    def near(values: list[float] | float) -> Tensor:
        return torch.tensor(values * rng.uniform(0.9, 1.1, n_atoms))

    def draw(low: float, high: float, *shape: int) -> Tensor:
        return torch.tensor(rng.uniform(low, high, shape))

    def index(rows: list[tuple[int, ...]], width: int) -> Tensor:
        return torch.tensor(rows, dtype=torch.int64).reshape(-1, width)

    charges = draw(-0.4, 0.4, n_atoms)
    bonds = sorted((min(e), max(e)) for e in graph.edges)
    angles = [(i, j, k) for j in graph for i in graph[j] for k in graph[j] if i < k]
    propers = [
        (i, j, k, m)
        for j, k in bonds
        for i in graph[j]
        for m in graph[k]
        if i != k and m != j and i != m
    ]
    impropers = [(c, *graph[c]) for c in graph if len(graph[c]) == 3]
    parameters = ParameterSet(
        atomic_numbers=torch.tensor(numbers),
        molecule_index=torch.zeros(n_atoms, dtype=torch.int64),
        charges=charges - charges.mean() + Chem.GetFormalCharge(mol) / n_atoms,
        polarizabilities=near([0.7 * atom.polarizability for atom in free]),
        dampings=near([0.7 * atom.polarizability for atom in free]),
        c6=near([0.7 * atom.c6 for atom in free]),
        radii=near([2.0 * atom.radius for atom in free]),
        epsilons=near(0.02),
        lambdas=near(6.0),
        ct_epsilons=near(2.0),
        ct_lambdas=near(0.8),
        bonds=index(bonds, 2),
        bond_k=draw(500, 900, len(bonds)),
        bond_r0=draw(1.0, 1.5, len(bonds)),
        angles=index(angles, 3),
        angle_k=draw(60, 150, len(angles)),
        angle_theta0=draw(1.8, 2.1, len(angles)),
        propers=index(propers, 4),
        proper_k=draw(-1, 1, len(propers), 4),
        impropers=index(impropers, 4),
        improper_k=draw(1, 5, len(impropers)),
        settings=settings or NonbondedSettings(),
    )
    return parameters, torch.tensor(mol.GetConformer().GetPositions())


def cluster(
    *smiles: str, gap: float = 1.8, settings: NonbondedSettings | None = None
) -> tuple[ParameterSet, Tensor]:
    """Molecules side by side along x, the extents of neighbours ``gap`` ångström apart."""
    parts = [molecule(s, seed=i + 1, settings=settings) for i, s in enumerate(smiles)]
    edge = 0.0
    coordinates = []
    for _, x in parts:
        shifted = x - x.mean(0)
        shifted[:, 0] += edge - shifted[:, 0].min()
        coordinates.append(shifted)
        edge = float(shifted[:, 0].max()) + gap
    return ParameterSet.concatenate([p for p, _ in parts]), torch.cat(coordinates)
