"""Which molecules to label: diverse picks from pools, protonation states, named extras."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rdkit import Chem, RDLogger
from rdkit.Chem import rdFingerprintGenerator
from rdkit.SimDivFilters import rdSimDivPickers

from openff_bytepol.exceptions import DataError
from openff_bytepol.free_atoms import FREE_ATOMS

# Proton moves that are common at physiological pH: pattern, change of protons on its first atom.
_PROTON_MOVES = (
    ("[OX2H1]-[C,S,P]=O", -1),
    ("[OX2H1]-[c]", -1),
    ("[NX3;H1]([#6])S(=O)=O", -1),
    ("[SX2H1]-[#6]", -1),
    ("[NX3;!$(N-[!#6;!#1]);!$(N-[#6]=,#[*]);!$(N-[a])]", 1),
    ("[nX2;!$(n[n,o,s])]", 1),
    ("[NX2;H1,H0]=C(-N)", 1),
)


class PoolEntry(NamedTuple):
    """A molecule to label."""

    smiles: str
    """Isomeric canonical SMILES."""
    source: str
    """Where it comes from."""


def read_smiles(path: Path) -> list[str]:
    """SMILES from a `.smi` file (first column) or a CSV with a ``smiles`` column.

    Raises
    ------
    DataError
        If the file is missing or a CSV has no such column.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such pool of molecules; correct `labels.pools`")
    if path.suffix == ".csv":
        with path.open(newline="") as handle:
            rows = csv.DictReader(handle)
            if "smiles" not in (rows.fieldnames or ()):
                raise DataError(f"{path}: no `smiles` column; rename the column that holds SMILES")
            return [row["smiles"] for row in rows]
    return [line.split()[0] for line in path.read_text().splitlines() if line.strip()]


def supported(smiles: str, max_heavy_atoms: int) -> str | None:
    """Canonical SMILES of a molecule the model covers, or None.

    Connected, closed-shell, every element in the free-atom table, valid, small enough.
    """
    RDLogger.DisableLog("rdApp.*")  # type: ignore[attr-defined]
    mol = Chem.MolFromSmiles(smiles)
    if mol is None or "." in smiles or mol.GetNumHeavyAtoms() > max_heavy_atoms:
        return None
    if any(
        atom.GetAtomicNum() not in FREE_ATOMS
        or atom.GetNumRadicalElectrons()
        or atom.GetIsotope()
        or atom.GetDegree() + atom.GetTotalNumHs() > 6
        for atom in mol.GetAtoms()
    ):
        return None
    return str(Chem.MolToSmiles(mol))


def charged_forms(smiles: str) -> list[str]:
    """SMILES of the ions one proton away, by a few common acid and base groups."""
    mol = Chem.MolFromSmiles(smiles)
    found = []
    for smarts, change in _PROTON_MOVES:
        matches = mol.GetSubstructMatches(Chem.MolFromSmarts(smarts))
        if not matches:
            continue
        ion = Chem.RWMol(mol)
        atom = ion.GetAtomWithIdx(matches[0][0])
        hydrogens = atom.GetTotalNumHs()
        atom.SetFormalCharge(atom.GetFormalCharge() + change)
        atom.SetNoImplicit(True)
        atom.SetNumExplicitHs(hydrogens + change)
        if Chem.SanitizeMol(ion, catchErrors=True) == Chem.SanitizeFlags.SANITIZE_NONE:
            found.append(str(Chem.MolToSmiles(ion)))
    return found


def pick_diverse(smiles: Sequence[str], count: int, seed: int) -> list[str]:
    """Half a MaxMin pick by Morgan fingerprints, half a random draw, without repeats."""
    if count == 0:
        return []
    if len(smiles) <= count:
        return list(smiles)
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    prints = [generator.GetFingerprint(Chem.MolFromSmiles(s)) for s in smiles]
    picker = rdSimDivPickers.MaxMinPicker()
    chosen = list(picker.LazyBitVectorPick(prints, len(prints), count // 2, seed=seed))
    rest = np.setdiff1d(np.arange(len(smiles)), chosen)
    rng = np.random.default_rng(seed)
    chosen += rng.choice(rest, size=count - len(chosen), replace=False).tolist()
    return [smiles[i] for i in chosen]


def choose_molecules(
    pools: dict[str, tuple[Path, int]],
    extra: Iterable[str],
    *,
    n_ions: int,
    max_heavy_atoms: int,
    exclude: frozenset[str],
    seed: int,
) -> list[PoolEntry]:
    """Molecules to label, in an order that mixes all sources.

    Parameters
    ----------
    pools
        Name → (file, how many to pick).
    extra
        SMILES to include in any case.
    n_ions
        How many protonated or deprotonated forms of the picked molecules to add.
    max_heavy_atoms
        Size limit of picked molecules.
    exclude
        Canonical SMILES kept out, for assessment.
    seed
        Seed of picks and order.
    """
    entries: dict[str, str] = {}
    for smiles in extra:
        canonical = supported(smiles, 10_000)
        if canonical is None:
            raise DataError(f"{smiles}: not a molecule the model covers; remove it from `extra`")
        entries.setdefault(canonical, "extra")
    for name, (path, count) in pools.items():
        usable = sorted({c for s in read_smiles(path) if (c := supported(s, max_heavy_atoms))})
        for smiles in pick_diverse([s for s in usable if s not in entries], count, seed):
            entries.setdefault(smiles, name)
    ions = sorted(
        {c for s in entries for ion in charged_forms(s) if (c := supported(ion, 10_000))}
        - entries.keys()
    )
    for smiles in pick_diverse(ions, n_ions, seed):
        entries[smiles] = "proton transfer"
    kept = [PoolEntry(s, source) for s, source in entries.items() if s not in exclude]
    np.random.default_rng(seed).shuffle(kept)
    return [PoolEntry(*entry) for entry in kept]
