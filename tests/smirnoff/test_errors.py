"""What a bytepol force field refuses, and how it says so."""

from __future__ import annotations

import numpy as np
import pytest
from openff.interchange import Interchange
from openff.toolkit import ForceField, Molecule, Quantity, Topology
from openff.toolkit.topology._mm_molecule import _SimpleMolecule

from openff_bytepol.exceptions import (
    BytePolError,
    CutoffError,
    DisconnectedMoleculeError,
    ForceFieldError,
    HashMismatchError,
    UnsupportedElementError,
    UserChargesError,
)
from openff_bytepol.models import load_model
from openff_bytepol.smirnoff.polarizable import FixedChargeProjectionWarning
from openff_bytepol.smirnoff.writing import offxml_text
from tests.smirnoff.conftest import cluster

BOTH = pytest.mark.parametrize("name", ["polarizable", "fixed"])


@pytest.fixture
def charged_water():
    water = Molecule.from_smiles("O")
    water.partial_charges = Quantity(np.array([-0.8, 0.4, 0.4]), "elementary_charge")
    return water


@BOTH
def test_charges_of_the_user_are_refused(name, request, charged_water):
    force_field = request.getfixturevalue(name)
    topology = charged_water.to_topology()
    with pytest.raises(UserChargesError, match="charge_from_molecules"):
        force_field.create_interchange(topology, charge_from_molecules=[charged_water])
    with pytest.raises(UserChargesError):
        Interchange.from_smirnoff(force_field, topology, None, None, [charged_water])
    with pytest.raises(UserChargesError):
        force_field.create_openmm_system(topology, charge_from_molecules=[charged_water])


def test_charges_on_molecules_are_ignored_as_always(fixed, charged_water):
    with_charges = fixed.create_interchange(charged_water.to_topology())
    without = fixed.create_interchange(Molecule.from_smiles("O").to_topology())
    charges = [i["Electrostatics"].get_charge_array().m for i in (with_charges, without)]
    assert charges[0] == pytest.approx(charges[1])
    assert charges[0] != pytest.approx([-0.8, 0.4, 0.4])


def test_partial_charges_of_the_force_field(fixed):
    water = Molecule.from_smiles("O")
    charges = fixed.get_partial_charges(water).m_as("elementary_charge")
    assert charges.sum() == pytest.approx(0.0, abs=1e-6)
    assert charges[0] < 0.0 < charges[1]


@pytest.mark.parametrize("other", ["tip3p.offxml", "opc.offxml", "openff-2.2.1.offxml"])
@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("name", ["bytepol.offxml", "bytepol-fixed.offxml"])
def test_sections_that_would_be_overwritten_are_refused(name, other, ours_first):
    names = [name, other] if ours_first else [other, name]
    force_field = ForceField(*names)
    with pytest.raises(ForceFieldError, match="cannot act together"):
        force_field.create_interchange(Molecule.from_smiles("O").to_topology())


def test_virtual_sites_are_refused(fixed):
    force_field = ForceField("bytepol-fixed.offxml")
    force_field.get_parameter_handler("VirtualSites")
    with pytest.raises(ForceFieldError, match="VirtualSites"):
        force_field.create_interchange(Molecule.from_smiles("O").to_topology())


def test_implicit_solvent_is_refused_beside_polarization():
    force_field = ForceField("bytepol.offxml")
    force_field.get_parameter_handler("GBSA")
    with pytest.raises(ForceFieldError, match="GBSA"):
        force_field.create_interchange(Molecule.from_smiles("O").to_topology())


def test_polarizable_part_does_not_stand_alone():
    force_field = ForceField("bytepol.offxml")
    force_field.deregister_parameter_handler("BytePolvdW")
    with pytest.raises(ForceFieldError, match="BytePolvdW"):
        force_field.create_interchange(Molecule.from_smiles("O").to_topology())


@BOTH
def test_cutoff_beyond_half_the_box(name, request):
    force_field = request.getfixturevalue(name)
    topology = cluster("O")
    topology.box_vectors = Quantity(np.eye(3) * 17.9, "angstrom")
    with pytest.raises(CutoffError, match="half the shortest box width"):
        force_field.create_interchange(topology)
    with pytest.raises(CutoffError):
        Interchange.from_smirnoff(
            force_field, cluster("O"), box=Quantity(np.eye(3) * 1.7, "nanometer")
        )
    topology.box_vectors = Quantity(np.eye(3) * 18.1, "angstrom")
    force_field.create_interchange(topology).to_openmm()


def test_narrow_triclinic_boxes_count_by_their_width(fixed):
    topology = cluster("O")
    box = np.array([[20.0, 0.0, 0.0], [0.0, 20.0, 0.0], [10.0, 10.0, 14.2]])
    topology.box_vectors = Quantity(box, "angstrom")
    with pytest.raises(CutoffError):
        fixed.create_interchange(topology)


def test_box_set_later_is_checked_on_export(polarizable):
    interchange = polarizable.create_interchange(cluster("O"))
    interchange.box = Quantity(np.eye(3) * 17.0, "angstrom")
    with pytest.raises(CutoffError):
        interchange.to_openmm()


@BOTH
def test_molecules_without_chemistry_are_refused(name, request):
    topology = Topology()
    topology.add_molecule(_SimpleMolecule.from_molecule(Molecule.from_smiles("O")))
    with pytest.raises(ForceFieldError, match="bond orders"):
        request.getfixturevalue(name).create_interchange(topology)


@pytest.mark.parametrize(
    ("smiles", "error"),
    [("C[Si](C)(C)C", UnsupportedElementError), ("[Na+].[Cl-]", DisconnectedMoleculeError)],
)
def test_molecules_outside_the_model(fixed, smiles, error):
    with pytest.raises(error):
        fixed.create_interchange(Molecule.from_smiles(smiles).to_topology())


def test_errors_leave_no_trace(fixed):
    good = Molecule.from_smiles("CCO")
    bad = Molecule.from_smiles("C[Si](C)(C)C")
    with pytest.raises(BytePolError):
        fixed.create_interchange(Topology.from_molecules([good, bad]))
    fixed.create_interchange(good.to_topology())


def test_hash_of_other_weights():
    text = offxml_text("bytepol").replace(load_model().sha256, "0f" * 32)
    with pytest.raises(HashMismatchError, match="0f0f0f"):
        ForceField(text).create_interchange(Molecule.from_smiles("O").to_topology())


@pytest.mark.parametrize(
    ("section", "attribute", "value"),
    [
        ("BytePolNonbonded", "thole", 0.5),
        ("BytePolNonbonded", "charge_scale14", 0.1),
        ("BytePolNonbonded", "dispersion_c8", 0.7),
        ("BytePolvdW", "scale14", 0.7),
        ("BytePolElectrostatics", "scale14", 0.7),
    ],
)
def test_settings_that_are_not_the_models(section, attribute, value):
    force_field = ForceField("bytepol.offxml")
    setattr(force_field[section], attribute, value)
    with pytest.raises(ForceFieldError, match=attribute):
        force_field.create_interchange(Molecule.from_smiles("O").to_topology())
    setattr(force_field[section], attribute, None)
    force_field.create_interchange(Molecule.from_smiles("O").to_topology())


def test_projection_in_files_is_announced(polarizable, fixed, recwarn):
    water = Molecule.from_smiles("O").to_topology()
    with pytest.warns(FixedChargeProjectionWarning, match="GROMACS, AMBER and LAMMPS"):
        polarizable.create_interchange(water)
    recwarn.clear()
    fixed.create_interchange(water)
    assert not [w for w in recwarn if w.category is FixedChargeProjectionWarning]


def test_other_force_fields_keep_their_user_charges(sage, charged_water, polarizable):
    polarizable.create_interchange(Molecule.from_smiles("O").to_topology())
    interchange = sage.create_interchange(
        charged_water.to_topology(), charge_from_molecules=[charged_water]
    )
    charges = interchange["Electrostatics"].get_charge_array().m
    assert charges == pytest.approx([-0.8, 0.4, 0.4])
