"""Pools of molecules: read, enumerated, deduplicated by connection table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rdkit import Chem
from rdkit.Chem import BRICS
from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers, StereoEnumerationOptions

from active_learning.config import CampaignConfig, PoolConfig
from openff_bytepol.training.labels.pool import charged_forms, read_smiles, supported

_SMALLEST_FRAGMENT = 3
"""Heavy atoms."""


class PoolMolecule(NamedTuple):
    """A molecule that may be labelled."""

    smiles: str
    """Canonical isomeric SMILES."""
    source: str
    """Pool, and what was done to the molecule found there."""


class Pool(NamedTuple):
    """Molecules without repeats, and what was left out."""

    molecules: list[PoolMolecule]
    dropped: dict[str, int]
    """Reason → number."""


def build_pool(config: CampaignConfig, accepts: Callable[[str], bool]) -> Pool:
    """All pools of a campaign together.

    Parameters
    ----------
    config
        Pools, and files of molecules that are never labelled.
    accepts
        Whether the model covers a canonical SMILES.

    Raises
    ------
    DataError
        If a file is missing.
    """
    excluded = {
        canonical
        for name in config.candidates.exclude
        for path in config.files(name)
        for smiles in read_smiles(path)
        if (canonical := supported(smiles, 10_000))
    }
    found: dict[str, str] = {}
    dropped: Counter[str] = Counter()
    for pool in config.candidates.pools:
        for path in config.files(pool.path):
            for molecule in _enumerate(pool, path, config.seed, dropped):
                if molecule.smiles in excluded:
                    dropped["kept for assessment"] += 1
                elif molecule.smiles in found:
                    dropped["repeated"] += 1
                elif not accepts(molecule.smiles):
                    dropped["not covered by the model"] += 1
                else:
                    found[molecule.smiles] = molecule.source
    return Pool([PoolMolecule(*item) for item in found.items()], dict(dropped))


def _enumerate(
    pool: PoolConfig, path: Path, seed: int, dropped: Counter[str]
) -> Iterator[PoolMolecule]:
    smiles: Sequence[str] = read_smiles(path)
    if pool.limit is not None and len(smiles) > pool.limit:
        chosen = np.random.default_rng(seed).choice(len(smiles), pool.limit, replace=False)
        smiles = [smiles[i] for i in sorted(chosen)]
    for one in smiles:
        parts = fragments(one) if pool.fragments else []
        base = supported(one, pool.max_heavy_atoms)
        if base is None and not parts:
            dropped["invalid, too large, or with elements that are not covered"] += 1
        forms = [(base, path.name)] if base else []
        forms += [(f, f"{path.name}, fragment") for f in parts]
        for form, source in forms:
            yield from _forms(form, source, pool)


def _forms(smiles: str, source: str, pool: PoolConfig) -> Iterator[PoolMolecule]:
    ions = charged_forms(smiles) if pool.protonation else []
    named = [(smiles, source), *((ion, f"{source}, proton moved") for ion in ions)]
    for one, origin in named:
        for isomer in stereoisomers(one, pool.stereoisomers):
            canonical = supported(isomer, pool.max_heavy_atoms)
            if canonical is not None:
                yield PoolMolecule(canonical, origin)


def stereoisomers(smiles: str, limit: int) -> list[str]:
    """Stereoisomers of undefined centres, at most ``limit``; with 1, the molecule as it is."""
    if limit == 1:
        return [smiles]
    options = StereoEnumerationOptions(  # type: ignore[no-untyped-call]
        maxIsomers=limit, onlyUnassigned=True, unique=True
    )
    isomers: Iterable[Chem.Mol] = EnumerateStereoisomers(  # type: ignore[no-untyped-call]
        Chem.MolFromSmiles(smiles), options=options
    )
    return [str(Chem.MolToSmiles(isomer)) for isomer in isomers]


def fragments(smiles: str) -> list[str]:
    """BRICS fragments (Degen et al., ChemMedChem 3, 1503 (2008)), cuts closed by hydrogen."""
    mol = Chem.MolFromSmiles(smiles)
    if mol is None or "." in smiles:
        return []
    found = set()
    pieces = BRICS.BRICSDecompose(mol, returnMols=True)  # type: ignore[no-untyped-call]
    for piece in pieces:
        closed = Chem.RWMol(piece)
        for atom in closed.GetAtoms():
            if atom.GetAtomicNum() == 0:
                atom.SetAtomicNum(1)
                atom.SetIsotope(0)
        plain = Chem.RemoveHs(closed, sanitize=False)
        failed = Chem.SanitizeMol(plain, catchErrors=True)
        if not failed and plain.GetNumHeavyAtoms() >= _SMALLEST_FRAGMENT:
            found.add(str(Chem.MolToSmiles(plain)))
    return sorted(found - {str(Chem.MolToSmiles(mol))})
