"""What exporters can get wrong in silence is written correctly or refused."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from openff.interchange import Interchange
from openff.interchange.components.potentials import Collection, Potential
from openff.interchange.models import AngleKey, ImproperTorsionKey, PotentialKey, TopologyKey
from openff.units import Quantity

from openff_bytepol.exceptions import (
    CutoffError,
    EngineError,
    ExportError,
    ForceFieldError,
    OutputExistsError,
)
from openff_bytepol.interop import amber_prmtop, gromacs
from openff_bytepol.interop.amber import export_amber
from openff_bytepol.interop.amber_energies import amber_energy
from openff_bytepol.interop.from_interchange import fixed_charge_system
from openff_bytepol.interop.gromacs import export_gromacs
from openff_bytepol.interop.gromacs_energies import gromacs_file_energy

from .systems import force_field_named, interchange, molecule, remapped, sage
from .test_engines import check_amber, check_gromacs

BOX = [30.0, 30.0, 30.0]


def prmtop_section(text: str, flag: str) -> list[str]:
    """Values of one section of a prmtop, cut at its columns."""
    lines = text.split(f"%FLAG {flag}\n")[1].split("%FLAG", maxsplit=1)[0].splitlines()
    width = int(re.match(r"%FORMAT\(\d+[aIE](\d+)", lines[0])[1])
    return [
        line[start : start + width].strip()
        for line in lines[1:]
        for start in range(0, len(line), width)
    ]


@pytest.mark.parametrize(
    "smiles", ["C1CC1CO", "C1CC1", "C1C2CC1C2", "C1COC(=O)O1", "CC#CC", "c1ccccc1", "CCCO"]
)
def test_one_dihedral_carries_each_14_pair(smiles: str) -> None:
    """Rings list a 1-4 pair in two torsions, or make it a 1-2 or 1-3 pair as well."""
    system = fixed_charge_system(interchange([smiles]))
    text = amber_prmtop.topology_text(system)
    flags = ("DIHEDRALS_INC_HYDROGEN", "DIHEDRALS_WITHOUT_HYDROGEN")
    values = [int(value) for flag in flags for value in prmtop_section(text, flag)]
    quartets = np.array(values).reshape(-1, 5)
    carriers = quartets[(quartets[:, 2] >= 0) & (quartets[:, 3] >= 0)]
    ends = np.sort(carriers[:, [0, 3]] // 3, axis=1)
    assert sorted(ends.tolist()) == sorted(system.types[0].pairs.pairs_14.tolist())


@pytest.mark.amber
@pytest.mark.gromacs
def test_14_pairs_without_torsions() -> None:
    """AMBER reads 1-4 pairs from torsions; linear groups and edited force fields have none."""
    system = interchange(["CC(C)C#CC", "CCO"])
    system["ProperTorsions"].key_map.clear()
    check_gromacs(system)
    check_amber(system)
    assert amber_energy(system).terms["coulomb_14"] != 0.0


@pytest.mark.amber
@pytest.mark.gromacs
@pytest.mark.parametrize("smiles", ["F[P-](F)(F)(F)(F)F", "CC(C)C#CC", "C1C2CC1C2"])
def test_pairs_without_angles_stay_excluded(smiles: str) -> None:
    """sander excludes pairs by its angles, whatever the list of excluded atoms says."""
    system = interchange([smiles])
    for key in list(system["Angles"].key_map)[::2]:
        del system["Angles"].key_map[key]
    check_gromacs(system)
    check_amber(system)


@pytest.mark.amber
@pytest.mark.gromacs
@pytest.mark.parametrize(("charge_14", "vdw_14"), [(0.5, 0.5), (0.0, 1.0), (1.0, 0.25)])
def test_other_scale_factors(charge_14: float, vdw_14: float) -> None:
    system = interchange(["CCCO"])
    system["Electrostatics"].scale_14 = charge_14
    system["vdW"].scale_14 = vdw_14
    check_gromacs(system)
    check_amber(system)


@pytest.mark.amber
@pytest.mark.gromacs
def test_impropers_keep_their_atom_order() -> None:
    """One improper per centre, out of symmetry: every order of its atoms has another energy."""
    system = interchange(["CC(=O)NC"])
    collection = system["ImproperTorsions"]
    centres = {key.atom_indices[0]: key for key in collection.key_map}
    collection.key_map.clear()
    collection.potentials.clear()
    for number, (centre, key) in enumerate(centres.items()):
        a, b, c = key.atom_indices[1:]
        for mult, atoms in enumerate([(centre, c, a, b), (centre, a, c, b)]):
            potential_key = PotentialKey(id=f"{number}-{mult}", associated_handler=collection.type)
            collection.key_map[ImproperTorsionKey(atom_indices=atoms, mult=mult)] = potential_key
            collection.potentials[potential_key] = Potential(
                parameters={
                    "k": Quantity(3.0 + number + mult, "kcal/mol"),
                    "periodicity": Quantity(1 + mult, ""),
                    "phase": Quantity(40.0 + 70.0 * mult, "degree"),
                    "idivf": Quantity(1.0, ""),
                }
            )
    check_gromacs(system)
    check_amber(system)


@pytest.mark.amber
@pytest.mark.gromacs
def test_atoms_without_lennard_jones() -> None:
    system = interchange(["CCO", "[Li+]"])
    collection = system["vdW"]
    for key, used in collection.key_map.items():
        if system.topology.atom(key.atom_indices[0]).atomic_number in (1, 3):
            epsilon = collection.potentials[used].parameters["epsilon"]
            collection.potentials[used].parameters["epsilon"] = 0.0 * epsilon
    check_gromacs(system)
    check_amber(system)


@pytest.mark.amber
@pytest.mark.gromacs
def test_equal_molecules_with_different_charges() -> None:
    """As `Interchange.combine` makes them; isomorphic molecules need not be the same type."""
    system = interchange(["CCO"], [3])
    electrostatics = system["Electrostatics"]
    atoms = {key.atom_indices[0]: key for key in electrostatics.key_map}
    for atom, charge in ((9, 0.3), (11, -0.3)):
        key = PotentialKey(id=f"changed {atom}", associated_handler="LibraryCharges")
        electrostatics.key_map[atoms[atom]] = key
        electrostatics.potentials[key] = Potential(
            parameters={"charge": Quantity(charge, "elementary_charge")}
        )
    electrostatics._charges_cached = False
    assert fixed_charge_system(system).molecules.tolist() == [0, 1, 0]
    check_gromacs(system)
    check_amber(system)


def test_one_type_per_distinct_lennard_jones_atom() -> None:
    """The AMBER table grows with the square of the number of types."""
    system = interchange(["CCO", "CCCO", "CC(=O)NC"])
    collection = system["vdW"]
    n_distinct = len(
        {tuple(q.m for q in p.parameters.values()) for p in collection.potentials.values()}
    )
    for atom, (key, used) in enumerate(list(collection.key_map.items())):
        own = PotentialKey(id=f"atom {atom}", associated_handler="vdW")
        collection.potentials[own] = collection.potentials[used]
        collection.key_map[key] = own
    arrays = fixed_charge_system(system)
    pointers = prmtop_section(amber_prmtop.topology_text(arrays), "POINTERS")
    assert int(pointers[1]) <= n_distinct
    acoef = prmtop_section(amber_prmtop.topology_text(arrays), "LENNARD_JONES_ACOEF")
    assert len(acoef) == int(pointers[1]) * (int(pointers[1]) + 1) // 2


class Extra(Collection):
    """A term that no file format knows."""

    type: str = "Extra"
    expression: str = "k*r"


def add_unknown(system: Interchange) -> None:
    key = PotentialKey(id="extra", associated_handler="Extra")
    extra = Extra()
    extra.key_map[TopologyKey(atom_indices=(0,))] = key
    extra.potentials[key] = Potential(parameters={"k": Quantity(1.0, "kcal/mol")})
    system.collections["Extra"] = extra


def remove_positions(system: Interchange) -> None:
    system.positions = None


def cut_molecule(system: Interchange) -> None:
    system.positions[0] += Quantity([30.0, 0.0, 0.0], "angstrom")


def turn_box(system: Interchange) -> None:
    system.box = Quantity([[30.0, 5.0, 0.0], [0.0, 30.0, 0.0], [0.0, 0.0, 30.0]], "angstrom")


def drop_bonds(system: Interchange) -> None:
    system["Bonds"].key_map.pop(next(iter(system["Bonds"].key_map)))


def shift_term(system: Interchange) -> None:
    """As `Interchange.combine` does to terms that the first system has none of."""
    key, potential = next(iter(system["Angles"].key_map.items()))
    moved = AngleKey(atom_indices=tuple(atom + 7 for atom in key.atom_indices))
    system["Angles"].key_map[moved] = potential


def drop_vdw(system: Interchange) -> None:
    del system.collections["vdW"]


def setting(collection: str, attribute: str, value: object) -> Callable[[Interchange], None]:
    return lambda system: setattr(system[collection], attribute, value)


REFUSED = {
    "unknown collection": (add_unknown, "Extra"),
    "mixing rule": (setting("vdW", "mixing_rule", "geometric"), "mixing_rule"),
    "Lennard-Jones PME": (setting("vdW", "periodic_method", "pme"), "periodic_method"),
    "reaction field": (
        setting("Electrostatics", "periodic_potential", "reaction-field"),
        "periodic_potential",
    ),
    "1-3 scale": (setting("vdW", "scale_13", 0.5), "scale_13"),
    "1-5 scale": (setting("Electrostatics", "scale_15", 0.5), "scale_15"),
    "plugin form": (setting("vdW", "is_plugin", True), "plugin"),
    "no positions": (remove_positions, "positions"),
    "molecule cut by the box": (cut_molecule, "cut by the box"),
    "box not reduced": (turn_box, "reduced form"),
    "bond without parameters": (drop_bonds, "have no parameters"),
    "term across molecules": (shift_term, "two molecules"),
    "no Lennard-Jones": (drop_vdw, "no vdW"),
}


@pytest.mark.parametrize("export", [export_gromacs, export_amber])
@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(
    change: Callable[[Interchange], None],
    message: str,
    export: Callable[..., list[Path]],
    tmp_path: Path,
) -> None:
    system = interchange(["CCO", "CC#N"], box=BOX)
    change(system)
    with pytest.raises(ForceFieldError, match=message):
        export(system, tmp_path / "system")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("export", [export_gromacs, export_amber])
def test_virtual_sites_are_refused(export: Callable[..., list[Path]], tmp_path: Path) -> None:
    system = interchange(["O"], box=BOX, force_field=sage("tip4p_fb.offxml"))
    with pytest.raises(ExportError, match="VirtualSites"):
        export(system, tmp_path / "water")


@pytest.mark.parametrize("export", [export_gromacs, export_amber])
def test_cutoff_beyond_half_the_box(export: Callable[..., list[Path]], tmp_path: Path) -> None:
    with pytest.raises(CutoffError, match=r"17\.5 Å"):
        export(interchange(["CCO"], box=[17.5, 30.0, 30.0]), tmp_path / "small")


def test_gromacs_files_need_a_box_and_amber_files_do_not(tmp_path: Path) -> None:
    system = interchange(["CCO"])
    with pytest.raises(ExportError, match="no box"):
        export_gromacs(system, tmp_path / "vacuum")
    assert not list(tmp_path.iterdir())
    assert {path.name for path in export_amber(system, tmp_path / "vacuum")} == {
        "vacuum.prmtop",
        "vacuum.inpcrd",
        "vacuum_energy.in",
        "vacuum_min.in",
        "vacuum_nvt.in",
    }


def test_constraints_that_amber_cannot_name(tmp_path: Path) -> None:
    rigid = interchange(["O"], box=BOX, force_field=sage("tip3p.offxml"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixed = interchange(["CCO"], box=BOX, force_field=sage()).combine(rigid)
    with pytest.raises(ExportError, match="some molecules only"):
        export_amber(mixed, tmp_path / "mixed")
    export_gromacs(mixed, tmp_path / "mixed")


@pytest.mark.parametrize("export", [export_gromacs, export_amber])
def test_rigid_water_in_another_order(export: Callable[..., list[Path]], tmp_path: Path) -> None:
    water = remapped("O", [1, 0, 2])
    rigid = interchange([water], box=BOX, force_field=force_field_named("bytepol-fixed.offxml"))
    with pytest.raises(ExportError, match="reorder the atoms"):
        export(rigid, tmp_path / "water")
    export(interchange([water], box=BOX), tmp_path / "water")


@pytest.mark.parametrize("export", [export_gromacs, export_amber])
def test_nothing_is_overwritten(export: Callable[..., list[Path]], tmp_path: Path) -> None:
    system = interchange(["CCO"], box=BOX)
    paths = export(system, tmp_path / "new" / "ethanol")
    paths[0].unlink()
    paths[1].write_text("mine")
    with pytest.raises(OutputExistsError, match="overwrite=True"):
        export(system, tmp_path / "new" / "ethanol")
    assert paths[1].read_text() == "mine"
    assert not paths[0].exists()
    assert export(system, tmp_path / "new" / "ethanol", overwrite=True) == paths
    assert sorted(paths) == sorted((tmp_path / "new").iterdir())
    assert paths[1].read_text() != "mine"


def test_names_stay_apart_and_fit_their_columns() -> None:
    """Same names, no names, names with spaces, names too long for a column."""
    named = [molecule(smiles).remap({i: i for i in range(molecule(smiles).n_atoms)}) for smiles in
             ("CCO", "CO", "CC#N", "C")]  # fmt: skip
    for copy, name in zip(named, ["solvent / A", "solvent / A", "", "MOL"], strict=True):
        copy.name = name
    for atom in named[0].atoms:
        atom.name = "X"
    for atom in named[1].atoms:
        atom.metadata["residue_name"] = "METHANOL"
        atom.name = f"{atom.symbol}{atom.molecule_atom_index + 1000}"
    system = fixed_charge_system(interchange(named, box=BOX))
    names = [kind.name for kind in system.types]
    assert names == ["solvent_A", "solvent_A_2", "MOL", "MOL_2"]
    for kind in system.types:
        assert len(set(kind.atom_names)) == kind.n_atoms
        assert all(0 < len(name) <= 4 for name in (*kind.atom_names, *kind.residue_names))
    top = gromacs.topology_text(system)
    molecules = top.split("[ molecules ]\n")[1].split()
    assert molecules == ["solvent_A", "1", "solvent_A_2", "1", "MOL", "1", "MOL_2", "1"]


def test_residues_are_kept() -> None:
    peptide = molecule("CC(=O)NCC(=O)NC")
    copy = peptide.remap({i: i for i in range(peptide.n_atoms)})
    heavy = [atom for atom in copy.atoms if atom.atomic_number > 1]
    for atom in copy.atoms:
        parent = atom if atom.atomic_number > 1 else next(iter(atom.bonded_atoms))
        first = heavy.index(parent) < 3
        atom.metadata["residue_name"] = "ACE" if first else "GLX"
        atom.metadata["residue_number"] = 4 if first else 5
    order = sorted(range(copy.n_atoms), key=lambda i: copy.atom(i).metadata["residue_number"])
    copy = copy.remap({old: new for new, old in enumerate(order)})
    system = fixed_charge_system(interchange([copy, "CCO"], [2, 1], BOX))
    text = amber_prmtop.topology_text(system)
    assert prmtop_section(text, "RESIDUE_LABEL") == ["ACE", "GLX", "ACE", "GLX", "MOL"]
    pointers = [int(value) for value in prmtop_section(text, "RESIDUE_POINTER")]
    assert pointers[2] - pointers[0] == copy.n_atoms
    assert prmtop_section(text, "ATOMS_PER_MOLECULE") == [str(copy.n_atoms)] * 2 + ["9"]


def test_coordinates_too_large_for_their_columns(tmp_path: Path) -> None:
    system = interchange(["CCO"], box=BOX)
    system.positions += Quantity(20_000.0, "angstrom")
    with pytest.raises(ExportError, match="into the box"):
        export_gromacs(system, tmp_path / "far")
    with pytest.raises(ExportError, match="into the box"):
        export_amber(system, tmp_path / "far")


def test_amber_announces_what_it_computes_in_its_own_way(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="linear groups of MOL bend"):
        export_amber(interchange(["CC#N"]), tmp_path / "nitrile")
    with pytest.warns(UserWarning, match="no switching function"):
        export_amber(interchange(["CCO"], box=BOX), tmp_path / "box")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export_amber(interchange(["CCO"]), tmp_path / "vacuum")


@pytest.mark.amber
def test_crashes_of_sander_are_explained() -> None:
    """It overruns its own arrays where a small box is nearly empty."""
    with pytest.raises(EngineError, match="larger box"):
        amber_energy(interchange(["CCO"], [3], [22.0, 22.0, 22.0]))


@pytest.mark.gromacs
def test_failures_of_gromacs_are_quoted(tmp_path: Path) -> None:
    export_gromacs(interchange(["CCO"], box=BOX), tmp_path / "ethanol")
    (tmp_path / "ethanol.top").write_text("[ nonsense ]\n")
    with pytest.raises(EngineError, match="nonsense"):
        gromacs_file_energy(tmp_path / "ethanol")
