"""Constraints: those of the shipped force fields, and those that users add."""

from __future__ import annotations

import pytest
from openff.interchange import Interchange
from openff.toolkit import ForceField, Molecule

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.models import predict
from tests.smirnoff.conftest import cluster
from tests.smirnoff.openmm_terms import force_energies

HYDROGEN_BONDS = """<?xml version="1.0" encoding="utf-8"?>
<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL">
    <{tag} version="0.3"{model}>
        <Constraint smirks="[#1:1]-[*:2]" id="c1"></Constraint>
    </{tag}>
</SMIRNOFF>"""

STANDARD = HYDROGEN_BONDS.format(tag="Constraints", model="")
CONSTRAINED = ["bytepol.offxml", "bytepol-fixed.offxml"]
FREE = ["bytepol_unconstrained.offxml", "bytepol-fixed_unconstrained.offxml"]
WATER = {(0, 1): 0.09579, (0, 2): 0.09579, (1, 2): 0.15148}
"""nm"""


def constrained(name: str, *, standard: bool = True, ours_first: bool = True) -> ForceField:
    section = ForceField(name)["BytePolBonds"]
    model = f' model="{section.model}" sha256="{section.sha256}"'
    own = HYDROGEN_BONDS.format(tag="BytePolConstraints", model=model)
    sources = [name, STANDARD if standard else own]
    return ForceField(*(sources if ours_first else reversed(sources)))


def distances(interchange: Interchange) -> dict[tuple[int, int], float]:
    """Constrained pairs of the OpenMM system and their distances, nm."""
    system = interchange.to_openmm()
    found = {}
    for index in range(system.getNumConstraints()):
        first, second, distance = system.getConstraintParameters(index)
        pair = (min(first, second), max(first, second))
        assert pair not in found
        found[pair] = distance._value
    return found


def predicted(molecule: Molecule) -> dict[tuple[int, int], float]:
    """Bonds to hydrogen and their predicted lengths, nm."""
    (parameters,) = predict([molecule])
    bonds = zip(parameters.bonds.tolist(), parameters.bond_r0.tolist(), strict=True)
    return {
        (min(pair), max(pair)): r0 / 10
        for pair, r0 in bonds
        if 1 in parameters.atomic_numbers[pair]
    }


@pytest.mark.parametrize("name", CONSTRAINED)
@pytest.mark.parametrize("smiles", ["CCO", "CC(=O)[O-]", "C[NH3+]", "C#C"])
def test_bonds_to_hydrogen_have_their_predicted_lengths(name, smiles):
    molecule = Molecule.from_smiles(smiles)
    interchange = ForceField(name).create_interchange(molecule.to_topology())
    assert distances(interchange) == pytest.approx(predicted(molecule), rel=1e-6)


@pytest.mark.parametrize("name", CONSTRAINED)
def test_water_is_rigid_in_its_equilibrium_geometry(name):
    water = ForceField(name).create_interchange(Molecule.from_smiles("O").to_topology())
    assert distances(water) == pytest.approx(WATER, rel=1e-9)


@pytest.mark.parametrize("name", CONSTRAINED)
@pytest.mark.parametrize("smiles", ["[OH3+]", "[OH-]", "OO", "CO", "[2H]OC"])
def test_only_water_is_rigid(name, smiles):
    molecule = Molecule.from_smiles(smiles)
    interchange = ForceField(name).create_interchange(molecule.to_topology())
    assert distances(interchange) == pytest.approx(predicted(molecule), rel=1e-6)


@pytest.mark.parametrize("name", FREE)
def test_nothing_is_constrained_without(name):
    interchange = ForceField(name).create_interchange(cluster("CCO", "O"))
    assert not interchange["Constraints"].key_map
    assert not distances(interchange)


@pytest.mark.parametrize("ours_first", [True, False])
def test_constraints_of_users_join_ours(ours_first):
    """The last one that matches holds, as everywhere in SMIRNOFF."""
    text = STANDARD.replace(
        'smirks="[#1:1]-[*:2]" id="c1"', 'smirks="[#6:1]-[#8:2]" distance="1.5 * angstrom"'
    )
    sources = ["bytepol-fixed.offxml", text]
    force_field = ForceField(*(sources if ours_first else reversed(sources)))
    ethanol = Molecule.from_smiles("CCO")
    found = distances(force_field.create_interchange(ethanol.to_topology()))
    assert found == pytest.approx(predicted(ethanol) | {(1, 2): 0.15}, rel=1e-6)


@pytest.mark.parametrize("standard", [True, False])
@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("name", FREE)
def test_constraints_take_predicted_lengths(name, standard, ours_first):
    force_field = constrained(name, standard=standard, ours_first=ours_first)
    ethanol = Molecule.from_smiles("CCO")
    interchange = force_field.create_interchange(ethanol.to_topology())
    expected = predicted(ethanol)
    assert distances(interchange) == pytest.approx(expected, rel=1e-6)
    assert len(interchange["Bonds"].key_map) == ethanol.n_bonds
    forces = interchange.to_openmm().getForces()
    bonds = next(f for f in forces if type(f).__name__ == "HarmonicBondForce")
    assert bonds.getNumBonds() == ethanol.n_bonds - len(expected)


def test_constraints_added_in_python():
    force_field = ForceField("bytepol-fixed_unconstrained.offxml")
    force_field.get_parameter_handler("Constraints").add_parameter({"smirks": "[#1:1]-[#8:2]"})
    before = force_field.to_string()
    interchange = force_field.create_interchange(Molecule.from_smiles("CCO").to_topology())
    assert len(interchange["Constraints"].key_map) == 1
    assert force_field.to_string() == before


def test_given_distances_are_kept():
    text = STANDARD.replace('id="c1"', 'distance="0.98 * angstrom"')
    force_field = ForceField("bytepol-fixed_unconstrained.offxml", text)
    found = distances(force_field.create_interchange(Molecule.from_smiles("O").to_topology()))
    assert found == pytest.approx({(0, 1): 0.098, (0, 2): 0.098})


def test_constraints_leave_the_other_terms(fixed):
    topology = cluster("CCO", "O")
    free, _ = force_energies(fixed.create_interchange(topology))
    bonds_only = constrained("bytepol-fixed_unconstrained.offxml").create_interchange(topology)
    rigid, _ = force_energies(bonds_only)
    for name in ("HarmonicAngleForce", "PeriodicTorsionForce", "nonbonded"):
        assert rigid[name] == pytest.approx(free[name], abs=1e-9)


@pytest.mark.parametrize(("constrained", "free"), list(zip(CONSTRAINED, FREE, strict=True)))
def test_rigid_molecules_lose_bonds_and_the_angle_of_water_only(constrained, free):
    topology = cluster("CCO", "O")
    rigid, _ = force_energies(ForceField(constrained).create_interchange(topology))
    whole, _ = force_energies(ForceField(free).create_interchange(topology))
    ethanol, _ = force_energies(ForceField(free).create_interchange(cluster("CCO")))
    assert rigid["HarmonicAngleForce"] == pytest.approx(ethanol["HarmonicAngleForce"], abs=1e-6)
    assert rigid.keys() == whole.keys()
    for name in rigid.keys() - {"HarmonicBondForce", "HarmonicAngleForce"}:
        assert rigid[name] == pytest.approx(whole[name], abs=1e-9), name


def test_distance_of_atoms_that_are_not_bonded_must_be_given():
    text = STANDARD.replace("[#1:1]-[*:2]", "[#1:1]-[#8]-[#1:2]")
    force_field = ForceField("bytepol-fixed_unconstrained.offxml", text)
    with pytest.raises(ForceFieldError, match="give it a distance"):
        force_field.create_interchange(Molecule.from_smiles("O").to_topology())


@pytest.mark.parametrize("name", ["bytepol-fixed.offxml", "bytepol-fixed_unconstrained.offxml"])
def test_two_kinds_of_constraint_sections_are_refused(name):
    force_field = constrained(name, standard=False)
    force_field.get_parameter_handler("Constraints")
    with pytest.raises(ForceFieldError, match="BytePolConstraints"):
        force_field.create_interchange(Molecule.from_smiles("O").to_topology())
