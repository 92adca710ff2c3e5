"""Names of atoms, residues and molecules that fit the files of every engine."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Final, NamedTuple

from openff.units.elements import SYMBOLS

from openff_bytepol.interop.fixed_charge import WATER

NAME_LENGTH: Final = 4
"""Characters of an atom or residue name in AMBER files; GROMACS allows five."""


class AtomNames(NamedTuple):
    """Names of the atoms of one molecule, and the residue each belongs to."""

    atoms: tuple[str, ...]
    residue_names: tuple[str, ...]
    residues: tuple[int, ...]


class MoleculeNames:
    """Gives every molecule type a name of its own."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, molecule: Any) -> str:
        """The molecule's name in letters, digits and underscores, numbered if taken."""
        wanted = re.sub(r"\W+", "_", getattr(molecule, "name", "") or "", flags=re.ASCII)
        stem = wanted.strip("_") or "MOL"
        name, count = stem, 1
        while name.upper() in self._taken:
            count += 1
            name = f"{stem}_{count}"
        self._taken.add(name.upper())
        return name


def atom_names(molecule: Any) -> AtomNames:
    """Names of atoms and residues, at most four characters each.

    The molecule's own names are kept where they fit and are unique in their residue;
    else atoms are called by element and number, a molecule without residues ``MOL``, an
    ion by its element and water ``WAT``.

    Parameters
    ----------
    molecule
        OpenFF ``Molecule``, or the simplified one of imported systems.
    """
    atoms = list(molecule.atoms)
    residues, residue_names = _residues(atoms)
    own = [getattr(atom, "name", "") or "" for atom in atoms]
    numbered = _numbered([SYMBOLS[atom.atomic_number] for atom in atoms])
    fits = all(_fits(name) for name in own)
    unique = len(set(zip(residues, own, strict=True))) == len(own)
    names = own if fits and unique else numbered
    return AtomNames(tuple(names), tuple(residue_names), tuple(residues))


def _residues(atoms: list[Any]) -> tuple[list[int], list[str]]:
    keys = [
        tuple(
            atom.metadata.get(key)
            for key in ("chain_id", "residue_number", "insertion_code", "residue_name")
        )
        for atom in atoms
    ]
    index, indices = 0, []
    for position, key in enumerate(keys):
        index += int(position > 0 and key != keys[position - 1])
        indices.append(index)
    default = _default_residue([atom.atomic_number for atom in atoms])
    return indices, [key[-1] if _fits(key[-1] or "") else default for key in keys]


def _default_residue(elements: list[int]) -> str:
    if len(elements) == 1:
        return str(SYMBOLS[elements[0]]).upper()
    return "WAT" if sorted(elements, reverse=True) == list(WATER) else "MOL"


def _fits(name: str) -> bool:
    return 0 < len(name) <= NAME_LENGTH and name.isascii() and not re.search(r"\s", name)


def _numbered(symbols: list[str]) -> list[str]:
    """C1, C2, O1, …; numbers start again where four characters no longer hold them."""
    counts: Counter[str] = Counter()
    names = []
    for symbol in symbols:
        counts[symbol] += 1
        names.append(f"{symbol}{counts[symbol] % 10 ** (NAME_LENGTH - len(symbol))}")
    return names
