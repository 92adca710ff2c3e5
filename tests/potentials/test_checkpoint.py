"""Energies, components and forces of the original implementation.

Its numbers are float32, and its harmonic terms are differences of large numbers (three
terms of up to 10⁴ kcal/mol cancel in every bond), so dimer totals are known only to the
rounding of those terms. Components and interaction energies are free of it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import energy, energy_and_forces, interaction_components
from openff_bytepol.potentials.geometry import bond_angles, norms, pair_vectors
from tests.potentials import checkpoint

COMPONENTS = {
    "elec": "ELEC",
    "pauli": "PAULI",
    "pol": "POLARIZATION",
    "disp": "DISP",
    "ct": "CHARGE_TRANSFER",
}


@pytest.fixture(scope="module")
def cases(reference_data: Path):
    constants = checkpoint.settings(reference_data)
    records = checkpoint.records(reference_data)
    cases = []
    for dimer in checkpoint.dimers(reference_data):
        members = [records[smiles] for smiles in dimer["monomers"]]
        parameters = ParameterSet.concatenate(
            [checkpoint.parameter_set(record, constants) for record in members]
        )
        coordinates = torch.tensor(dimer["coords_angstrom"], dtype=torch.float64)
        cases.append((dimer, members, parameters, coordinates))
    assert len(cases) == 3
    return cases


def expected(dimer, key):
    return torch.tensor(dimer[key], dtype=torch.float64)


def float32_harmonic_error(members, parameters, coordinates):
    """What bonds and angles gain by rounding in the original's form and precision."""
    xyz = coordinates.float().transpose(-1, -2)
    values = {
        "bond": norms(pair_vectors(xyz, parameters.bonds[:, 0], parameters.bonds[:, 1])),
        "angle": bond_angles(xyz, parameters.angles),
    }
    anchors = {"bond": checkpoint.BOND_ANCHORS, "angle": checkpoint.ANGLE_ANCHORS}
    total = torch.zeros(len(coordinates), dtype=torch.float64)
    for term, value in values.items():
        pairs = [checkpoint.conjugate(record, term) for record in members]
        k1, k2 = (torch.cat(k).float() for k in zip(*pairs, strict=True))
        b1, b2 = anchors[term]
        form = 0.5 * k1 * (value - b1) ** 2 + 0.5 * k2 * (value - b2) ** 2
        form += 0.5 * (-k1 * b1**2 - k2 * b2**2 + (k1 * b1 + k2 * b2) ** 2 / (k1 + k2))
        total += form.sum(-1).double()
    components = energy(parameters, coordinates)
    return total - (components.bonds + components.angles)[:, 0]


def test_components(cases):
    for dimer, _, parameters, coordinates in cases:
        components = interaction_components(parameters, coordinates)
        for name, key in COMPONENTS.items():
            ours = getattr(components, name)[:, 0]
            torch.testing.assert_close(ours, expected(dimer, key), rtol=0, atol=3e-6)


def test_interaction_energy(cases):
    for dimer, _, parameters, coordinates in cases:
        total = interaction_components(parameters, coordinates).total[:, 0]
        # a difference of totals of up to 3200 kcal/mol, where float32 steps are 2.4e-4
        reference = expected(dimer, "total_interaction_kcal_mol")
        torch.testing.assert_close(total, reference, rtol=0, atol=2.5e-4)


def test_total_energy(cases):
    for dimer, members, parameters, coordinates in cases:
        total = energy(parameters, coordinates).total[:, 0]
        reference = expected(dimer, "dimer_total_kcal_mol")
        torch.testing.assert_close(total, reference, rtol=0, atol=2.5e-3)
        rounding = float32_harmonic_error(members, parameters, coordinates)
        assert (total + rounding - reference).abs().max() < 1e-3


def test_monomer_energies(cases):
    for dimer, _, parameters, coordinates in cases:
        per_molecule = energy(parameters, coordinates, parameters.molecule_index).total
        reference = expected(dimer, "monomer_total_kcal_mol").T
        torch.testing.assert_close(per_molecule, reference, rtol=0, atol=2.5e-3)


def test_forces(cases):
    for dimer, _, parameters, coordinates in cases:
        _, forces = energy_and_forces(parameters, coordinates)
        reference = expected(dimer, "dimer_forces_kcal_mol_angstrom")
        # float32 rounding of bonded forces of up to 1100 kcal/mol/Å
        torch.testing.assert_close(forces, reference, rtol=0, atol=1.2e-3)
        assert (forces - reference).square().mean().sqrt() < 2e-4
