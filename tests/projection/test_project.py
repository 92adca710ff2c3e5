"""The projection as a whole: atom order, input forms, failure, speed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from rdkit import Chem

import openff_bytepol.projection.project as project_module
from openff_bytepol.exceptions import ParameterError
from openff_bytepol.models import load_model
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.projection import project_fixed_charge
from tests.projection.molecules import predicted

DRUG = "CC(C)NCC(O)COc1ccc(CC(N)=O)cc1"


def by_atoms(atoms, values) -> dict[tuple[int, ...], np.ndarray]:
    return {min(tuple(a), tuple(a[::-1])): v for a, v in zip(atoms, values, strict=True)}


@pytest.mark.parametrize("smiles", ["CCO", "C1COC(=O)O1", "CC(=O)[O-]", "CS(=O)(=O)NC", DRUG])
@pytest.mark.parametrize("seed", [0, 1])
def test_atom_order_does_not_matter(smiles, seed):
    parameters, mol = predicted(smiles)
    order = np.random.default_rng(seed).permutation(parameters.n_atoms).tolist()
    other = Chem.RenumberAtoms(mol, order)
    permuted = load_model().predict([other])[0]
    first, second = project_fixed_charge(parameters, mol), project_fixed_charge(permuted, other)
    for name in ("charges", "sigmas", "epsilons"):
        expected, found = getattr(first, name)[order], getattr(second, name)
        assert torch.allclose(found, expected, atol=1e-5), name
    there = by_atoms(np.array(order)[second.propers].tolist(), second.proper_k.numpy())
    for atoms, k in by_atoms(first.propers.tolist(), first.proper_k.numpy()).items():
        assert np.allclose(k, there[atoms], atol=1e-5)


def test_projection_is_deterministic():
    parameters, mol = predicted(DRUG)
    first, second = (project_fixed_charge(parameters, mol) for _ in range(2))
    assert torch.equal(first.charges, second.charges)
    assert torch.equal(first.proper_k, second.proper_k)


def test_stereochemistry_does_not_matter():
    parameters, mol = predicted("C[C@H](O)CC")
    flat = Chem.Mol(mol)
    Chem.RemoveStereochemistry(flat)
    assert torch.equal(
        project_fixed_charge(parameters, mol).charges,
        project_fixed_charge(parameters, flat).charges,
    )


def test_openff_and_rdkit_molecules_agree():
    toolkit = pytest.importorskip("openff.toolkit")
    parameters, mol = predicted("CC(=O)[O-]")
    molecule = toolkit.Molecule.from_rdkit(mol)
    assert torch.equal(
        project_fixed_charge(parameters, mol).charges,
        project_fixed_charge(parameters, molecule).charges,
    )


def test_ensemble_and_float32_input():
    parameters, mol = predicted("CCO")
    single = parameters.to(dtype=torch.float32)
    stacked = single._map_floats(lambda v: torch.stack([v, v]))
    fixed = project_fixed_charge(stacked, mol)
    assert fixed.charges.dtype == torch.float64
    assert torch.allclose(fixed.charges, project_fixed_charge(single, mol).charges, atol=1e-6)


def test_several_molecules_are_refused():
    parameters, mol = predicted("O")
    with pytest.raises(ParameterError, match="one by one"):
        project_fixed_charge(ParameterSet.concatenate([parameters, parameters]), mol)


def test_given_conformer_must_fit():
    parameters, mol = predicted("O")
    with pytest.raises(ParameterError, match="conformer has shape"):
        project_fixed_charge(parameters, mol, conformer=np.zeros((4, 3)))


def test_without_geometry_charges_are_unpolarized(monkeypatch):
    parameters, mol = predicted("CCO")
    monkeypatch.setattr(project_module, "make_conformer", lambda *_: None)
    with pytest.warns(UserWarning, match="no geometry could be generated for molecule 'CCO'"):
        fixed = project_fixed_charge(parameters, mol)
    assert torch.allclose(fixed.charges, parameters.charges.double(), atol=1e-6)
    assert torch.equal(fixed.proper_k, parameters.proper_k.double())
