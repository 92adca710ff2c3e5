"""GROMACS files of a fixed-charge system.

The format is that of the GROMACS reference manual, chapter "Topologies"
(https://manual.gromacs.org/current/reference-manual/topologies.html). Equivalent atoms
share an atom type; 1-4 pairs are listed from the chemical bonds; every dihedral carries
its own parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from openff_bytepol.exceptions import ExportError
from openff_bytepol.interop.fixed_charge import FixedChargeSystem, Floats, MoleculeType, Terms
from openff_bytepol.interop.from_interchange import fixed_charge_system
from openff_bytepol.interop.gromacs_mdp import run_settings
from openff_bytepol.interop.outputs import write_files
from openff_bytepol.units import (
    NM_PER_ANGSTROM,
    OPENMM_ANGLE_K,
    OPENMM_BOND_K,
    OPENMM_ENERGY,
    OPENMM_LENGTH,
)

if TYPE_CHECKING:
    from openff.interchange import Interchange

_LARGEST_COORDINATE: Final = 999.0
"""nm; beyond it the columns of a .gro file run together."""

_AtomType = tuple[int, float, float, float]


def export_gromacs(
    interchange: Interchange, prefix: str | Path, *, overwrite: bool = False
) -> list[Path]:
    """Write GROMACS files of the fixed-charge part of an Interchange.

    Written are ``PREFIX.top``, ``PREFIX.gro`` (eight decimals) and run settings for a
    single point, minimisation, NVT and NPT: ``PREFIX_energy.mdp``, ``PREFIX_min.mdp``,
    ``PREFIX_nvt.mdp`` and ``PREFIX_npt.mdp``. All files appear or none.

    Parameters
    ----------
    interchange
        With positions and a box.
    prefix
        Path without extension.
    overwrite
        Replace files that exist.

    Returns
    -------
    list of Path
        The files, topology first.

    Raises
    ------
    ExportError
        If the Interchange holds what GROMACS files cannot, or has no box or positions.
    CutoffError
        If the cutoff is longer than half the shortest box edge.
    OutputExistsError
        If a file exists and ``overwrite`` is false.
    """
    system = fixed_charge_system(interchange)
    contents = {
        Path(f"{prefix}.top"): topology_text(system),
        Path(f"{prefix}.gro"): coordinates_text(system),
    }
    settings = run_settings(system, _box(system))
    contents |= {Path(f"{prefix}_{name}.mdp"): text for name, text in settings.items()}
    return write_files(contents, overwrite=overwrite)


def topology_text(system: FixedChargeSystem) -> str:
    """The .top file."""
    atom_types = _atom_types(system)
    lines = [
        "; Written by openff-bytepol",
        "[ defaults ]",
        "; nbfunc comb-rule gen-pairs fudgeLJ fudgeQQ",
        f"1 2 yes {system.vdw_14:.15g} {system.charge_14:.15g}",
        "",
        "[ atomtypes ]",
        "; name at.num mass charge ptype sigma epsilon",
        *(
            f"{name} {element} {mass:.8g} 0.0 A "
            f"{sigma * OPENMM_LENGTH:.12e} {epsilon * OPENMM_ENERGY:.12e}"
            for (element, mass, sigma, epsilon), name in atom_types.items()
        ),
        "",
    ]
    for molecule in system.types:
        lines += _molecule_lines(molecule, atom_types)
    lines += ["[ system ]", _title(system), "", "[ molecules ]"]
    lines += [f"{system.types[index].name} {count}" for index, count in _runs(system.molecules)]
    return "\n".join(lines) + "\n"


def coordinates_text(system: FixedChargeSystem, decimals: int = 8) -> str:
    """The .gro file, with positions and box in nm.

    Raises
    ------
    ExportError
        If there is no box, or a coordinate is too large for its column.
    """
    box = _box(system)
    positions = system.positions * NM_PER_ANGSTROM
    if np.abs(positions).max(initial=0.0) > _LARGEST_COORDINATE:
        raise ExportError(
            f"a coordinate exceeds {_LARGEST_COORDINATE:g} nm, more than a .gro file holds; "
            "move the molecules into the box"
        )
    width = decimals + 5
    lines = [_title(system), str(system.n_atoms)]
    atom = residue = 0
    for index in system.molecules:
        molecule = system.types[index]
        for name, residue_name, local in zip(
            molecule.atom_names, molecule.residue_names, molecule.residues, strict=True
        ):
            x, y, z = positions[atom]
            atom += 1
            number = (residue + local) % 99_999 + 1
            lines.append(
                f"{number:5d}{residue_name:<5s}{name:>5s}{(atom - 1) % 99_999 + 1:5d}"
                f"{x:{width}.{decimals}f}{y:{width}.{decimals}f}{z:{width}.{decimals}f}"
            )
        residue += int(molecule.residues[-1]) + 1
    (ax, _, _), (bx, by, _), (cx, cy, cz) = box * NM_PER_ANGSTROM
    edges = [ax, by, cz] + ([0.0, 0.0, bx, 0.0, cx, cy] if bx or cx or cy else [])
    lines.append(" ".join(f"{value:.{decimals}f}" for value in edges))
    return "\n".join(lines) + "\n"


def _box(system: FixedChargeSystem) -> Floats:
    if system.box is None:
        raise ExportError(
            "the Interchange has no box, and GROMACS no longer runs without one; set "
            "interchange.box (for molecules in vacuum: larger than they are by twice the cutoff)"
        )
    return system.box


def _title(system: FixedChargeSystem) -> str:
    return " + ".join(
        f"{np.count_nonzero(system.molecules == index)} {molecule.name}"
        for index, molecule in enumerate(system.types[:8])
    )


def _runs(molecules: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Consecutive equal molecules as (type, count)."""
    array = np.asarray(molecules)
    starts = np.flatnonzero(np.diff(array, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(array)], strict=True):
        yield int(array[start]), int(stop - start)


def _atom_types(system: FixedChargeSystem) -> dict[_AtomType, str]:
    """A name for every distinct (element, mass, sigma, epsilon)."""
    names: dict[_AtomType, str] = {}
    for molecule in system.types:
        for key in _atom_type_keys(molecule):
            names.setdefault(key, f"bp{len(names) + 1}")
    return names


def _atom_type_keys(molecule: MoleculeType) -> list[_AtomType]:
    return list(
        zip(
            molecule.atomic_numbers.tolist(),
            molecule.masses.tolist(),
            molecule.sigmas.tolist(),
            molecule.epsilons.tolist(),
            strict=True,
        )
    )


def _molecule_lines(molecule: MoleculeType, atom_types: dict[_AtomType, str]) -> list[str]:
    lines = ["[ moleculetype ]", f"{molecule.name} 3", "", "[ atoms ]"]
    lines += [
        f"{i + 1} {atom_types[key]} {residue + 1} {residue_name} {name} {i + 1} {charge:.12f} "
        f"{mass:.8g}"
        for i, (key, residue, residue_name, name, charge, mass) in enumerate(
            zip(
                _atom_type_keys(molecule),
                molecule.residues,
                molecule.residue_names,
                molecule.atom_names,
                molecule.charges,
                molecule.masses,
                strict=True,
            )
        )
    ]
    free = [
        (min(pair), max(pair)) not in molecule.fixed_distances
        for pair in molecule.bonds.atoms.tolist()
    ]
    bonds = Terms(molecule.bonds.atoms[free], molecule.bonds.values[free])
    lines += _section("bonds", 1, bonds, lambda v: (v[1] * OPENMM_LENGTH, v[0] * OPENMM_BOND_K))
    lines += _constraint_lines(molecule)
    pairs = Terms(molecule.pairs.pairs_14.numpy(), np.zeros((len(molecule.pairs.pairs_14), 0)))
    lines += _section("pairs", 1, pairs, lambda _: ())
    lines += _section(
        "angles", 1, molecule.angles, lambda v: (np.degrees(v[1]), v[0] * OPENMM_ANGLE_K)
    )
    for function, terms in ((1, molecule.propers), (4, molecule.impropers)):
        acting = terms.values[:, 0] != 0.0
        lines += _section(
            "dihedrals",
            function,
            Terms(terms.atoms[acting], terms.values[acting]),
            lambda v: (np.degrees(v[2]), v[0] * OPENMM_ENERGY, int(v[1])),
        )
    return [*lines, ""]


def _section(
    title: str, function: int, terms: Terms, parameters: Callable[[Floats], tuple[float, ...]]
) -> list[str]:
    """One directive: atoms counted from 1, the function type, and parameters of every term."""
    if not len(terms.atoms):
        return []
    lines = ["", f"[ {title} ]"]
    for atoms, values in zip(terms.atoms, terms.values, strict=True):
        indices = " ".join(str(atom + 1) for atom in atoms)
        numbers = " ".join(f"{value:.12g}" for value in parameters(values))
        lines.append(f"{indices} {function} {numbers}".rstrip())
    return lines


def _constraint_lines(molecule: MoleculeType) -> list[str]:
    """SETTLE for a rigid water, LINCS for constrained bonds."""
    pairs = {pair: d * OPENMM_LENGTH for pair, d in molecule.fixed_distances.items()}
    if molecule.is_water and set(pairs) == {(0, 1), (0, 2), (1, 2)}:
        if pairs[0, 1] != pairs[0, 2]:
            raise ExportError(f"the two O-H distances of rigid {molecule.name} differ")
        return [
            "",
            "[ settles ]",
            f"1 1 {pairs[0, 1]:.12g} {pairs[1, 2]:.12g}",
            "",
            "[ exclusions ]",
            "1 2 3",
            "2 1 3",
            "3 1 2",
        ]
    unbonded = set(pairs) - {tuple(pair) for pair in molecule.connections.tolist()}
    if unbonded:
        raise ExportError(
            f"constraints between unbonded atoms {sorted(unbonded)} of molecule "
            f"{molecule.name} cannot be written for GROMACS, except in water ordered O, H, H; "
            "reorder the atoms, or use an unconstrained force field"
        )
    return _section(
        "constraints", 1, molecule.constraints, lambda values: (values[0] * OPENMM_LENGTH,)
    )
