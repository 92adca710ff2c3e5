"""Molecules with parameters: published ones, and those of the shipped model."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import networkx as nx
from rdkit import Chem

from openff_bytepol.interop.byteff_pol_files import read_byteff_pol_files
from openff_bytepol.models import load_model
from openff_bytepol.parameters import ParameterSet

PUBLISHED = {
    "ACT": "CC(=O)C",
    "EC": "C1COC(=O)O1",
    "DMC": "COC(=O)OC",
    "AFGBL": "O=C1OCCC1F",
    "LI": "[Li+]",
    "PF6": "F[P-](F)(F)(F)(F)F",
}


def explicit(smiles: str) -> Chem.Mol:
    return Chem.AddHs(Chem.MolFromSmiles(smiles))


@cache
def published(folder: Path, name: str) -> tuple[ParameterSet, Chem.Mol]:
    """Published parameters, and the molecule in their atom order."""
    parameters = read_byteff_pol_files(
        folder / "reference" / "byteff_pol_published" / name / f"{name}.itp"
    )
    mol = explicit(PUBLISHED[name])
    graphs = []
    for numbers, bonds in (
        (parameters.atomic_numbers.tolist(), parameters.bonds.tolist()),
        (
            [a.GetAtomicNum() for a in mol.GetAtoms()],
            [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()],
        ),
    ):
        graph = nx.Graph(bonds)
        graph.add_nodes_from((i, {"z": z}) for i, z in enumerate(numbers))
        graphs.append(graph)
    matcher = nx.isomorphism.GraphMatcher(*graphs, node_match=lambda a, b: a["z"] == b["z"])
    mapping = next(matcher.isomorphisms_iter())
    return parameters, Chem.RenumberAtoms(mol, [mapping[i] for i in range(len(mapping))])


@cache
def predicted(smiles: str, **changed: float) -> tuple[ParameterSet, Chem.Mol]:
    """Parameters of the shipped model, with some settings changed."""
    mol = explicit(smiles)
    (parameters,) = load_model().predict([mol])
    return replace(parameters, settings=parameters.settings.model_copy(update=changed)), mol
