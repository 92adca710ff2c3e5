"""Polarizable forces in OpenMM against dense linear algebra, torch and finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import openmm
import pytest
import torch
from openmm import AmoebaMultipoleForce

from openff_bytepol import potentials
from openff_bytepol.exceptions import ForceFieldError, ParameterError
from openff_bytepol.interop.openmm_forces import (
    COULOMB_NEAR,
    FAST_GROUP,
    SLOW_GROUP,
    VAN_DER_WAALS,
    polarizable_forces,
)
from openff_bytepol.interop.openmm_multipoles import MULTIPOLES
from openff_bytepol.interop.openmm_system import create_system
from openff_bytepol.interop.openmm_terms import energy_by_term
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.settings import PUBLISHED_SETTINGS, NonbondedSettings
from openff_bytepol.units import OPENMM_ENERGY, OPENMM_FORCE
from tests.factories import C8, ethane, lithium, make_parameters
from tests.interop import dense, published
from tests.interop.evaluate import alone, context, directional_derivative, energy, forces

SETTINGS = {
    "published": PUBLISHED_SETTINGS,
    "ours": NonbondedSettings(),
    "full": NonbondedSettings(induction_14=1.0),
    "unusual": NonbondedSettings(charge_14=0.7, vdw_14=0.2, induction_14=0.3),
    "C8": NonbondedSettings(**C8),
}
KJ = 1.0 / OPENMM_ENERGY
KJ_NM = 1.0 / OPENMM_FORCE


@pytest.fixture(params=SETTINGS)
def settings(request):
    return SETTINGS[request.param]


@pytest.fixture
def electrolyte(reference_data, settings):
    molecules, positions = published.electrolyte(reference_data)
    return [replace(molecule, settings=settings) for molecule in molecules], positions


@pytest.fixture
def acetone(reference_data, settings):
    return replace(published.molecule(reference_data, "ACT"), settings=settings)


def cluster_system(molecules, **options):
    placements = published.contiguous(
        list(range(len(molecules))), [molecule.n_atoms for molecule in molecules]
    )
    return create_system(molecules, placements, mutual_tolerance=1e-9, **options)


def small_acetone_box(reference_data, acetone, **options):
    """Four acetones of the liquid in a box of 14 Å."""
    positions, _ = published.structure(reference_data, "liquid.gro")
    x = positions[:40].reshape(4, 10, 3)
    x = (
        x
        - x.mean(1, keepdims=True)
        + np.array([[3, 3, 3], [3, 9, 9], [10, 3, 9], [10, 9, 3]])[:, None]
    )
    placements = published.contiguous([0] * 4, [10])
    options = {"cutoff": 6.5, "mutual_tolerance": 1e-8, "ewald_tolerance": 1e-4} | options
    return create_system([acetone], placements, box=[14.0] * 3, **options), x.reshape(-1, 3)


def test_direct_solve(electrolyte):
    """Charges and dipoles of a cluster with ions, to 1e-3 kJ/mol."""
    molecules, positions = electrolyte
    cluster = ParameterSet.concatenate(molecules)
    terms = energy_by_term(cluster_system(molecules), positions)
    permanent, induction, _ = dense.solve(
        positions * 0.1,
        cluster.charges.numpy(),
        cluster.polarizabilities.numpy() * 1e-3,
        cluster.dampings.numpy() * 1e-3,
        cluster.bonds.tolist(),
        charge_14=cluster.settings.charge_14,
        induction_14=cluster.settings.induction_14,
    )
    assert abs(induction) > 10.0
    assert terms["permanent"] == pytest.approx(permanent * KJ, abs=1e-3 * KJ)
    assert terms["induction"] == pytest.approx(induction * KJ, abs=1e-3 * KJ)


def test_terms_and_forces_equal_torch(electrolyte):
    molecules, positions = electrolyte
    system = cluster_system(molecules)
    cluster = ParameterSet.concatenate(molecules)
    components, expected = potentials.energy_and_forces(cluster, published.as_tensor(positions))
    terms = energy_by_term(system, positions)
    for name, value in components.as_dict().items():
        assert terms.pop(name) == pytest.approx(value.item(), abs=1e-4 * KJ), name
    assert not terms
    made = context(system, positions)
    assert np.abs(forces(made) - expected.numpy()).max() < 1e-3 * KJ_NM
    assert energy(system, positions) == pytest.approx(components.total.item(), abs=1e-4 * KJ)


MOLECULES = {
    "cyclopropane": (
        [(0, 1), (1, 2), (2, 0), (0, 3), (0, 4), (1, 5), (1, 6), (2, 7), (2, 8)],
        [6] * 3 + [1] * 6,
    ),
    "cyclobutene core": ([(0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (1, 5)], [6] * 4 + [1] * 2),
    "carbon dioxide": ([(0, 1), (1, 2)], [8, 6, 8]),
    "hydrogen fluoride": ([(0, 1)], [9, 1]),
    "chain": ([(i, i + 1) for i in range(7)], [6] * 8),
}


@pytest.mark.parametrize("name", MOLECULES)
def test_every_topology_beside_an_ion(name, settings):
    """Rings, linear molecules and single atoms, at random places."""
    molecule = make_parameters(*MOLECULES[name])
    molecule = replace(
        molecule,
        polarizabilities=0.4 * molecule.polarizabilities,
        radii=2.0 * molecule.radii,
        settings=settings,
    )
    ion = replace(lithium(), polarizabilities=torch.tensor([1e-6]).double(), settings=settings)
    rng = np.random.default_rng(3)
    n = molecule.n_atoms
    positions = np.stack([np.linspace(0, 1.3 * n, n + 1)] * 3, axis=1) * [1, 0.5, 0]
    positions += rng.normal(scale=0.3, size=(n + 1, 3))
    cluster = ParameterSet.concatenate([molecule, ion])
    components, expected = potentials.energy_and_forces(cluster, published.as_tensor(positions))
    made = context(cluster_system([molecule, ion]), positions)
    assert np.abs(forces(made) - expected.numpy()).max() < 1e-3 * KJ_NM
    terms = energy_by_term(cluster_system([molecule, ion]), positions)
    assert sum(terms.values()) == pytest.approx(components.total.item(), abs=1e-4 * KJ)


def test_order_of_particles_does_not_matter(reference_data):
    """Two molecules whose atoms alternate."""
    acetone = published.molecule(reference_data, "ACT")
    positions, _ = published.structure(reference_data, "liquid.gro")
    order = np.random.default_rng(0).permutation(20)
    placements = [(0, order[:10].tolist()), (0, order[10:].tolist())]
    shuffled = np.empty((20, 3))
    shuffled[order] = positions[:20]
    straight = create_system([acetone], published.contiguous([0, 0], [10]))
    assert energy(create_system([acetone], placements), shuffled) == pytest.approx(
        energy(straight, positions[:20]), abs=1e-6
    )


def test_periodic_forces_are_gradients(reference_data, acetone):
    """Along a random displacement of all atoms."""
    system, positions = small_acetone_box(reference_data, acetone, switch_distance=5.0)
    made = context(system, positions)
    analytic = forces(made)
    direction = np.random.default_rng(1).normal(size=positions.shape)
    slope = -directional_derivative(made, positions, direction)
    assert slope == pytest.approx((analytic * direction).sum(), rel=1e-4)


def test_periodic_charges_equal_nonbonded_force(reference_data, acetone):
    """Permanent energy against OpenMM's own PME for point charges with 1-4 exceptions."""
    system, positions = small_acetone_box(reference_data, acetone, ewald_tolerance=1e-5)
    ours = energy_by_term(system, positions)["permanent"]
    plain = openmm.NonbondedForce()
    plain.setNonbondedMethod(openmm.NonbondedForce.PME)
    plain.setCutoffDistance(0.65)
    plain.setEwaldErrorTolerance(1e-6)
    for charge in acetone.charges.tolist() * 4:
        plain.addParticle(charge, 1.0, 0.0)
    bonds = [(10 * m + i, 10 * m + j) for m in range(4) for i, j in acetone.bonds.tolist()]
    plain.createExceptionsFromBonds(bonds, acetone.settings.charge_14, 0.0)
    expected = energy(alone([plain], 40, np.array([14.0] * 3)), positions)
    assert ours == pytest.approx(expected, abs=5e-3)


def test_periodic_induction_does_not_depend_on_the_cutoff(reference_data):
    acetone = published.molecule(reference_data, "ACT")
    energies = []
    for cutoff in (5.5, 7.0):
        system, positions = small_acetone_box(
            reference_data, acetone, cutoff=cutoff, ewald_tolerance=1e-5
        )
        energies.append(energy_by_term(system, positions)["induction"])
    assert energies[0] == pytest.approx(energies[1], abs=5e-3)


@pytest.mark.parametrize("c8", [0.0, 1.8])
def test_long_range_correction(reference_data, c8):
    """Energy beyond the cutoff, if all pairs there were evenly spread."""
    acetone = published.molecule(reference_data, "ACT")
    settings = acetone.settings.model_copy(update={"dispersion_c8": c8})
    acetone = replace(acetone, settings=settings)
    with_tail, positions = small_acetone_box(reference_data, acetone)
    without, _ = small_acetone_box(reference_data, acetone, long_range_correction=False)
    difference = energy(with_tail, positions) - energy(without, positions)
    roots, radii = acetone.c6.sqrt().numpy(), acetone.radii.numpy()
    squares = 0.25 * (radii[:, None] + radii) ** 2
    # Beyond the cutoff only dispersion is left, and its damping k·R⁶ hardly counts.
    tail = roots @ (1 / (3 * 6.5**3) + c8 * squares / (5 * 6.5**5)) @ roots
    tail *= -2 * np.pi * 4**2 / 14.0**3
    assert difference == pytest.approx(tail, rel=0.02)


def test_near_pairs_are_excluded_alike_in_all_forces(electrolyte):
    """GPU platforms refuse forces whose exclusions differ."""
    molecules, _ = electrolyte
    system = cluster_system(molecules)
    by_name = {force.getName(): force for force in system.getForces()}
    excluded = {
        tuple(sorted(by_name[VAN_DER_WAALS].getExclusionParticles(i)))
        for i in range(by_name[VAN_DER_WAALS].getNumExclusions())
    }
    for force in multipole_forces(by_name[MULTIPOLES]):
        kinds = range(5)  # Covalent12 … Covalent15 and PolarizationCovalent11
        listed = {
            (min(i, j), max(i, j))
            for i in range(force.getNumMultipoles())
            for kind in kinds
            for j in force.getCovalentMap(i, kind)
            if i != j
        }
        assert listed == excluded


def test_all_multipole_forces_have_the_same_charges(electrolyte):
    """GPU platforms keep one array of charges for all forces of a context."""
    molecules, _ = electrolyte
    system = cluster_system(molecules)
    assert not any(isinstance(force, openmm.NonbondedForce) for force in system.getForces())
    force = next(f for f in system.getForces() if f.getName() == MULTIPOLES)
    parts = multipole_forces(force)
    assert len(parts) == (1 if molecules[0].settings.induction_14 in (0.0, 1.0) else 3)
    charges = ParameterSet.concatenate(molecules).charges.tolist()
    for part in parts:
        assert [part.getMultipoleParameters(i)[0]._value for i in range(40)] == charges


def multipole_forces(force):
    if isinstance(force, AmoebaMultipoleForce):
        return [force]
    return [force.getCollectiveVariable(i) for i in range(force.getNumCollectiveVariables())]


def test_force_groups_and_names(reference_data):
    acetone = published.molecule(reference_data, "ACT")
    made = polarizable_forces(
        [acetone], [(0, range(10))], n_particles=10, nonbonded_method="NoCutoff"
    )
    groups = {force.getName(): force.getForceGroup() for force in made}
    assert groups[MULTIPOLES] == groups[VAN_DER_WAALS] == SLOW_GROUP
    assert groups[COULOMB_NEAR] == FAST_GROUP


def test_ions_alone_need_no_near_pairs(reference_data):
    ion = published.molecule(reference_data, "LI")
    made = polarizable_forces(
        [ion], [(0, [0]), (0, [1])], n_particles=2, nonbonded_method="NoCutoff"
    )
    assert [force.getName() for force in made] == [MULTIPOLES, VAN_DER_WAALS]


def test_serialisation(reference_data, acetone):
    system, positions = small_acetone_box(reference_data, acetone)
    again = openmm.XmlSerializer.deserialize(openmm.XmlSerializer.serialize(system))
    assert energy(again, positions) == pytest.approx(energy(system, positions), abs=1e-9)
    assert [f.getName() for f in again.getForces()] == [f.getName() for f in system.getForces()]


@pytest.mark.parametrize(
    ("placements", "message"),
    [
        ([(0, range(8))], "9"),
        ([(0, range(8)), (1, [8]), (1, [8])], "distinct"),
        ([(0, range(7)), (1, [8])], "8 atoms"),
        ([(0, range(8)), (2, [8])], "molecule type 2"),
    ],
)
def test_wrong_placements(placements, message):
    with pytest.raises(ForceFieldError, match=message):
        polarizable_forces([ethane(), lithium()], placements, n_particles=9)


def test_no_molecule_types():
    with pytest.raises(ForceFieldError, match="no molecule types"):
        polarizable_forces([], [], n_particles=0)


def test_unknown_method():
    with pytest.raises(ForceFieldError, match="'PME' or 'NoCutoff'"):
        polarizable_forces([lithium()], [(0, [0])], n_particles=1, nonbonded_method="Ewald")


def test_settings_of_molecules_must_agree():
    other = replace(lithium(), settings=PUBLISHED_SETTINGS)
    with pytest.raises(ParameterError, match="different settings"):
        polarizable_forces([ethane(), other], [(0, range(8)), (1, [8])], n_particles=9)


@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_parameters_out_of_range(value):
    broken = replace(lithium(), c6=torch.tensor([value], dtype=torch.float64))
    with pytest.raises(ParameterError, match="c6 of molecule type 0"):
        polarizable_forces([broken], [(0, [0])], n_particles=1)


def test_ensembles_are_refused():
    several = lithium()._map_floats(lambda value: value.expand(2, *value.shape))
    with pytest.raises(ParameterError, match="ensemble"):
        polarizable_forces([several], [(0, [0])], n_particles=1)
