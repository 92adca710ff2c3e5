"""Energies of exported systems against the torch potentials."""

from __future__ import annotations

import numpy as np
import openmm
import pytest
import torch
from openff.toolkit import Molecule, Quantity

from openff_bytepol import models
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import energy, energy_and_forces
from openff_bytepol.projection import (
    FixedChargeParameters,
    energy_fixed_charge,
    project_fixed_charge,
)
from openff_bytepol.smirnoff.prediction import predict_topology
from openff_bytepol.units import KJ_PER_KCAL, OPENMM_FORCE
from tests.smirnoff.conftest import cluster
from tests.smirnoff.openmm_terms import force_energies

SYSTEMS = {
    "ethanol": ["CCO"],
    "amide": ["CC(=O)NC"],
    "ring and linear groups": ["N#Cc1ccccc1", "C#CC"],
    "cyclopropane": ["C1CC1"],
    "ions in water": ["[Li+]", "O", "[Cl-]", "O"],
    "mixture": ["CCO", "O", "CC(C)=O", "CCO"],
    "sulfone and nitro": ["CS(C)(=O)=O", "C[N+](=O)[O-]"],
}


def predict(topology) -> list[ParameterSet]:
    """What the force fields use; another batch would differ by float32 rounding."""
    sha256 = models.load_model().sha256
    return [p.parameters for p, _ in predict_topology("bytepol", sha256, topology)]


def coordinates(interchange) -> torch.Tensor:
    return torch.tensor(interchange.positions.m_as("angstrom"))


@pytest.mark.parametrize("smiles", SYSTEMS.values(), ids=SYSTEMS)
def test_polarizable_system_has_the_energy_of_the_model(polarizable, smiles):
    topology = cluster(*smiles)
    interchange = polarizable.create_interchange(topology)
    found, found_forces = force_energies(interchange)
    parameters = ParameterSet.concatenate(predict(topology))
    expected, forces = energy_and_forces(parameters, coordinates(interchange))
    terms = {
        "HarmonicBondForce": expected.bonds,
        "HarmonicAngleForce": expected.angles,
        "PeriodicTorsionForce": expected.propers + expected.impropers,
        "nonbonded": expected.repulsion
        + expected.dispersion
        + expected.charge_transfer
        + expected.permanent
        + expected.induction,
    }
    for name, value in terms.items():
        assert found[name] == pytest.approx(float(value) * KJ_PER_KCAL, abs=1e-4), name
    assert np.abs(found_forces - forces.numpy() * OPENMM_FORCE).max() < 1e-3


@pytest.mark.parametrize("smiles", SYSTEMS.values(), ids=SYSTEMS)
@pytest.mark.parametrize("combine", [True, False])
def test_fixed_system_has_the_energy_of_the_projection(fixed, smiles, combine):
    topology = cluster(*smiles)
    interchange = fixed.create_interchange(topology)
    found, _ = force_energies(interchange, combine_nonbonded_forces=combine)
    molecules = list(topology.molecules)
    projected = FixedChargeParameters.concatenate(
        [project_fixed_charge(p, m) for p, m in zip(predict(topology), molecules, strict=True)]
    )
    expected = energy_fixed_charge(projected, coordinates(interchange))
    terms = {
        "HarmonicBondForce": expected.bonds,
        "HarmonicAngleForce": expected.angles,
        "PeriodicTorsionForce": expected.propers + expected.impropers,
        "nonbonded": expected.lennard_jones + expected.electrostatics,
    }
    for name, value in terms.items():
        assert found[name] == pytest.approx(float(value) * KJ_PER_KCAL, abs=1e-4), name


def test_split_and_combined_forces_agree(polarizable):
    interchange = polarizable.create_interchange(cluster("CCO", "O"))
    together, _ = force_energies(interchange, combine_nonbonded_forces=True)
    apart, _ = force_energies(interchange, combine_nonbonded_forces=False)
    assert together == pytest.approx(apart, abs=1e-9)


def test_export_without_shortcut_gives_the_same_system(polarizable):
    """``to_openmm`` leaves the projection out; the plugins alone replace it."""
    from openff.interchange.interop.openmm import to_openmm_system
    from openmm import XmlSerializer

    for smiles in (["CC(=O)NC", "O", "[Li+]"], ["CCO"], ["C#C"]):
        interchange = polarizable.create_interchange(cluster(*smiles))
        for combine in (True, False):
            short = interchange.to_openmm(combine_nonbonded_forces=combine)
            whole = to_openmm_system(interchange, combine_nonbonded_forces=combine)
            forces = [
                sorted(XmlSerializer.serialize(force) for force in system.getForces())
                for system in (short, whole)
            ]
            assert forces[0] == forces[1]


def test_only_polarizable_forces_remain(polarizable):
    for combine in (True, False):
        system = polarizable.create_interchange(cluster("CCO", "O")).to_openmm(
            combine_nonbonded_forces=combine
        )
        kinds = [type(force) for force in system.getForces()]
        assert openmm.NonbondedForce not in kinds
        assert kinds.count(openmm.AmoebaMultipoleForce) == 1
        assert kinds.count(openmm.CustomNonbondedForce) == 1
        assert system.getNumConstraints() == 0


@pytest.mark.parametrize("name", ["polarizable", "fixed"])
def test_cutoff_and_switch_agree_in_every_force(name, request):
    topology = cluster("CCO", "O")
    topology.box_vectors = Quantity(np.eye(3) * 30.0, "angstrom")
    system = request.getfixturevalue(name).create_interchange(topology).to_openmm()
    forces = {type(f).__name__: f for f in system.getForces()}
    if name == "fixed":
        lennard_jones = electrostatics = forces["NonbondedForce"]
        assert lennard_jones.getNonbondedMethod() == openmm.NonbondedForce.PME
        assert lennard_jones.getUseDispersionCorrection()
    else:
        lennard_jones = forces["CustomNonbondedForce"]
        electrostatics = forces["AmoebaMultipoleForce"]
        assert electrostatics.getNonbondedMethod() == openmm.AmoebaMultipoleForce.PME
        assert lennard_jones.getNonbondedMethod() == openmm.CustomNonbondedForce.CutoffPeriodic
        assert lennard_jones.getUseLongRangeCorrection()
    for force in (lennard_jones, electrostatics):
        assert force.getCutoffDistance()._value == pytest.approx(0.9)
    assert lennard_jones.getUseSwitchingFunction()
    assert lennard_jones.getSwitchingDistance()._value == pytest.approx(0.8)


def test_box_far_larger_than_a_molecule_changes_little(polarizable):
    topology = cluster("CCO")
    free = force_energies(polarizable.create_interchange(topology))[0]["nonbonded"]
    topology.box_vectors = Quantity(np.eye(3) * 30.0, "angstrom")
    periodic = force_energies(polarizable.create_interchange(topology))[0]["nonbonded"]
    assert periodic == pytest.approx(free, abs=0.2)


def test_reordered_copies_have_the_same_energy(polarizable):
    (ethanol,) = cluster("CCO").molecules
    order = [3, 8, 0, 5, 1, 7, 2, 4, 6]
    reordered = ethanol.remap({old: new for new, old in enumerate(order)})
    single, _ = force_energies(polarizable.create_interchange(ethanol.to_topology()))
    other, _ = force_energies(polarizable.create_interchange(reordered.to_topology()))
    assert single == pytest.approx(other, abs=1e-4)
    both = type(cluster("O")).from_molecules([ethanol, reordered])
    shifted = both.get_positions()
    shifted[9:] += Quantity(40.0, "angstrom")
    both.set_positions(shifted)
    pair, _ = force_energies(polarizable.create_interchange(both))
    for name in ("HarmonicBondForce", "HarmonicAngleForce", "PeriodicTorsionForce"):
        assert pair[name] == pytest.approx(2 * single[name], abs=1e-4)
    assert pair["nonbonded"] == pytest.approx(2 * single["nonbonded"], abs=0.05)


def test_conformers_of_the_whole_energy(polarizable):
    """The export depends on the molecule, not on where its atoms are."""
    topology = cluster("CC(=O)OC")
    interchange = polarizable.create_interchange(topology)
    (parameters,) = predict(topology)
    generator = np.random.default_rng(5)
    start = interchange.positions.m_as("angstrom")
    for _ in range(3):
        moved = start + 0.1 * generator.normal(size=start.shape)
        interchange.positions = Quantity(moved, "angstrom")
        found, _ = force_energies(interchange)
        expected = float(energy(parameters, torch.tensor(moved)).total) * KJ_PER_KCAL
        assert sum(found.values()) == pytest.approx(expected, abs=2e-4)


def test_equilibrium_angles_stay_within_what_engines_accept(fixed):
    for smiles in ("CC#N", "C#CC", "O=C=O"):
        angles = fixed.create_interchange(cluster(smiles))["Angles"]
        values = [p.parameters["angle"].m_as("radian") for p in angles.potentials.values()]
        assert max(values) <= np.pi


def test_exactly_linear_molecules_have_forces(polarizable):
    acetylene = Molecule.from_mapped_smiles("[H:1][C:2]#[C:3][H:4]")
    positions = np.outer([0.0, 1.06, 2.27, 3.33], [0.0, 0.0, 1.0])
    acetylene.add_conformer(Quantity(positions, "angstrom"))
    energies, forces = force_energies(polarizable.create_interchange([acetylene]))
    assert np.isfinite(list(energies.values())).all()
    assert np.isfinite(forces).all()
