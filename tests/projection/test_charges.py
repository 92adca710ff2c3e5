"""Charges: exact total, symmetry, and polarization against analytic limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from rdkit import Chem

from openff_bytepol.exceptions import ParameterError, PolarizationCatastropheError
from openff_bytepol.graph.chemistry import standard_molecule
from openff_bytepol.potentials import dipole_moments, induced_dipoles
from openff_bytepol.projection import project_fixed_charge
from openff_bytepol.projection.born import born_radii
from openff_bytepol.projection.charges import charge_shifts
from openff_bytepol.projection.conformers import make_conformer
from openff_bytepol.projection.mean_field import gas_response, liquid_dipoles
from openff_bytepol.projection.source import Source
from tests.projection.molecules import PUBLISHED, explicit, predicted, published

DRUG = "CC(C)Cc1ccc(cc1)C(C)C(=O)O"


def source_of(parameters, mol) -> tuple[Source, np.ndarray]:
    standard = standard_molecule(mol, frozenset(parameters.atomic_numbers.tolist()))
    source = Source.read(parameters.to(dtype=torch.float64), standard)
    return source, make_conformer(source, standard)


@pytest.mark.parametrize(
    "smiles", ["O", "C", "CC#N", "CC(=O)[O-]", "C[NH3+]", "c1ccccc1", DRUG, "F[P-](F)(F)(F)(F)F"]
)
def test_total_charge_is_exact(smiles):
    parameters, mol = predicted(smiles)
    fixed = project_fixed_charge(parameters, mol)
    assert float(fixed.charges.sum()) == pytest.approx(Chem.GetFormalCharge(mol), abs=1e-12)


@pytest.mark.parametrize("name", PUBLISHED)
def test_total_charge_of_published_molecules_is_exact(reference_data, name):
    parameters, mol = published(reference_data, name)
    fixed = project_fixed_charge(parameters, mol)
    assert float(fixed.charges.sum()) == pytest.approx(Chem.GetFormalCharge(mol), abs=1e-12)


@pytest.mark.parametrize(
    ("smiles", "classes"),
    [
        ("CC(=O)[O-]", [[2, 3], [4, 5, 6]]),
        ("CC(=O)C", [[0, 3], [4, 5, 6, 7, 8, 9]]),
        ("F[P-](F)(F)(F)(F)F", [[0, 2, 3, 4, 5, 6]]),
        ("c1ccccc1", [list(range(6)), list(range(6, 12))]),
        ("O", [[1, 2]]),
    ],
)
def test_equivalent_atoms_stay_equal(smiles, classes):
    parameters, mol = predicted(smiles)
    fixed = project_fixed_charge(parameters, mol)
    for members in classes:
        for values in (fixed.charges, fixed.sigmas, fixed.epsilons):
            assert float(np.ptp(values[members].numpy())) < 1e-6


@pytest.mark.parametrize("smiles", ["[Li+]", "[Na+]", "[Cl-]"])
def test_monatomic_ions_keep_their_charge(smiles):
    parameters, mol = predicted(smiles)
    fixed = project_fixed_charge(parameters, mol)
    assert float(fixed.charges[0]) == Chem.GetFormalCharge(mol)


@pytest.mark.parametrize("smiles", ["O", "CC(=O)C", "C1COC(=O)O1", "CC#N"])
def test_gas_dipoles_are_those_of_the_torch_potentials(smiles):
    parameters, mol = predicted(smiles)
    source, xyz = source_of(parameters, mol)
    back = np.argsort(source.order)
    reference = induced_dipoles(parameters.to(dtype=torch.float64), torch.from_numpy(xyz[back]))
    own = gas_response(source, xyz).dipoles[back]
    assert np.allclose(own, reference.numpy(), atol=1e-6)


def test_ion_pair_far_apart_has_onsager_born_radius():
    """A lone atom has its own radius, and its dipole the reaction field of a sphere."""
    square = np.zeros((1, 1))
    radius = born_radii(np.array([8]), square)
    assert radius == pytest.approx([1.43])  # Bondi's radius less the offset of the method


def test_reaction_field_of_one_atom_is_onsagers():
    parameters, mol = predicted("[Cl-]")
    source, xyz = source_of(parameters, mol)
    gas = gas_response(source, xyz)
    field = np.array([[0.01, 0.0, 0.0]])
    permittivity = 78.4
    dipole = liquid_dipoles(source, xyz, gas._replace(field=field), permittivity)
    alpha = source.polarizabilities[0]
    radius = born_radii(source.atomic_numbers, np.zeros((1, 1)))[0]
    reaction = 2.0 * (permittivity - 1.0) / (2.0 * permittivity + 1.0) / radius**3
    assert dipole[0, 0] == pytest.approx(alpha * 0.01 / (1.0 - alpha * reaction), rel=1e-10)


@pytest.mark.parametrize("smiles", ["O", "CC(=O)C", "C1COC(=O)O1", "CC#N", "CO", "CNC=O"])
def test_liquid_raises_the_dipole_and_charges_follow_halfway(smiles):
    parameters, mol = predicted(smiles)
    source, xyz = source_of(parameters, mol)
    gas = gas_response(source, xyz)
    liquid = liquid_dipoles(source, xyz, gas, 20.0)
    permanent = source.charges @ xyz
    in_gas = np.linalg.norm(permanent + gas.dipoles.sum(axis=0))
    in_liquid = np.linalg.norm(permanent + liquid.sum(axis=0))
    assert 1.1 < in_liquid / in_gas < 1.7
    halfway = 0.5 * (gas.dipoles + liquid)
    charges = source.charges + charge_shifts(source, xyz[None], halfway[None])
    target = permanent + halfway.sum(axis=0)
    assert np.linalg.norm(charges @ xyz - target) < 0.06 * np.linalg.norm(target)
    assert in_gas < np.linalg.norm(charges @ xyz) < in_liquid


def test_without_medium_the_dipole_is_that_of_the_gas():
    parameters, mol = predicted("CC(=O)C")
    source, xyz = source_of(parameters, mol)
    gas = gas_response(source, xyz)
    assert np.allclose(liquid_dipoles(source, xyz, gas, 1.0), gas.dipoles, atol=1e-12)
    back = np.argsort(source.order)
    coordinates = torch.from_numpy(xyz[back])
    reference = dipole_moments(parameters.to(dtype=torch.float64), coordinates)
    fixed = project_fixed_charge(parameters, mol, permittivity=1.0)
    own = fixed.charges @ coordinates
    assert float((own - reference[0]).norm() / reference.norm()) < 0.05


def test_charges_hardly_depend_on_the_permittivity_of_polar_liquids():
    parameters, mol = predicted("CC(=O)C")
    low, high = (
        project_fixed_charge(parameters, mol, permittivity=e).charges for e in (10.0, 80.0)
    )
    assert float((low - high).abs().max()) < 0.02
    with pytest.raises(ParameterError, match="below 1"):
        project_fixed_charge(parameters, mol, permittivity=0.5)


def test_charges_hardly_depend_on_the_conformer():
    parameters, mol = predicted("CCO")
    source, _ = source_of(parameters, mol)
    standard = standard_molecule(mol, frozenset(parameters.atomic_numbers.tolist()))
    back = np.argsort(source.order)
    charges = [
        project_fixed_charge(
            parameters, mol, conformer=make_conformer(source, standard, seed)[back]
        ).charges
        for seed in (1, 2, 3)
    ]
    assert float(np.ptp(torch.stack(charges).numpy(), axis=0).max()) < 0.03


def test_molecular_conformers_are_not_used():
    from rdkit.Chem import rdDistGeom

    parameters, mol = predicted(DRUG)
    bare = project_fixed_charge(parameters, mol)
    carrying = Chem.Mol(mol)
    rdDistGeom.EmbedMolecule(carrying, randomSeed=5)
    with_conformer = project_fixed_charge(parameters, carrying)
    assert torch.equal(bare.charges, with_conformer.charges)
    assert torch.equal(bare.proper_k, with_conformer.proper_k)


def test_polarization_catastrophe_names_the_molecule():
    parameters, mol = predicted("CC(=O)C")
    wild = replace(parameters, polarizabilities=parameters.polarizabilities * 50.0)
    with pytest.raises(PolarizationCatastropheError, match=r"CC\(C\)=O"):
        project_fixed_charge(wild, mol)


def test_parameters_of_another_molecule_are_refused():
    parameters, _ = predicted("CCO")
    with pytest.raises(ParameterError, match="atoms or bonds differ"):
        project_fixed_charge(parameters, explicit("CO"))
    charged = replace(parameters, charges=parameters.charges + 0.1)
    with pytest.raises(ParameterError, match="formal charge"):
        project_fixed_charge(charged, explicit("CCO"))
