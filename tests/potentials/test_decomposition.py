"""Interaction components: sums, signs, limits, and the published division."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import (
    Pairs,
    SolverOptions,
    energy,
    induced_dipoles,
    interaction_components,
    polarization_energies,
)
from openff_bytepol.settings import PUBLISHED_SETTINGS
from tests.potentials import naive
from tests.potentials.molecules import cluster, molecule

CLUSTERS = [("CCO", "O"), ("CC(=O)C", "[Li+]"), ("C=O", "O", "CC#N"), ("CCOC(=O)OC", "[Na+]", "O")]


@pytest.mark.parametrize("smiles", CLUSTERS)
@pytest.mark.parametrize("constants", [None, PUBLISHED_SETTINGS])
def test_components_are_differences_of_energies(smiles, constants):
    parameters, coordinates = cluster(*smiles, settings=constants)
    whole = energy(parameters, coordinates)
    parts = energy(parameters, coordinates, parameters.molecule_index)
    ours = interaction_components(parameters, coordinates)

    def difference(name):
        return getattr(whole, name) - getattr(parts, name).sum()

    close = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(ours.pauli, difference("repulsion"), **close)
    torch.testing.assert_close(ours.disp, difference("dispersion"), **close)
    torch.testing.assert_close(ours.ct, difference("charge_transfer"), **close)
    electric = difference("permanent") + difference("induction")
    torch.testing.assert_close(ours.elec + ours.pol, electric, **close)
    torch.testing.assert_close(ours.total, whole.total - parts.total.sum(), **close)
    torch.testing.assert_close(polarization_energies(parameters, coordinates), ours.pol)
    assert list(ours.as_dict()) == ["elec", "pauli", "pol", "disp", "ct"]


@pytest.mark.parametrize("smiles", CLUSTERS)
def test_elec_is_that_of_frozen_dipoles(smiles):
    parameters, coordinates = cluster(*smiles, settings=PUBLISHED_SETTINGS)
    frozen = induced_dipoles(parameters, coordinates, parameters.molecule_index)
    whole = naive.frozen_dipole_energy(parameters, coordinates, frozen, lambda3_for_5=False)
    charges = energy(parameters, coordinates).permanent[0]
    for piece, index in zip(parameters.split(), range(parameters.n_molecules), strict=True):
        own = parameters.molecule_index == index
        x = coordinates[own]
        whole = whole - naive.frozen_dipole_energy(piece, x, frozen[own], lambda3_for_5=False)
        charges = charges - energy(piece, x).permanent[0]
    elec = interaction_components(parameters, coordinates).elec[0]
    torch.testing.assert_close(elec, whole + charges, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("smiles", CLUSTERS)
def test_published_split(smiles):
    """The first release subtracts the molecules' own energies with lambda3 for lambda5."""
    parameters, coordinates = cluster(*smiles, settings=PUBLISHED_SETTINGS)
    right = interaction_components(parameters, coordinates)
    published = interaction_components(parameters, coordinates, published_split=True)
    frozen = induced_dipoles(parameters, coordinates, parameters.molecule_index)
    shift = 0.0
    for index, piece in enumerate(parameters.split()):
        own = parameters.molecule_index == index
        for wrong, sign in ((False, 1), (True, -1)):
            shift += sign * naive.frozen_dipole_energy(
                piece, coordinates[own], frozen[own], lambda3_for_5=wrong
            )
    torch.testing.assert_close(published.elec[0] - right.elec[0], shift, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(published.total, right.total, rtol=1e-12, atol=1e-12)
    if len(smiles[0]) > 4:
        assert abs(shift) > 1e-8


@given(st.integers(0, 10_000), st.floats(1.2, 4.0))
@settings(deadline=None, max_examples=25)
def test_polarization_and_attraction_have_their_signs(seed, gap):
    generator = torch.Generator().manual_seed(seed)
    parameters, coordinates = cluster("CC(=O)C", "O", "[Li+]", gap=gap)
    coordinates = coordinates + 0.1 * torch.randn(coordinates.shape, generator=generator)
    components = interaction_components(parameters, coordinates)
    assert components.pol.item() < 0
    assert components.disp.item() < 0
    assert components.ct.item() < 0
    assert components.pauli.item() > 0


def test_a_lone_molecule_has_no_interaction():
    for value in interaction_components(*molecule("CCO")).as_dict().values():
        assert value.tolist() == [0.0]


def test_batch_conformers_and_solver():
    parts = [cluster(*smiles) for smiles in CLUSTERS]
    parameters = ParameterSet.concatenate([p for p, _ in parts])
    coordinates = torch.cat([x for _, x in parts])
    pairs = Pairs.concatenate([Pairs.from_parameters(p) for p, _ in parts])
    conformers = torch.stack([coordinates, 1.01 * coordinates])
    batch = interaction_components(parameters, conformers, pairs=pairs)
    iterative = interaction_components(
        parameters, conformers, pairs=pairs, solver=SolverOptions(method="cg")
    )
    for name, values in batch.as_dict().items():
        assert values.shape == (2, len(parts))
        alone = torch.cat([getattr(interaction_components(*part), name) for part in parts])
        torch.testing.assert_close(values[0], alone, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(iterative.as_dict()[name], values, rtol=1e-8, atol=1e-8)


def test_derivatives():
    parameters, coordinates = cluster("C=O", "[Li+]", settings=PUBLISHED_SETTINGS)
    alpha = parameters.polarizabilities.clone().requires_grad_(True)
    x = coordinates.requires_grad_(True)

    def components(positions, polarizabilities):
        changed = replace(parameters, polarizabilities=polarizabilities)
        values = interaction_components(changed, positions, published_split=True).as_dict()
        return torch.cat(list(values.values()))

    tolerances = {"rtol": 1e-4, "atol": 1e-4, "fast_mode": True}
    assert torch.autograd.gradcheck(components, (x, alpha), **tolerances)
    assert torch.autograd.gradgradcheck(components, (x, alpha), **tolerances)


def test_large_separation_keeps_precision_in_float32():
    """No cancellation of molecular energies: tiny interactions come out right."""
    parameters, coordinates = cluster("CC(=O)C", "CCO", gap=30.0)
    exact = interaction_components(parameters, coordinates).as_dict()
    single = interaction_components(
        parameters.to(dtype=torch.float32), coordinates.float()
    ).as_dict()
    for name in ("pol", "disp", "ct"):
        torch.testing.assert_close(single[name].double(), exact[name], rtol=1e-4, atol=1e-20)
    assert abs(exact["pol"].item()) < 1e-3
