"""Ready simulations: integrators, ensembles, platforms and stability."""

from __future__ import annotations

import logging
from dataclasses import replace
from io import StringIO

import numpy as np
import openmm
import pytest
from openmm import app, unit

from openff_bytepol import make_simulation, predict
from openff_bytepol.exceptions import CutoffError, EngineError, ForceFieldError
from openff_bytepol.interop.openmm_forces import FAST_GROUP, SLOW_GROUP
from openff_bytepol.interop.openmm_multipoles import MULTIPOLES
from openff_bytepol.interop.openmm_system import create_system
from openff_bytepol.interop.platforms import choose_platform
from openff_bytepol.settings import NonbondedSettings
from tests.interop import published
from tests.interop.evaluate import energy

EDGES = np.array([14.0] * 3)


@pytest.fixture(scope="module")
def liquid(reference_data):
    """Four acetones: system, topology and relaxed positions in Å."""
    acetone = replace(published.molecule(reference_data, "ACT"), settings=NonbondedSettings())
    positions, _ = published.structure(reference_data, "liquid.gro")
    x = positions[:40].reshape(4, 10, 3)
    x = x - x.mean(1, keepdims=True)
    x = x + np.array([[3, 3, 3], [3, 9, 9], [10, 3, 9], [10, 9, 3]])[:, None]
    system = create_system(
        [acetone],
        published.contiguous([0] * 4, [10]),
        box=EDGES,
        cutoff=6.5,
        switch_distance=5.5,
        ewald_tolerance=1e-3,
    )
    topology = app.Topology()
    chain = topology.addChain()
    for _ in range(4):
        residue = topology.addResidue("ACT", chain)
        for index, number in enumerate(acetone.atomic_numbers.tolist()):
            topology.addAtom(f"X{index}", app.Element.getByAtomicNumber(number), residue)
    simulation = make_simulation(system, topology, positions=x.reshape(-1, 3), platform="CPU")
    simulation.minimizeEnergy(maxIterations=30)
    state = simulation.context.getState(positions=True)
    relaxed = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    return system, topology, np.array(relaxed)


def state_of(simulation):
    return simulation.context.getState(positions=True, energy=True, velocities=True)


def kelvin(simulation):
    kinetic = state_of(simulation).getKineticEnergy()
    degrees = 3 * simulation.system.getNumParticles() - 3
    return (2 * kinetic / (degrees * unit.MOLAR_GAS_CONSTANT_R)).value_in_unit(unit.kelvin)


def test_polarizable_systems_take_multiple_time_steps(liquid):
    system, topology, positions = liquid
    simulation = make_simulation(system, topology, positions=positions, seed=1)
    assert isinstance(simulation.integrator, openmm.MTSLangevinIntegrator)
    assert simulation.integrator.getStepSize().value_in_unit(unit.femtosecond) == pytest.approx(2.0)
    simulation.step(10)
    assert simulation.context.getTime().value_in_unit(unit.femtosecond) == pytest.approx(20.0)
    assert np.isfinite(state_of(simulation).getPotentialEnergy()._value)
    assert system.getNumForces() == simulation.system.getNumForces()


def test_a_seed_makes_runs_equal(liquid):
    system, topology, positions = liquid
    ends = []
    for seed in (7, 7, 8):
        run = make_simulation(
            system, topology, positions=positions, seed=seed, platform="Reference"
        )
        run.step(2)
        ends.append(state_of(run).getPositions(asNumpy=True)._value)
    assert np.array_equal(ends[0], ends[1])
    assert not np.array_equal(ends[0], ends[2])


def test_energy_is_conserved_with_multiple_time_steps(liquid):
    """No thermostat: 0.2 ps in steps of 2 fs (1 fs for bonded terms)."""
    system, topology, positions = liquid
    integrator = openmm.MTSIntegrator(2 * unit.femtosecond, [(SLOW_GROUP, 1), (FAST_GROUP, 2)])
    simulation = app.Simulation(
        topology, system, integrator, openmm.Platform.getPlatformByName("CPU")
    )
    simulation.context.setPositions(positions * 0.1)
    simulation.context.setVelocitiesToTemperature(150 * unit.kelvin, 1)
    totals = []
    for _ in range(20):
        simulation.step(5)
        state = state_of(simulation)
        totals.append((state.getPotentialEnergy() + state.getKineticEnergy())._value)
    kinetic = state.getKineticEnergy()._value
    assert np.std(totals) < 0.05 * kinetic
    assert abs(np.mean(totals[10:]) - np.mean(totals[:10])) < 0.02 * kinetic


def test_thermostat_heats_up(liquid):
    """From the relaxed structure at rest to somewhere near the target."""
    system, topology, positions = liquid
    simulation = make_simulation(
        system, topology, positions=positions, temperature=300.0, friction=50.0, seed=3
    )
    simulation.context.setVelocities(np.zeros_like(positions))
    temperatures = []
    for _ in range(12):
        simulation.step(10)
        temperatures.append(kelvin(simulation))
    assert 200 < np.mean(temperatures[6:]) < 400


def test_constant_pressure(liquid):
    system, topology, positions = liquid
    simulation = make_simulation(
        system, topology, positions=positions, pressure=1.0, box=1.1 * EDGES, seed=2
    )
    barostats = [
        force
        for force in simulation.system.getForces()
        if isinstance(force, openmm.MonteCarloBarostat)
    ]
    assert len(barostats) == 1
    assert barostats[0].getDefaultPressure().value_in_unit(unit.atmosphere) == pytest.approx(1.0)
    assert not any(isinstance(f, openmm.MonteCarloBarostat) for f in system.getForces())
    simulation.step(26)
    edge = state_of(simulation).getPeriodicBoxVectors()[0][0].value_in_unit(unit.angstrom)
    assert edge == pytest.approx(15.4, rel=0.1)


def test_box_too_small_for_the_cutoff(liquid):
    system, topology, positions = liquid
    with pytest.raises(CutoffError, match=r"6\.5 Å is longer than half"):
        make_simulation(system, topology, positions=positions, box=0.9 * EDGES)


def test_topology_with_a_box_can_be_written(liquid):
    system, topology, _ = liquid
    simulation = make_simulation(system, topology, platform="Reference")
    text = StringIO()
    app.PDBFile.writeHeader(simulation.topology, text)
    assert "CRYST1" in text.getvalue()


def test_pressure_needs_a_box(reference_data):
    system = create_system([published.molecule(reference_data, "LI")], [(0, [0])])
    topology = app.Topology()
    residue = topology.addResidue("LI", topology.addChain())
    topology.addAtom("LI", app.Element.getBySymbol("Li"), residue)
    with pytest.raises(ForceFieldError, match="periodic box"):
        make_simulation(system, topology, pressure=1.0)
    with pytest.raises(ForceFieldError, match="needs its topology"):
        make_simulation(system)
    system.addParticle(1.0)
    with pytest.raises(ForceFieldError, match="1 atoms, the system 2"):
        make_simulation(system, topology)


@pytest.mark.parametrize(("constrained", "femtoseconds"), [(False, 1.0), (True, 2.0)])
def test_fixed_charge_systems_take_plain_steps(constrained, femtoseconds):
    system = openmm.System()
    force = openmm.NonbondedForce()
    for charge in (0.4, -0.4):
        system.addParticle(10.0)
        force.addParticle(charge, 0.3, 0.5)
    system.addForce(force)
    if constrained:
        system.addConstraint(0, 1, 0.1)
    topology = app.Topology()
    residue = topology.addResidue("X", topology.addChain())
    for _ in range(2):
        topology.addAtom("X", None, residue)
    simulation = make_simulation(system, topology, positions=[[0, 0, 0], [1.0, 0, 0]])
    assert isinstance(simulation.integrator, openmm.LangevinMiddleIntegrator)
    step = simulation.integrator.getStepSize().value_in_unit(unit.femtosecond)
    assert step == pytest.approx(femtoseconds)
    simulation.step(1)


def test_interchange_as_source():
    """A force field of the toolkit's own, with positions and box of the Interchange."""
    toolkit = pytest.importorskip("openff.toolkit")
    interchange_module = pytest.importorskip("openff.interchange")
    molecule = toolkit.Molecule.from_smiles("CO")
    molecule.generate_conformers(n_conformers=1)
    molecule.assign_partial_charges("gasteiger")
    topology = molecule.to_topology()
    topology.box_vectors = toolkit.unit.Quantity(np.diag([25.0] * 3), "angstrom")
    interchange = interchange_module.Interchange.from_smirnoff(
        toolkit.ForceField("openff_unconstrained-2.1.0.offxml"),
        topology,
        charge_from_molecules=[molecule],
    )
    simulation = make_simulation(interchange, seed=1, platform="Reference")
    assert isinstance(simulation.integrator, openmm.LangevinMiddleIntegrator)
    dimensions = simulation.topology.getUnitCellDimensions().value_in_unit(unit.angstrom)
    assert list(dimensions) == pytest.approx([25.0] * 3)
    system = interchange.to_openmm(combine_nonbonded_forces=True)
    positions = interchange.positions.m_as("angstrom")
    assert state_of(simulation).getPotentialEnergy()._value == pytest.approx(
        4.184 * energy(system, positions), abs=1e-6
    )
    assert kelvin(simulation) > 0.0
    with pytest.raises(ForceFieldError, match="own topology"):
        make_simulation(interchange, simulation.topology)


def test_platform_asked_for():
    platform, properties = choose_platform("Reference")
    assert platform.getName() == "Reference"
    assert properties == {}
    with pytest.raises(EngineError, match="Quantum"):
        choose_platform("Quantum")


def test_platform_by_default_works(liquid, caplog):
    platform, properties = choose_platform(precision="single")
    assert platform.getName() in ("CUDA", "HIP", "OpenCL", "CPU")
    assert properties == ({} if platform.getName() == "CPU" else {"Precision": "single"})
    system, topology, _ = liquid
    with caplog.at_level(logging.INFO):
        make_simulation(system, topology)
    assert f"platform {platform.getName()}" in caplog.text


def test_slow_platforms_are_announced(reference_data, caplog):
    ion = published.molecule(reference_data, "LI")
    count = 600
    system = create_system([ion], [(0, [i]) for i in range(count)], box=[100.0] * 3)
    topology = app.Topology()
    residue = topology.addResidue("LI", topology.addChain())
    for _ in range(count):
        topology.addAtom("LI", app.Element.getBySymbol("Li"), residue)
    with caplog.at_level(logging.WARNING):
        make_simulation(system, topology, platform="CPU", polarization="openmm")
    assert "use CUDA, HIP or OpenCL" in caplog.text


def test_polarizable_interchange():
    """One line from an Interchange to polarizable dynamics; energies as from `create_system`."""
    toolkit = pytest.importorskip("openff.toolkit")
    molecule = toolkit.Molecule.from_smiles("CC(C)=O")
    molecule.generate_conformers(n_conformers=1)
    topology = molecule.to_topology()
    topology.box_vectors = toolkit.unit.Quantity(np.diag([22.0] * 3), "angstrom")
    with pytest.warns(UserWarning, match="polarizable in OpenMM only"):
        interchange = toolkit.ForceField("bytepol_unconstrained.offxml").create_interchange(
            topology
        )
    simulation = make_simulation(interchange, seed=1, pressure=1.0, platform="CPU")
    assert isinstance(simulation.integrator, openmm.MTSLangevinIntegrator)
    groups = {force.getName(): force.getForceGroup() for force in simulation.system.getForces()}
    assert groups["HarmonicBondForce"] == FAST_GROUP
    assert groups[MULTIPOLES] == SLOW_GROUP
    collection = interchange["BytePolNonbonded"]
    parameters = predict([molecule])
    expected = create_system(
        parameters,
        [(0, range(molecule.n_atoms))],
        box=[22.0] * 3,
        cutoff=collection.cutoff.m_as("angstrom"),
        switch_distance=(collection.cutoff - collection.switch_width).m_as("angstrom"),
    )
    positions = interchange.positions.m_as("angstrom")
    assert energy(simulation.system, positions) == pytest.approx(
        energy(expected, positions), abs=1e-5
    )
    simulation.step(2)


def test_rigid_water_keeps_its_shape_and_energy():
    """0.2 ps of a polarizable droplet in steps of 2 fs, without thermostat."""
    toolkit = pytest.importorskip("openff.toolkit")
    water = toolkit.Molecule.from_smiles("O")
    water.generate_conformers(n_conformers=1)
    topology = toolkit.Topology.from_molecules([water] * 8)
    corners = 2.9 * np.stack(np.meshgrid(*[np.arange(2.0)] * 3), -1).reshape(8, 1, 3)
    shape = water.conformers[0].m_as("angstrom")
    topology.set_positions(toolkit.unit.Quantity((corners + shape).reshape(-1, 3), "angstrom"))
    with pytest.warns(UserWarning, match="polarizable in OpenMM only"):
        interchange = toolkit.ForceField("bytepol.offxml").create_interchange(topology)
    integrator = openmm.MTSIntegrator(2.0 * unit.femtosecond, [(SLOW_GROUP, 1), (FAST_GROUP, 2)])
    simulation = make_simulation(
        interchange, integrator=integrator, platform="CPU", polarization="kernel"
    )
    simulation.minimizeEnergy()
    simulation.context.setVelocitiesToTemperature(300.0 * unit.kelvin, 1)
    totals, kinetic = [], []
    for _ in range(20):
        simulation.step(5)
        state = simulation.context.getState(energy=True)
        kinetic.append(state.getKineticEnergy()._value)
        totals.append(state.getPotentialEnergy()._value + kinetic[-1])
    assert np.std(totals) < 0.02 * np.mean(kinetic)
    state = simulation.context.getState(positions=True)
    atoms = 10.0 * state.getPositions(asNumpy=True)._value.reshape(8, 3, 3)
    for first, second, length in ((0, 1, 0.9579), (0, 2, 0.9579), (1, 2, 1.5148)):
        found = np.linalg.norm(atoms[:, first] - atoms[:, second], axis=1)
        assert found == pytest.approx(length, rel=1e-4)
