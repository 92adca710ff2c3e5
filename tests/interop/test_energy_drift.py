"""Energy without thermostat, and the modes of the solver."""

from __future__ import annotations

import numpy as np
import openmm
import pytest
from openff.toolkit import Molecule

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.interop.boxes import pack_box
from openff_bytepol.interop.energy_drift import _line, energy_drift
from openff_bytepol.interop.openmm_multipoles import set_solver
from openff_bytepol.interop.openmm_polarization import recorded_results
from openff_bytepol.interop.openmm_system import create_system
from openff_bytepol.interop.simulation import make_simulation
from openff_bytepol.models import predict
from openff_bytepol.settings import DIPOLE_TOLERANCES
from tests.interop.test_openmm_polarization import (  # noqa: F401
    SETTINGS,
    acetone_box,
    liquid,
    settings,
)


def test_lines_are_fitted_with_their_errors():
    times = np.arange(200.0)
    noise = np.random.default_rng(0).normal(size=200)
    slope, error, spread = _line(times, 3.0 + 0.5 * times + noise)
    assert slope == pytest.approx(0.5, abs=4 * error)
    assert error == pytest.approx(np.sqrt(12 / 200**3), rel=0.6)
    assert spread == pytest.approx(1.0, rel=0.15)


def test_looser_dipoles_lose_energy(liquid):  # noqa: F811
    """The part of dipoles in the drift: nothing at a tight tolerance, much at a loose one."""
    system, topology, x = liquid
    found = [
        energy_drift(system, topology, x, length=0.2, equilibration=0.05, tolerance=tolerance)
        for tolerance in (1e-5, 1e-2)
    ]
    assert abs(found[0].dipole_drift) < 0.1 < abs(found[1].dipole_drift)
    assert found[0].iterations > found[1].iterations
    assert found[0].residual < 1e-5 < found[1].residual < 1e-2
    assert found[0].n_atoms == 40
    with pytest.raises(ForceFieldError, match="no AmoebaMultipoleForce"):
        energy_drift(openmm.System(), topology, x)


def test_solver_sets_the_tolerance(reference_data, settings):  # noqa: F811
    system, _ = acetone_box(reference_data, settings)
    set_solver(system, "fast")
    for force in system.getForces():
        if isinstance(force, openmm.CustomCVForce):
            parts = [force.getCollectiveVariable(i) for i in range(3)]
            assert {part.getMutualInducedTargetEpsilon() for part in parts} == {1e-3}
    with pytest.raises(ForceFieldError, match="choose from conserving, fast"):
        set_solver(system, "slow")


def test_make_simulation_takes_a_solver(liquid):  # noqa: F811
    system, topology, x = liquid
    found = {}
    for solver, tolerance in DIPOLE_TOLERANCES.items():
        simulation = make_simulation(
            system, topology, positions=x, platform="CPU", polarization="kernel", solver=solver
        )
        with recorded_results() as results:
            simulation.context.getState(energy=True)
        found[solver] = results[0]
        assert found[solver].residual < tolerance
    assert found["fast"].residual > DIPOLE_TOLERANCES["conserving"]
    assert found["fast"].iterations < found["conserving"].iterations


@pytest.mark.slow
@pytest.mark.parametrize(
    ("smiles", "molecules", "density"), [("CC(C)=O", 64, 0.95), ("O", 125, 1.0)]
)
def test_the_conserving_solver_conserves_energy(smiles, molecules, density):
    """Liquids of the default model: less than 0.1 kJ/mol/ps per 1,000 atoms."""
    molecule = Molecule.from_smiles(smiles)
    topology = pack_box([molecule], [molecules], density=density)
    box = topology.box_vectors.m_as("angstrom")
    cutoff = 0.45 * float(box.diagonal().min())
    size = molecule.n_atoms
    system = create_system(
        predict([molecule], "bytepol"),
        [(0, range(start, start + size)) for start in range(0, molecules * size, size)],
        box=box,
        cutoff=cutoff,
        switch_distance=cutoff - 1.0,
    )
    set_solver(system, "conserving")
    positions = topology.get_positions().m_as("angstrom")
    found = energy_drift(system, topology.to_openmm(), positions, length=2.0, equilibration=0.5)
    assert abs(found.dipole_drift) < 0.1
    assert abs(found.drift) < 0.1 + 3.0 * found.standard_error
