"""Every GPU platform that is here computes what the Reference platform does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import openmm
import pytest
from openmm import unit

from openff_bytepol.exceptions import EngineError
from openff_bytepol.interop.openmm_system import create_system
from openff_bytepol.interop.platforms import choose_platform
from openff_bytepol.settings import PUBLISHED_SETTINGS, NonbondedSettings
from tests.factories import C8
from tests.interop import published


@pytest.fixture(params=["CUDA", "HIP", "OpenCL"])
def gpu(request):
    try:
        return choose_platform(request.param, precision="mixed")
    except EngineError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    "settings",
    [PUBLISHED_SETTINGS, NonbondedSettings(), NonbondedSettings(**C8)],
    ids=["three", "one", "C8"],
)
@pytest.mark.parametrize("periodic", [True, False])
def test_electrolyte(reference_data, gpu, settings, periodic):
    molecules, positions = published.electrolyte(reference_data)
    system = create_system(
        [replace(molecule, settings=settings) for molecule in molecules],
        published.contiguous(list(range(5)), [molecule.n_atoms for molecule in molecules]),
        box=[25.0] * 3 if periodic else None,
        mutual_tolerance=1e-6,
    )
    reference = evaluate(system, positions, openmm.Platform.getPlatformByName("Reference"), {})
    energy, forces = evaluate(system, positions, *gpu)
    assert energy == pytest.approx(reference[0], abs=0.02)
    assert np.abs(forces - reference[1]).max() < 1e-4 * np.abs(reference[1]).max()


def evaluate(system, positions, platform, properties):
    """Energy in kJ/mol and forces in kJ/mol/nm."""
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform, properties)
    context.setPositions(positions * 0.1)
    state = context.getState(energy=True, forces=True)
    return (
        state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole),
        state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer),
    )
