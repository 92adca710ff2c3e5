"""Deterministic splits by what a model must generalise to: monomer pairs and scaffolds."""

from __future__ import annotations

import hashlib
from typing import Literal

from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold

Split = Literal["train", "validation", "test"]


def assign(key: str, fraction: float, seed: int) -> Split:
    """Split of a group by the hash of its key.

    A share ``fraction`` of groups goes to test, half as many to validation. The choice
    depends only on key and seed, so it stays as data are added.
    """
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    if position < fraction:
        return "test"
    return "validation" if position < 1.5 * fraction else "train"


def pair_key(smiles_a: str, smiles_b: str) -> str:
    """Name of an unordered pair of molecules."""
    return " | ".join(sorted((smiles_a, smiles_b)))


def scaffold_key(smiles: str) -> str:
    """Bemis-Murcko scaffold; an acyclic molecule is its own group."""
    mol = Chem.MolFromSmiles(smiles)
    scaffold = MurckoScaffold.GetScaffoldForMol(mol)  # type: ignore[no-untyped-call]
    return str(Chem.MolToSmiles(scaffold)) or smiles
