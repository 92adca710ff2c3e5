"""Deterministic splits by what a model must generalise to: monomer pairs and scaffolds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final, Literal, TypeAlias

from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold

from openff_bytepol.training.config import SplitConfig

Split = Literal["train", "validation", "test"]
Rows: TypeAlias = dict[Split, list[dict[str, Any]]]
_HELD_OUT: Final[tuple[Split, ...]] = ("test", "validation")


def split_rows(
    rows: Iterable[dict[str, Any]],
    groups: Callable[[dict[str, Any]], Collection[str]],
    fraction: float,
    settings: SplitConfig,
    trained: Collection[str] = (),
) -> Rows:
    """Rows by split, in their order.

    Parameters
    ----------
    rows
        What is split.
    groups
        Keys of a row: it is tested on if one of them is held out for testing, else validated on
        if one is held out for validation, else trained on if all are in the share for training.
    fraction
        Share of groups that goes to test; see `assign`.
    settings
        Seed, and the share for training.
    trained
        Keys that are never held out.
    """
    result: Rows = {"train": [], "validation": [], "test": []}
    for row in rows:
        keys = groups(row)
        parts: set[Split] = {
            "train" if key in trained else assign(key, fraction, settings.seed) for key in keys
        }
        part: Split = next((one for one in _HELD_OUT if one in parts), "train")
        share = settings.train_share
        if part != "train" or all(in_share(key, share, settings.seed) for key in keys):
            result[part].append(row)
    return result


def assign(key: str, fraction: float, seed: int) -> Split:
    """Split of a group by the hash of its key.

    A share ``fraction`` of groups goes to test, half as many to validation. The choice
    depends only on key and seed, so it stays as data are added.
    """
    position = _position(f"{seed}:{key}")
    if position < fraction:
        return "test"
    return "validation" if position < 1.5 * fraction else "train"


def in_share(key: str, share: float, seed: int) -> bool:
    """Whether a group for training belongs to a share of them, as learning curves take it.

    The choice does not depend on the split; smaller shares lie within larger ones.
    """
    return _position(f"share {seed}:{key}") < share


def _position(text: str) -> float:
    """A hash in [0, 1)."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def pair_key(smiles_a: str, smiles_b: str) -> str:
    """Name of an unordered pair of molecules."""
    return " | ".join(sorted((smiles_a, smiles_b)))


def scaffold_key(smiles: str) -> str:
    """Bemis-Murcko scaffold; an acyclic molecule is its own group."""
    mol = Chem.MolFromSmiles(smiles)
    scaffold = MurckoScaffold.GetScaffoldForMol(mol)  # type: ignore[no-untyped-call]
    return str(Chem.MolToSmiles(scaffold)) or smiles
