"""Optimised bond lengths and angles against AIMNet2."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem
from scipy.spatial.transform import Rotation

from openff_bytepol.exceptions import DataError, SimulationError
from openff_bytepol.models import load_model
from openff_bytepol.potentials import energy
from openff_bytepol.training.evaluate import predict_molecules
from openff_bytepol.training.geometries import (
    GeometryErrors,
    Term,
    choose_molecules,
    compare,
    evaluate_geometries,
    measure,
    superposed_rmsd,
)
from openff_bytepol.training.labels import aimnet2
from openff_bytepol.training.labels.geometries import (
    conformers,
    hydrogenated,
    relaxed_conformers,
)
from openff_bytepol.training.minima import aimnet2_minimum, model_minimum

needs_aimnet2 = pytest.mark.skipif(
    find_spec("Auto3D") is None, reason="AIMNet2 weights are not installed"
)
BENT = np.array([[0.0, 1.2, 0.0], [0.0, 0.0, 0.0], [1.0, -1.0, 0.0], [-1.0, -1.0, 0.0]])
"""Formaldehyde: O, C, two H, angles of 90° between the hydrogens and 135° to the oxygen."""


def test_terms_agree_with_a_computation_by_hand() -> None:
    flat = BENT.copy()
    flat[0] *= 1.1
    flat[3] = [-2.0, 0.0, 0.0]
    terms = list(compare("O=C", hydrogenated("O=C"), BENT, flat))
    found = {(kind, term.group, term.atoms): term[3:] for kind, term in terms}
    root = math.sqrt(2.0)
    expected = {
        ("bonds", "C=O", (1, 0)): (1.2, 1.32),
        ("bonds", "C-H", (1, 2)): (root, root),
        ("bonds", "C-H", (1, 3)): (root, 2.0),
        ("angles", "C", (0, 1, 2)): (135.0, 135.0),
        ("angles", "C", (0, 1, 3)): (135.0, 90.0),
        ("angles", "C", (2, 1, 3)): (90.0, 135.0),
    }
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert found[key] == pytest.approx(values)


def test_statistics_agree_with_a_computation_by_hand() -> None:
    def term(group: str, error: float) -> Term:
        return Term("X", group, (0, 1), 1.0, 1.0 + error)

    bonds = [term("C-N", 0.03), term("C=O", -0.01), term("C-N", 0.01)]
    errors = GeometryErrors({"bonds": bonds, "angles": []}, {"A": 0.1, "B": 0.3, "C": 0.2}, {})
    summary = errors.summary("bonds")
    assert list(summary) == ["C-N", "C=O", "all"]
    assert summary["all"] == pytest.approx(
        {
            "n": 3,
            "mean_absolute_error": 0.05 / 3,
            "mean_signed_error": 0.03 / 3,
            "root_mean_square_error": math.sqrt(0.0011 / 3),
        }
    )
    assert summary["C-N"]["mean_absolute_error"] == pytest.approx(0.02)
    assert [one.error for one in errors.worst("bonds", 2)] == pytest.approx([0.03, -0.01])
    assert errors.median_rmsd == pytest.approx(0.2)
    assert errors.summary("angles")["all"]["n"] == 0
    assert math.isnan(errors.summary("angles")["all"]["mean_absolute_error"])


def test_superposition_undoes_rotation_and_translation_but_no_mirror() -> None:
    rng = np.random.default_rng(5)
    first, noise = rng.normal(size=(2, 6, 3))
    second = first + 0.2 * noise
    turned = Rotation.random(rng=1).apply(second) + np.array([1.0, -2.0, 3.0])
    centred = [xyz - xyz.mean(0) for xyz in (first, second)]
    _, root_of_squares = Rotation.align_vectors(*centred)
    assert superposed_rmsd(first, turned) == pytest.approx(root_of_squares / math.sqrt(6))
    assert superposed_rmsd(first, -first) > 0.1
    assert superposed_rmsd(BENT, BENT @ np.diag([1.0, 1.0, -1.0])) == pytest.approx(0.0, abs=1e-6)
    assert superposed_rmsd(np.eye(3)[:1], np.zeros((1, 3))) == 0.0


def test_minima_of_the_model_are_those_of_its_energy_in_torch() -> None:
    mol = hydrogenated("CO")
    mapped = Chem.MolToSmiles(mol)
    parameters = predict_molecules(load_model("bytepol"), [mapped])[0][mapped]
    start = conformers(mol, 1, 1)[0]
    xyz = torch.tensor(model_minimum(parameters, start), requires_grad=True)
    energy(parameters, xyz).total.sum().backward()
    assert xyz.grad is not None
    assert xyz.grad.abs().max() < 0.2
    with pytest.raises(SimulationError, match="minimisation with the model"):
        model_minimum(parameters, np.full_like(start, np.nan))


@needs_aimnet2
def test_relaxed_conformers_are_lower_on_the_surface_of_aimnet2() -> None:
    mol = hydrogenated("CC(=O)[O-]")
    starts = conformers(mol, 2, 1)
    still, relaxed = (relaxed_conformers(mol, 2, 1, steps) for steps in (0, 20))
    np.testing.assert_allclose(still, starts, atol=1e-6)
    assert relaxed.shape == starts.shape
    assert relaxed.dtype == np.float64
    numbers = torch.tensor([atom.GetAtomicNum() for atom in mol.GetAtoms()])
    before, after = (
        aimnet2.evaluate(torch.from_numpy(xyz), numbers, -1) for xyz in (starts, relaxed)
    )
    assert (after.energies < before.energies - 0.1).all()
    assert after.forces.abs().max() < 0.3 * before.forces.abs().max()


def test_molecules_are_chosen_and_unreadable_ones_named(tmp_path: Path) -> None:
    pool = tmp_path / "pool.csv"
    pool.write_text("name,smiles\na,OC\nb,C(O\nc,CCCCCC\nd,CO\n")
    chosen, unreadable = choose_molecules(pool, count=5, max_heavy_atoms=3, seed=1)
    assert chosen == ["CO"]
    assert unreadable == {"C(O": "not a valid SMILES"}
    with pytest.raises(DataError, match="no molecule of up to 1 heavy atoms"):
        choose_molecules(pool, count=5, max_heavy_atoms=1, seed=1)


def test_molecules_outside_the_model_or_aimnet2_are_reported() -> None:
    errors = evaluate_geometries(load_model("bytepol"), ["C[Si](C)(C)C", "[Li+]", "O.O"])
    assert "contains Si" in errors.left_out["C[Si](C)(C)C"]
    assert errors.left_out["[Li+]"] == "AIMNet2 lacks one of its elements"
    assert len(errors.left_out) == 3
    assert not errors.rmsd
    assert math.isnan(errors.median_rmsd)


@needs_aimnet2
def test_molecules_are_compared_at_both_minima() -> None:
    model, seen = load_model("bytepol"), []
    errors = evaluate_geometries(
        model, ["CO", "CC#N"], on_molecule=lambda done, smiles: seen.append((done, smiles))
    )
    assert seen == [(0, "CO"), (1, "CC#N"), (2, "")]
    assert list(errors.rmsd) == ["CO", "CC#N"]
    assert errors.left_out == {}
    assert {term.group for term in errors.terms["bonds"]} == {"C-O", "C-H", "O-H", "C-C", "C#N"}
    assert len(errors.terms["angles"]) == 7 + 7
    mol = hydrogenated("CC#N")
    mapped = Chem.MolToSmiles(mol)
    reference = aimnet2_minimum(mol, seed=1, deviation_limit=4.0)
    predicted = model_minimum(predict_molecules(model, [mapped])[0][mapped], reference)
    (triple,) = [term for term in errors.terms["bonds"] if term.group == "C#N"]
    assert triple.atoms == (1, 2)
    assert triple.reference == pytest.approx(measure(reference, (1, 2)), abs=1e-3)
    assert triple.predicted == pytest.approx(measure(predicted, (1, 2)), abs=1e-3)
    assert errors.summary("bonds")["all"]["mean_absolute_error"] < 0.01
    assert errors.summary("angles")["all"]["mean_absolute_error"] < 2.0


@needs_aimnet2
def test_aimnet2_is_minimised_to_convergence() -> None:
    mol = hydrogenated("NCC(C)O")
    xyz = aimnet2_minimum(mol, seed=1, deviation_limit=10.0)
    numbers = torch.tensor([atom.GetAtomicNum() for atom in mol.GetAtoms()])
    assert aimnet2.evaluate(torch.from_numpy(xyz[None]), numbers, 0).forces.abs().max() < 0.2


@needs_aimnet2
def test_doubtful_references_are_refused() -> None:
    with pytest.raises(DataError, match="networks disagree by"):
        aimnet2_minimum(hydrogenated("CO"), seed=1, deviation_limit=0.1)
    with pytest.raises(DataError, match="breaks one of its bonds"):
        aimnet2_minimum(hydrogenated("[NH3+]CC(=O)[O-]"), seed=1, deviation_limit=10.0)
