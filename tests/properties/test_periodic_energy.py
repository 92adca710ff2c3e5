"""The periodic energy in PyTorch against OpenMM."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import openmm
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import AllChem

from openff_bytepol.exceptions import CutoffError, ParameterError
from openff_bytepol.interop.openmm_system import create_system
from openff_bytepol.models import predict
from openff_bytepol.properties.periodic_energy import PeriodicEnergy
from tests.factories import C8
from tests.properties.boxes import WATER, lattice, placements


def openmm_energy(system, positions, box=None):
    """kcal/mol, by the Reference platform."""
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    if box is not None:
        context.setPeriodicBoxVectors(*(0.1 * np.asarray(box)))
    context.setPositions(0.1 * positions)
    return context.getState(energy=True).getPotentialEnergy()._value / 4.184


def conformer(smiles):
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(molecule, randomSeed=1)
    return molecule.GetConformer().GetPositions()


def predicted(smiles, changed):
    """Parameters of the shipped model with other settings."""
    return [replace(p, settings=p.settings.model_copy(update=changed)) for p in predict(smiles)]


@pytest.mark.parametrize("changed", [{}, C8], ids=["C6", "C8"])
@pytest.mark.parametrize("switch", [None, 3.5])
def test_water_has_the_energy_of_openmm(switch, changed):
    parameters = predicted("O", changed)
    positions, places = lattice(WATER, 3, 3.1), placements(27, 3)
    box = np.array([[9.3, 0, 0], [1.0, 9.3, 0], [-0.5, 0.7, 9.4]])
    system = create_system(
        parameters,
        places,
        box=box,
        cutoff=4.2,
        switch_distance=switch,
        ewald_tolerance=1e-6,
        mutual_tolerance=1e-6,
    )
    energy = PeriodicEnergy(parameters, places, cutoff=4.2, switch_distance=switch)
    value = float(energy(parameters, positions, box))
    assert value == pytest.approx(openmm_energy(system, positions), abs=2e-3)


@pytest.mark.parametrize("changed", [{}, C8], ids=["C6", "C8"])
def test_flexible_molecules_have_the_energy_of_openmm(changed):
    parameters = predicted("CCOC", changed)
    shape = conformer("CCOC")
    positions, places = lattice(shape - shape.mean(0), 2, 6.0), placements(8, len(shape))
    options = {"box": [12.0] * 3, "cutoff": 5.9}
    system = create_system(
        parameters, places, ewald_tolerance=1e-6, mutual_tolerance=1e-6, **options
    )
    energy = PeriodicEnergy(parameters, places, cutoff=5.9)
    value = float(energy(parameters, positions, 12.0 * np.eye(3)))
    assert value == pytest.approx(openmm_energy(system, positions), abs=2e-3)


@pytest.mark.parametrize("changed", [{}, C8], ids=["C6", "C8"])
def test_derivatives_are_those_of_finite_differences(changed):
    (water,) = predicted("O", changed)
    positions, places = lattice(WATER, 2, 3.2), placements(8, 3)
    box = 6.4 * np.eye(3)
    energy = PeriodicEnergy([water], places, cutoff=3.1)
    for name in ("charges", "polarizabilities", "dampings", "c6", "radii", "bond_k"):
        leaf = getattr(water, name).clone().requires_grad_(True)
        changed = water._map_floats(lambda v: v)
        object.__setattr__(changed, name, leaf)
        (slope,) = torch.autograd.grad(energy([changed], positions, box), leaf)
        direction = torch.tensor([1.0, -0.5, -0.5], dtype=torch.float64)[: len(leaf)]
        step = 1e-4
        ends = []
        for sign in (1, -1):
            object.__setattr__(changed, name, leaf.detach() + sign * step * direction)
            ends.append(float(energy([changed], positions, box)))
        expected = (ends[0] - ends[1]) / (2 * step)
        assert float(slope @ direction) == pytest.approx(expected, rel=1e-4, abs=1e-5), name


def test_what_does_not_fit_is_refused():
    (water,) = predict("O")
    energy = PeriodicEnergy([water], placements(8, 3), cutoff=3.1)
    with pytest.raises(CutoffError):
        energy([water], lattice(WATER, 2, 3.0), 6.0 * np.eye(3))
    with pytest.raises(ParameterError, match="shape"):
        energy([water], np.zeros((5, 3)), 6.4 * np.eye(3))
