"""Constraints that users add: SMIRKS with predicted bond lengths."""

from __future__ import annotations

import pytest
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


def constrained(name: str, *, standard: bool = True, ours_first: bool = True) -> ForceField:
    section = ForceField(name)["BytePolBonds"]
    model = f' model="{section.model}" sha256="{section.sha256}"'
    own = HYDROGEN_BONDS.format(tag="BytePolConstraints", model=model)
    sources = [name, STANDARD if standard else own]
    return ForceField(*(sources if ours_first else reversed(sources)))


@pytest.mark.parametrize("standard", [True, False])
@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("name", ["bytepol-fixed.offxml", "bytepol.offxml"])
def test_constraints_take_predicted_lengths(name, standard, ours_first):
    force_field = constrained(name, standard=standard, ours_first=ours_first)
    ethanol = Molecule.from_smiles("CCO")
    interchange = force_field.create_interchange(ethanol.to_topology())
    system = interchange.to_openmm()
    (parameters,) = predict([ethanol])
    elements = parameters.atomic_numbers
    expected = {
        tuple(sorted(pair)): r0 / 10
        for pair, r0 in zip(parameters.bonds.tolist(), parameters.bond_r0.tolist(), strict=True)
        if 1 in elements[pair]
    }
    found = {}
    for index in range(system.getNumConstraints()):
        first, second, distance = system.getConstraintParameters(index)
        found[tuple(sorted((first, second)))] = distance._value
    assert found == pytest.approx(expected, rel=1e-6)
    assert len(interchange["Bonds"].key_map) == ethanol.n_bonds
    bonds = next(f for f in system.getForces() if type(f).__name__ == "HarmonicBondForce")
    assert bonds.getNumBonds() == ethanol.n_bonds - len(expected)


def test_constraints_added_in_python(fixed):
    force_field = ForceField("bytepol-fixed.offxml")
    force_field.get_parameter_handler("Constraints").add_parameter({"smirks": "[#1:1]-[#8:2]"})
    before = force_field.to_string()
    interchange = force_field.create_interchange(Molecule.from_smiles("CCO").to_topology())
    assert len(interchange["Constraints"].key_map) == 1
    assert force_field.to_string() == before


def test_given_distances_are_kept():
    text = STANDARD.replace('id="c1"', 'distance="0.98 * angstrom"')
    force_field = ForceField("bytepol-fixed.offxml", text)
    system = force_field.create_interchange(Molecule.from_smiles("O").to_topology()).to_openmm()
    lengths = [system.getConstraintParameters(i)[2]._value for i in range(2)]
    assert lengths == pytest.approx([0.098, 0.098])


def test_nothing_is_constrained_by_default(fixed, polarizable):
    for force_field in (fixed, polarizable):
        interchange = force_field.create_interchange(cluster("CCO", "O"))
        assert not interchange["Constraints"].key_map


def test_constraints_leave_the_other_terms(fixed):
    topology = cluster("CCO", "O")
    free, _ = force_energies(fixed.create_interchange(topology))
    rigid, _ = force_energies(constrained("bytepol-fixed.offxml").create_interchange(topology))
    for name in ("HarmonicAngleForce", "PeriodicTorsionForce", "nonbonded"):
        assert rigid[name] == pytest.approx(free[name], abs=1e-9)


def test_distance_of_atoms_that_are_not_bonded_must_be_given():
    text = STANDARD.replace("[#1:1]-[*:2]", "[#1:1]-[#8]-[#1:2]")
    force_field = ForceField("bytepol-fixed.offxml", text)
    with pytest.raises(ForceFieldError, match="give it a distance"):
        force_field.create_interchange(Molecule.from_smiles("O").to_topology())


def test_two_kinds_of_constraint_sections_are_refused():
    force_field = constrained("bytepol-fixed.offxml", standard=False)
    force_field.get_parameter_handler("Constraints")
    with pytest.raises(ForceFieldError, match="BytePolConstraints"):
        force_field.create_interchange(Molecule.from_smiles("O").to_topology())
