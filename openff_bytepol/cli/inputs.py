"""Molecules from SMILES and files."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openff_bytepol.exceptions import (
    ChemistryError,
    DataError,
    MissingDependencyError,
    MissingHydrogensError,
)

if TYPE_CHECKING:
    from openff.toolkit import Molecule, Topology

FILE_TYPES = (".sdf", ".mol", ".pdb", ".smi", ".csv")


@dataclass(frozen=True)
class NamedMolecule:
    """A molecule and what the user calls it.

    Attributes
    ----------
    name
        Title in its file, or the SMILES.
    value
        SMILES; an OpenFF ``Molecule`` where a file says more; an RDKit ``Mol`` where the
        file lacks hydrogens.
    """

    name: str
    value: Any

    def to_openff(self) -> Molecule:
        """As an OpenFF ``Molecule``.

        Raises
        ------
        ChemistryError
            If the SMILES cannot be read, or hydrogens are missing.
        """
        require_openff()
        from openff.toolkit import Molecule

        if isinstance(self.value, Molecule):
            return self.value
        if not isinstance(self.value, str):
            raise MissingHydrogensError(
                f"molecule '{self.name}' has no explicit hydrogens; add them to its file"
            )
        try:
            molecule = Molecule.from_smiles(self.value, allow_undefined_stereo=True)
        except Exception as error:
            raise ChemistryError(
                f"{self.value!r} is no SMILES that can be read: {error}"
            ) from error
        molecule.name = self.name
        return molecule


def require_openff() -> None:
    """Raise `MissingDependencyError` where the OpenFF packages are missing."""
    try:
        import openff.interchange
        import openff.toolkit  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"the OpenFF packages are not installed ({error}); install them with "
            '`pip install "openff-bytepol[openff]"`'
        ) from error


def read_molecules(inputs: Sequence[str], templates: Sequence[str] = ()) -> list[NamedMolecule]:
    """Read every molecule that the arguments name.

    Parameters
    ----------
    inputs
        SMILES, or files: SDF, MOL, PDB (with templates), SMI, or CSV with a column
        ``smiles`` and perhaps ``name``.
    templates
        SMILES of the molecules in PDB files, which hold no bond orders.

    Raises
    ------
    DataError
        If a file does not exist, is empty or cannot be read.
    """
    found = [molecule for text in inputs for molecule in _read(text, templates)]
    if not found:
        raise DataError(f"no molecules in {', '.join(inputs)}")
    return found


def is_file(text: str) -> bool:
    """Whether an argument names a file rather than being a SMILES."""
    return Path(text).suffix.lower() in FILE_TYPES or Path(text).is_file()


def _read(text: str, templates: Sequence[str]) -> Iterator[NamedMolecule]:
    if not is_file(text):
        yield NamedMolecule(text, text)
        return
    path = Path(text)
    if not path.is_file():
        raise DataError(f"{path} does not exist; check the path")
    match path.suffix.lower():
        case ".sdf" | ".mol":
            yield from _read_sdf(path)
        case ".pdb":
            topology = read_pdb(path, templates)
            for molecule in topology.unique_molecules:
                yield NamedMolecule(
                    molecule.name or molecule.to_smiles(explicit_hydrogens=False), molecule
                )
        case ".csv":
            yield from _read_csv(path)
        case ".smi":
            yield from _read_smi(path)
        case suffix:
            raise DataError(
                f"{path}: files of type {suffix or '(none)'} are not read; "
                f"use one of {', '.join(FILE_TYPES)}"
            )


def _read_sdf(path: Path) -> Iterator[NamedMolecule]:
    require_openff()
    from openff.toolkit import Molecule
    from rdkit import Chem

    for index, record in enumerate(Chem.SDMolSupplier(str(path), removeHs=False), start=1):
        if record is None:
            raise DataError(f"{path}, record {index}: not a readable molecule; repair or remove it")
        title = record.GetProp("_Name") if record.HasProp("_Name") else ""
        name = title or f"{path.stem}-{index}"
        if Chem.AddHs(record).GetNumAtoms() != record.GetNumAtoms():
            yield NamedMolecule(name, record)
            continue
        molecule = Molecule.from_rdkit(record, allow_undefined_stereo=True)
        molecule.name = name
        yield NamedMolecule(name, molecule)


def _read_csv(path: Path) -> Iterator[NamedMolecule]:
    with path.open(newline="", encoding="utf-8-sig") as handle:
        reader = csv.DictReader(handle)
        columns = {name.strip().lower(): name for name in reader.fieldnames or ()}
        if "smiles" not in columns:
            raise DataError(
                f"{path} has no column 'smiles'; it has: {', '.join(columns) or 'none'}"
            )
        for row in reader:
            smiles = (row[columns["smiles"]] or "").strip()
            if smiles:
                name = row[columns["name"]] if "name" in columns else None
                yield NamedMolecule(name or smiles, smiles)


def _read_smi(path: Path) -> Iterator[NamedMolecule]:
    for line in path.read_text().splitlines():
        smiles, _, name = line.strip().partition(" ")
        if smiles and not smiles.startswith("#"):
            yield NamedMolecule(name.strip() or smiles, smiles)


def read_pdb(path: Path, templates: Sequence[str]) -> Topology:
    """Topology with positions, and a box if the file has one.

    Raises
    ------
    DataError
        If no templates are given, or they do not fit the file.
    """
    require_openff()
    from openff.toolkit import Topology

    if not templates:
        raise DataError(
            f"{path}: PDB files hold no bond orders; give the SMILES of each kind of molecule "
            "in it with --template"
        )
    kinds = [NamedMolecule(smiles, smiles).to_openff() for smiles in templates]
    try:
        topology = Topology.from_pdb(str(path), unique_molecules=kinds)
    except Exception as error:
        raise DataError(
            f"{path} does not fit the templates {', '.join(templates)}: {error}"
        ) from error
    for molecule in topology.unique_molecules:
        if not any(molecule.is_isomorphic_with(kind) for kind in kinds):
            raise DataError(
                f"{path} holds {molecule.to_smiles(explicit_hydrogens=False)}, which is none of "
                f"the templates {', '.join(templates)}; add it as a --template"
            )
    return topology
