"""Asymptotes of the interaction energy."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import (
    dipole_moments,
    energy,
    interaction_components,
    molecular_polarizabilities,
)
from openff_bytepol.settings import NonbondedSettings
from openff_bytepol.units import COULOMB
from tests.factories import C8
from tests.potentials.molecules import molecule


def pair_at(distance, first, second):
    parameters = ParameterSet.concatenate([first[0], second[0]])
    x = [first[1] - first[1].mean(0), second[1] - second[1].mean(0)]
    x[1] = x[1] + torch.tensor([0.0, 0.0, distance])
    return parameters, torch.cat(x)


@pytest.mark.parametrize("smiles", ["CC(=O)C", "CCO", "c1ccncc1"])
def test_neutral_molecules_dissociate_to_nothing(smiles):
    first, second = molecule(smiles), molecule("O", seed=2)
    far = interaction_components(*pair_at(1e5, first, second))
    for value in far.as_dict().values():
        assert abs(value.item()) < 1e-9
    whole = energy(*pair_at(1e5, first, second)).total.item()
    alone = energy(*first).total.item() + energy(*second).total.item()
    assert whole == pytest.approx(alone, abs=1e-9)


@pytest.mark.parametrize("settings", [None, NonbondedSettings(**C8)])
def test_dispersion_falls_as_r6(settings):
    first = molecule("CCO", settings=settings)
    second = molecule("O", seed=2, settings=settings)
    distance = 300.0
    parameters, x = pair_at(distance, first, second)
    roots = [part[0].c6.sqrt().sum() for part in (first, second)]
    expected = -(roots[0] * roots[1] / distance**6).item()
    disp = interaction_components(parameters, x).disp.item()
    assert disp == pytest.approx(expected, rel=1e-3)


def test_charge_transfer_and_repulsion_are_short_ranged():
    components = interaction_components(*pair_at(14.0, molecule("CCO"), molecule("O", seed=2)))
    disp = abs(components.disp.item())
    assert abs(components.ct.item()) < 1e-6 * disp
    assert components.pauli.item() < 1e-2 * disp


def test_ions_interact_as_point_charges():
    parameters, x = pair_at(1e4, molecule("[Na+]"), molecule("CC(=O)[O-]"))
    elec = interaction_components(parameters, x).elec.item()
    assert elec == pytest.approx(-COULOMB / 1e4, rel=1e-3)


def test_ion_polarizes_a_molecule():
    """POL goes to -q²·alpha_zz/(2·r⁴), and ELEC to q times the molecule's full dipole."""
    distance = 2e3
    solvent = molecule("CC#N")
    ion = molecule("[Na+]")
    rigid = replace(ion[0], polarizabilities=torch.tensor([1e-12], dtype=torch.float64))
    parameters, x = pair_at(distance, solvent, (rigid, ion[1]))
    components = interaction_components(parameters, x)
    alpha = molecular_polarizabilities(*solvent)[0, 2, 2].item()
    assert components.pol.item() == pytest.approx(-COULOMB * alpha / (2 * distance**4), rel=5e-3)
    # an ion far along +z sees the potential of a dipole mu_z
    moment = dipole_moments(*solvent)[0, 2].item()
    assert components.elec.item() == pytest.approx(COULOMB * moment / distance**2, rel=5e-2)


@pytest.mark.parametrize("settings", [None, NonbondedSettings(**C8)])
def test_interaction_is_continuous_through_contact(settings):
    """No jumps on the way from far apart to overlap, in single precision too."""
    distances = torch.linspace(12.0, 0.3, 400, dtype=torch.float64)
    first = molecule("O", settings=settings)
    second = molecule("O", seed=2, settings=settings)
    parameters = ParameterSet.concatenate([first[0], second[0]])
    x = torch.stack([pair_at(d.item(), first, second)[1] for d in distances])
    double = interaction_components(parameters, x).total[:, 0]
    single = interaction_components(parameters.to(dtype=torch.float32), x.float()).total[:, 0]
    assert single.isfinite().all()
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-4)
    near = distances < 2.5
    assert (double[near].diff() > 0).all()
