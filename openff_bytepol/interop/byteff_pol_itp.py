"""Bonded terms of a molecule in the ITP (GROMACS) layout of ByteFF-Pol."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from openmm import app, unit
from torch import Tensor

from openff_bytepol.exceptions import DataError
from openff_bytepol.parameters import PROPER_PERIODICITIES, ParameterSet
from openff_bytepol.units import OPENMM_ANGLE_K, OPENMM_BOND_K, OPENMM_ENERGY, OPENMM_LENGTH

_BOND: Final = "1"
_ANGLE: Final = "1"
_PROPER: Final = "9"
_IMPROPER: Final = "4"
_PAIR: Final = "1"


class ItpMolecule(NamedTuple):
    """What an ITP file says about its molecule."""

    atomic_numbers: Tensor
    """(n_atoms,)"""
    terms: dict[str, Tensor]
    """Atoms and parameters of bonded terms, named and in units as in `ParameterSet`."""


def read_itp(path: Path) -> ItpMolecule:
    """Read elements (from atom names) and bonded terms.

    Raises
    ------
    DataError
        If the file cannot be read or has terms of another functional form.
    """
    try:
        sections = _read_sections(path.read_text("utf-8"))
        numbers = [_atomic_number(row[4]) for row in sections["atoms"]]
        return ItpMolecule(torch.tensor(numbers), _read_terms(sections))
    except (OSError, KeyError, IndexError, ValueError) as error:
        raise DataError(f"{path} is not a ByteFF-Pol parameter file: {error!r}") from error


def itp_lines(parameters: ParameterSet, name: str) -> Iterator[str]:
    """Lines of the ITP file of one molecule; bonded terms as the parameters list them."""
    yield "[ moleculetype ]"
    yield "; name  nrexcl"
    yield f" {name} 3"
    yield "\n[ atoms ]"
    yield "; nr  type  resi  res  atom  cgnr  charge  mass"
    charges = parameters.charges.tolist()
    names = _atom_names(parameters)
    for i, (atom, element, charge) in enumerate(
        zip(names, _elements(parameters), charges, strict=True), start=1
    ):
        mass = element.mass.value_in_unit(unit.dalton)
        yield f"{i:6d} {atom + 'bf':>8} 1 UNL {atom:>6} {i:6d} {charge:14.8f} {mass:10.4f}"
    yield from _term_lines(
        "bonds",
        "ai  aj  funct  r  k",
        parameters.bonds,
        _BOND,
        [parameters.bond_r0 * OPENMM_LENGTH, parameters.bond_k * OPENMM_BOND_K],
    )
    yield from _term_lines(
        "angles",
        "ai  aj  ak  funct  theta  cth",
        parameters.angles,
        _ANGLE,
        [torch.rad2deg(parameters.angle_theta0), parameters.angle_k * OPENMM_ANGLE_K],
    )
    periods = _floats(PROPER_PERIODICITIES)
    count = len(parameters.propers)
    width = len(periods)
    yield from _term_lines(
        "dihedrals",
        "ai  aj  ak  al  funct  phase  k  pn (propers)",
        parameters.propers.repeat_interleave(width, dim=0),
        _PROPER,
        [
            torch.where(periods % 2 == 1, 0.0, 180.0).repeat(count),
            (parameters.proper_k * OPENMM_ENERGY).flatten(),
            periods.repeat(count),
        ],
    )
    count = len(parameters.impropers)
    yield from _term_lines(
        "dihedrals",
        "ai  aj  ak  al  funct  phase  k  pn (impropers)",
        parameters.impropers,
        _IMPROPER,
        [
            torch.full((count,), 180.0, dtype=torch.float64),
            parameters.improper_k * OPENMM_ENERGY,
            torch.full((count,), 2.0, dtype=torch.float64),
        ],
    )
    yield from _term_lines("pairs", "ai  aj  funct", parameters.pairs.pairs_14, _PAIR, [])


def _elements(parameters: ParameterSet) -> list[app.Element]:
    return [app.Element.getByAtomicNumber(number) for number in parameters.atomic_numbers.tolist()]


def _atom_names(parameters: ParameterSet) -> list[str]:
    return [f"{element.symbol.lower()}{i}" for i, element in enumerate(_elements(parameters))]


def atom_type_lines(parameters: ParameterSet) -> Iterator[str]:
    """Lines of the atom types that GROMACS asks for, without parameters."""
    yield "[ atomtypes ]"
    yield "; name  bonded.type  at.num  mass  charge  ptype  sigma  epsilon"
    for name, element in zip(_atom_names(parameters), _elements(parameters), strict=True):
        yield f" {name}bf {element.atomic_number:4d} 0.0 0.0 A 0.0 0.0"


def _term_lines(
    section: str, columns: str, atoms: Tensor, function: str, values: Sequence[Tensor]
) -> Iterator[str]:
    if not len(atoms):
        return
    yield f"\n[ {section} ]"
    yield f"; {columns}"
    for row, numbers in zip(
        (atoms + 1).tolist(),
        torch.stack(list(values), dim=1).tolist() if values else [[]] * len(atoms),
        strict=True,
    ):
        words = [f"{i:6d}" for i in row] + [function] + [f"{number:.12g}" for number in numbers]
        yield " ".join(words)


def _read_sections(text: str) -> dict[str, list[list[str]]]:
    """Rows of each section, without comments."""
    sections: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in text.splitlines():
        content = line.split(";", maxsplit=1)[0].strip()
        if content.startswith("["):
            rows = sections.setdefault(content.strip("[] "), [])
        elif content:
            rows.append(content.split())
    return sections


def _read_terms(sections: dict[str, list[list[str]]]) -> dict[str, Tensor]:
    bonds = _rows(sections, "bonds", _BOND, 2)
    angles = _rows(sections, "angles", _ANGLE, 3)
    dihedrals = sections.get("dihedrals", [])
    kinds = {row[4] for row in dihedrals}
    if not kinds <= {_PROPER, _IMPROPER}:
        raise ValueError(f"dihedrals of function type {', '.join(sorted(kinds))}")
    propers: dict[tuple[int, ...], list[float]] = {}
    for row in (row for row in dihedrals if row[4] == _PROPER):
        period = int(row[7])
        _check_phase(row, 0.0 if period % 2 else 180.0)
        atoms = tuple(int(word) - 1 for word in row[:4])
        heights = propers.setdefault(atoms, [0.0] * len(PROPER_PERIODICITIES))
        heights[PROPER_PERIODICITIES.index(period)] += float(row[6])
    impropers = [row for row in dihedrals if row[4] == _IMPROPER]
    for row in impropers:
        _check_phase(row, 180.0)
        if row[7] != "2":
            raise ValueError(f"improper of multiplicity {row[7]}")
    return {
        "bonds": _indices(bonds, 2),
        "bond_r0": _floats([float(row[3]) for row in bonds]) / OPENMM_LENGTH,
        "bond_k": _floats([float(row[4]) for row in bonds]) / OPENMM_BOND_K,
        "angles": _indices(angles, 3),
        "angle_theta0": torch.deg2rad(_floats([float(row[4]) for row in angles])),
        "angle_k": _floats([float(row[5]) for row in angles]) / OPENMM_ANGLE_K,
        "propers": torch.tensor(list(propers), dtype=torch.int64).reshape(-1, 4),
        "proper_k": _floats(list(propers.values())).reshape(-1, 4) / OPENMM_ENERGY,
        "impropers": _indices(impropers, 4),
        "improper_k": _floats([float(row[6]) for row in impropers]) / OPENMM_ENERGY,
    }


def _rows(
    sections: dict[str, list[list[str]]], name: str, function: str, width: int
) -> list[list[str]]:
    rows = sections.get(name, [])
    if any(row[width] != function for row in rows):
        raise ValueError(f"{name} of another function type than {function}")
    return rows


def _check_phase(row: Sequence[str], expected: float) -> None:
    if not math.isclose(float(row[5]), expected, abs_tol=1e-6):
        raise ValueError(f"dihedral of phase {row[5]}; {expected:g} is expected")


def _indices(rows: Sequence[Sequence[str]], width: int) -> Tensor:
    atoms = [[int(word) - 1 for word in row[:width]] for row in rows]
    return torch.tensor(atoms, dtype=torch.int64).reshape(-1, width)


def _floats(values: Sequence[Any]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _atomic_number(name: str) -> int:
    """Atomic number from an atom name like ``c12`` or ``li0``."""
    return int(app.Element.getBySymbol(name.rstrip("0123456789").capitalize()).atomic_number)
