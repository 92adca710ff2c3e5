"""Constraints of systems made from parameters alone: those of ``bytepol.offxml``."""

from __future__ import annotations

import pytest
from openff.toolkit import ForceField, Molecule, Topology

from openff_bytepol.constraints import WATER_HH, WATER_OH, fixed_distances
from openff_bytepol.interop.openmm_system import create_system
from openff_bytepol.models import predict

MOLECULES = ("O", "CCO", "[OH3+]", "[OH-]", "[Na+]", "C[NH3+]")


def constraints_of(system):
    """Distances in Å by pairs of particles."""
    rows = map(system.getConstraintParameters, range(system.getNumConstraints()))
    return {tuple(sorted(row[:2])): 10 * row[2]._value for row in rows}


@pytest.mark.parametrize("smiles", MOLECULES)
def test_same_as_the_force_field(smiles):
    molecule = Molecule.from_smiles(smiles)
    (parameters,) = predict([molecule])
    placements = [(0, range(n * molecule.n_atoms, (n + 1) * molecule.n_atoms)) for n in range(2)]
    found = constraints_of(create_system([parameters], placements, constraints=True))
    topology = Topology.from_molecules([molecule] * 2)
    system = (
        ForceField("bytepol.offxml")
        .create_interchange(topology)
        .to_openmm(combine_nonbonded_forces=False)
    )
    assert found == pytest.approx(constraints_of(system), rel=1e-6)


def test_water_is_rigid_in_any_order_of_atoms():
    water = Molecule.from_mapped_smiles("[H:1][O:3][H:2]")
    (parameters,) = predict([water])
    assert fixed_distances(parameters) == [(2, 0, WATER_OH), (2, 1, WATER_OH), (0, 1, WATER_HH)]


def test_none_by_default():
    water = Molecule.from_smiles("O")
    assert create_system(predict([water]), [(0, range(3))]).getNumConstraints() == 0
