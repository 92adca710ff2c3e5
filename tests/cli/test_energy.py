import numpy as np
import pytest
from openff.toolkit import Molecule

TERMS = {
    "bonds", "angles", "torsions", "repulsion", "dispersion", "charge_transfer", "permanent",
    "induction",
}  # fmt: skip


@pytest.fixture
def sdf(tmp_path):
    molecule = Molecule.from_smiles("CCO")
    molecule.generate_conformers(n_conformers=1)
    path = tmp_path / "ethanol.sdf"
    molecule.to_file(str(path), "SDF")
    return path


def test_torch_and_openmm_agree_term_by_term(bytepol, sdf):
    engines = bytepol("energy", sdf, "--engines", "torch,openmm", "--json").document["engines"]
    torch, openmm = engines["torch"]["terms"], engines["openmm"]["terms"]
    assert set(torch) == {
        "bonds",
        "angles",
        "torsions",
        "repulsion",
        "dispersion",
        "charge_transfer",
        "permanent",
        "induction",
    }
    for term in TERMS:
        assert openmm[term] == pytest.approx(torch[term], abs=1e-3), term
    assert engines["torch"]["total"] == pytest.approx(sum(torch.values()))


def test_rigid_water_has_all_terms(bytepol):
    engines = "torch,openmm,openmm-fixed"
    found = bytepol("energy", "O", "--engines", engines, "--json").document["engines"]
    terms = [engine["terms"] for engine in found.values()]
    for term in ("bonds", "angles"):
        assert terms[0][term] > 0.0
        assert [other[term] for other in terms] == pytest.approx([terms[0][term]] * 3, abs=1e-3)


@pytest.mark.gromacs
@pytest.mark.amber
def test_engines_of_fixed_charges_agree(bytepol, sdf):
    arguments = ["energy", sdf, "--box", 20, "--engines", "openmm-fixed,gromacs,amber", "--json"]
    engines = bytepol(*arguments).document["engines"]
    totals = [engine["total"] for engine in engines.values()]
    assert np.ptp(totals) < 0.05


def test_table(bytepol, sdf):
    finished = bytepol("energy", sdf, "--engines", "torch")
    assert finished.code == 0
    for text in ("bonds", "induction", "total", "kJ/mol"):
        assert text in finished.output


def test_torch_has_no_boxes(bytepol, sdf):
    finished = bytepol("energy", sdf, "--box", 40, "--engines", "torch")
    assert finished.code == 1
    assert "vacuum" in finished.messages


def test_unknown_engine_is_wrong_usage(bytepol, sdf):
    finished = bytepol("energy", sdf, "--engines", "charmm")
    assert finished.code == 2
    assert "openmm-fixed" in finished.messages
