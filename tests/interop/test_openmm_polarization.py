"""The polarization kernel in OpenMM against AmoebaMultipoleForce, and what surrounds it."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import openmm
import pytest
from openmm import app, unit

from openff_bytepol.exceptions import ForceFieldError, OverlappingAtomsError
from openff_bytepol.interop.openmm_multipoles import MULTIPOLES
from openff_bytepol.interop.openmm_polarization import (
    PolarizationComputation,
    is_kernel,
    kernel_options,
    polarization_force,
    recorded_results,
    sites_of,
    trial_steps,
    use_polarization_kernel,
)
from openff_bytepol.interop.openmm_system import create_system
from openff_bytepol.interop.polarization_profile import growth_exponent, profile_kernel
from openff_bytepol.interop.polarization_speed import compare_speed
from openff_bytepol.interop.simulation import failed_state_saved, make_simulation
from openff_bytepol.interop.system_dipole import system_dipole
from openff_bytepol.settings import PUBLISHED_SETTINGS, NonbondedSettings
from tests.interop import published
from tests.interop.evaluate import context, forces, total_energy

SETTINGS = {
    "published": PUBLISHED_SETTINGS,
    "ours": NonbondedSettings(),
    "full": NonbondedSettings(induction_14=1.0),
    "unusual": NonbondedSettings(charge_14=0.7, vdw_14=0.2, induction_14=0.3),
}
TRICLINIC = [[14.0, 0.0, 0.0], [3.0, 13.5, 0.0], [-2.0, 4.0, 14.5]]


@pytest.fixture(params=SETTINGS)
def settings(request):
    return SETTINGS[request.param]


def with_kernel(system, **options):
    replaced = copy.deepcopy(system)
    assert use_polarization_kernel(replaced, **options)
    return replaced


def acetone_box(data, settings=None, **options):
    """Four acetones in a box of 14 Å."""
    acetone = replace(published.molecule(data, "ACT"), settings=settings or NonbondedSettings())
    positions, _ = published.structure(data, "liquid.gro")
    x = positions[:40].reshape(4, 10, 3)
    centres = np.array([[3, 3, 3], [3, 9, 9], [10, 3, 9], [10, 9, 3]])
    x = (x - x.mean(1, keepdims=True) + centres[:, None]).reshape(-1, 3)
    options = {"box": [14.0] * 3, "cutoff": 6.5} | options
    return create_system([acetone], published.contiguous([0] * 4, [10]), **options), x


def assert_same(system, replaced, x, relative):
    expected, made = context(system, x), context(replaced, x)
    scale = np.sqrt((forces(expected) ** 2).mean())
    assert total_energy(made) == pytest.approx(total_energy(expected), rel=relative)
    difference = forces(made) - forces(expected)
    assert np.sqrt((difference**2).mean()) < relative * scale


def test_electrolyte_without_box(reference_data, settings):
    molecules, x = published.electrolyte(reference_data)
    molecules = [replace(molecule, settings=settings) for molecule in molecules]
    placements = published.contiguous(
        list(range(len(molecules))), [molecule.n_atoms for molecule in molecules]
    )
    system = create_system(molecules, placements, mutual_tolerance=1e-6)
    assert_same(system, with_kernel(system), x, 1e-6)


@pytest.mark.parametrize("box", [[14.0] * 3, TRICLINIC], ids=["cube", "triclinic"])
def test_acetone_in_a_box(reference_data, box):
    system, x = acetone_box(reference_data, PUBLISHED_SETTINGS, box=box, mutual_tolerance=1e-6)
    tight = {"ewald_tolerance": 1e-6, "precision": "double", "cutoff": 5.5}
    assert_same(system, with_kernel(system, **tight), x, 1e-4)


def test_charged_box(reference_data):
    """With lithium but no anion: the neutralising background is the same."""
    molecules = [published.molecule(reference_data, name) for name in ("EC", "LI")]
    molecules = [replace(molecule, settings=NonbondedSettings()) for molecule in molecules]
    _, x = published.electrolyte(reference_data)
    n_atoms = molecules[0].n_atoms
    lithium = x[-8]
    x = np.concatenate([x[:n_atoms], lithium[None]])
    placements = published.contiguous([0, 1], [n_atoms, 1])
    system = create_system(molecules, placements, box=[16.0] * 3, cutoff=7.0)
    assert_same(system, with_kernel(system, ewald_tolerance=1e-6), x, 2e-4)


def test_dipole_of_the_system(reference_data):
    for settings, options in (
        (NonbondedSettings(), {}),
        (PUBLISHED_SETTINGS, {"box": None}),
    ):
        system, x = acetone_box(reference_data, settings, mutual_tolerance=1e-6, **options)
        expected = system_dipole(context(system, x))
        assert np.linalg.norm(expected) > 0.1
        assert system_dipole(context(with_kernel(system), x)) == pytest.approx(expected, abs=1e-3)
    bare = openmm.System()
    bare.addParticle(1.0)
    made = context(bare, [[0.0, 0.0, 0.0]])
    with pytest.raises(ForceFieldError, match="not polarizable"):
        system_dipole(made)


def test_xml_and_pickles_keep_the_kernel(reference_data):
    system, x = acetone_box(reference_data)
    replaced = with_kernel(system)
    expected = total_energy(context(replaced, x))
    again = openmm.XmlSerializer.deserialize(openmm.XmlSerializer.serialize(replaced))
    assert [is_kernel(f) for f in again.getForces()] == [is_kernel(f) for f in replaced.getForces()]
    assert total_energy(context(again, x)) == pytest.approx(expected, rel=1e-7)
    assert not use_polarization_kernel(replaced)


def test_repeated_positions_are_not_solved_again(reference_data):
    system, x = acetone_box(reference_data)
    made = context(with_kernel(system), x)
    with recorded_results() as results:
        total_energy(made)
        forces(made)
        made.setPositions(0.1 * (x + 0.01))
        total_energy(made)
    first, second, third = results
    assert first is second
    assert third is not second


def test_only_forces_of_our_own_are_replaced():
    with pytest.raises(ForceFieldError, match="not a force of charges"):
        polarization_force(openmm.CustomBondForce("r"))


@pytest.fixture
def liquid(reference_data):
    system, x = acetone_box(reference_data)
    topology = app.Topology()
    chain = topology.addChain()
    for _ in range(4):
        residue = topology.addResidue("ACT", chain)
        for number in [6, 6, 6, 8, 1, 1, 1, 1, 1, 1]:
            topology.addAtom("X", app.Element.getByAtomicNumber(number), residue)
    return system, topology, x


def test_make_simulation_chooses(liquid, monkeypatch):
    system, topology, x = liquid

    def kernel_used(**options):
        simulation = make_simulation(system, topology, positions=x, **options)
        return any(is_kernel(force) for force in simulation.system.getForces())

    assert not kernel_used(platform="CPU")
    assert kernel_used(platform="CPU", polarization="kernel")
    monkeypatch.setattr("openff_bytepol.interop.simulation._LARGE_FOR_REFERENCE_CODE", 30)
    assert kernel_used(platform="CPU")
    assert not kernel_used(platform="CPU", polarization="openmm")
    assert not kernel_used(platform="Reference")
    assert not any(is_kernel(force) for force in system.getForces())


def test_dynamics_with_barostat_and_checkpoint(liquid, tmp_path):
    """Multiple time steps, volume moves, and a checkpoint that is read back."""
    system, topology, x = liquid
    simulation = make_simulation(
        system, topology, positions=x, seed=1, pressure=1.0, platform="CPU", polarization="kernel"
    )
    groups = {force.getName(): force.getForceGroup() for force in simulation.system.getForces()}
    assert groups[MULTIPOLES] == groups["van der Waals"]
    for force in simulation.system.getForces():
        if isinstance(force, openmm.MonteCarloBarostat):
            force.setFrequency(5)
    simulation.step(12)
    simulation.saveCheckpoint(str(tmp_path / "checkpoint"))
    before = simulation.context.getState(energy=True).getPotentialEnergy()._value
    simulation.step(5)
    simulation.loadCheckpoint(str(tmp_path / "checkpoint"))
    after = simulation.context.getState(energy=True).getPotentialEnergy()._value
    assert after == pytest.approx(before, rel=1e-4)


def test_energy_is_conserved(liquid):
    """0.2 ps without thermostat in steps of 2 fs (1 fs for bonded terms)."""
    system, topology, x = liquid
    integrator = openmm.MTSIntegrator(2 * unit.femtosecond, [(1, 1), (0, 2)])
    platform = openmm.Platform.getPlatformByName("CPU")
    simulation = app.Simulation(topology, with_kernel(system), integrator, platform)
    simulation.context.setPositions(0.1 * x)
    simulation.minimizeEnergy(maxIterations=30)
    simulation.context.setVelocitiesToTemperature(150 * unit.kelvin, 1)
    totals = []
    for _ in range(20):
        simulation.step(5)
        state = simulation.context.getState(energy=True)
        totals.append((state.getPotentialEnergy() + state.getKineticEnergy())._value)
    kinetic = state.getKineticEnergy()._value
    assert np.std(totals) < 0.05 * kinetic
    assert abs(np.mean(totals[10:]) - np.mean(totals[:10])) < 0.02 * kinetic


def test_overlaps_end_a_run_with_atoms_named_and_the_state_kept(liquid):
    system, topology, x = liquid
    x = x.copy()
    x[13] = x[25] + 1e-3
    simulation = make_simulation(
        system, topology, positions=x, platform="CPU", polarization="kernel"
    )
    with pytest.raises(OverlappingAtomsError, match="atoms 13, 25"):
        simulation.step(1)
    kept = simulation.last_state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    assert kept == pytest.approx(x, abs=1e-4)


def test_trial_steps_onto_other_atoms_have_a_very_high_energy(liquid):
    system, _, x = liquid
    force = next(f for f in system.getForces() if f.getName() == MULTIPOLES)
    computation = PolarizationComputation(sites_of(force), kernel_options(force), periodic=True)
    made, overlapping = context(system, x), x.copy()
    overlapping[13] = overlapping[25] + 1e-3

    def compute(positions):
        made.setPositions(0.1 * positions)
        return computation(made.getState(positions=True))

    with trial_steps():
        start, _ = compute(x)
        refused, forces_there = compute(overlapping)
        assert refused == pytest.approx(start + 1e6)
        assert forces_there.shape == x.shape
        assert np.isfinite(forces_there).all()
        assert compute(x)[0] == start
    with trial_steps(), pytest.raises(OverlappingAtomsError, match="atoms 13, 25"):
        compute(overlapping)
    with pytest.raises(OverlappingAtomsError, match="atoms 13, 25"):
        compute(overlapping)


def test_minimisation_from_overlapping_atoms_is_refused(liquid):
    system, topology, x = liquid
    x = x.copy()
    x[13] = x[25] + 1e-3
    simulation = make_simulation(
        system, topology, positions=x, platform="CPU", polarization="kernel"
    )
    with pytest.raises(OverlappingAtomsError, match="atoms 13, 25"):
        simulation.minimizeEnergy(maxIterations=5)
    simulation.context.setPositions(0.1 * liquid[2])
    simulation.minimizeEnergy(maxIterations=5)


def test_errors_save_the_state_and_say_where(liquid, tmp_path):
    system, topology, x = liquid
    x = x.copy()
    x[13] = x[25] + 1e-3
    simulation = make_simulation(
        system, topology, positions=x, platform="CPU", polarization="kernel"
    )
    with (
        pytest.raises(OverlappingAtomsError, match=r"13, 25 .* are in .*failed\.xml") as caught,
        failed_state_saved(simulation, tmp_path),
    ):
        simulation.step(1)
    assert caught.value.atoms == (13, 25)
    state = openmm.XmlSerializer.deserialize((tmp_path / "failed.xml").read_text())
    kept = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    assert kept == pytest.approx(x, abs=1e-4)
    assert state.getVelocities(asNumpy=True)._value.any()


def test_parts_of_the_time_in_repeated_boxes(liquid):
    system, topology, x = liquid
    profiles = profile_kernel(system, topology, x, steps=2, replicas=(1, 2))
    assert [profile.n_atoms for profile in profiles] == [40, 320]
    for profile in profiles:
        assert sum(profile.parts.values()) == pytest.approx(profile.total)
        assert {"transforms", "real-space fields", "Python"} < set(profile.parts)
    assert profiles[0].iterations == pytest.approx(profiles[1].iterations, abs=1.0)
    assert growth_exponent(profiles[:1]) is None
    quadratic = [replace(one, total=float(one.n_atoms) ** 2) for one in profiles]
    assert growth_exponent(quadratic) == pytest.approx(2.0)
    with pytest.raises(ForceFieldError, match="no AmoebaMultipoleForce"):
        profile_kernel(with_kernel(system), topology, x)


def test_speed_is_compared_on_equal_terms(liquid):
    system, topology, x = liquid
    speed = compare_speed(system, topology, x, steps=2)
    assert speed.n_atoms == 40
    assert speed.energy_difference < 1e-3
    assert speed.force_difference < 1e-2
    assert speed.speedup > 0.0
    with pytest.raises(ForceFieldError, match="no AmoebaMultipoleForce"):
        compare_speed(with_kernel(system), topology, x)
