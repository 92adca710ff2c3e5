import json

import pytest
from openff.toolkit import Molecule

from openff_bytepol import predict
from openff_bytepol.parameters import ParameterSet


def test_json_holds_the_predicted_parameters(bytepol):
    document = bytepol("parameterize", "CCO", "O", "--json").document
    assert [entry["name"] for entry in document["molecules"]] == ["CCO", "O"]
    assert document["units"]["charges"] == "e"
    assert len(document["sha256"]) == 64
    for entry, expected in zip(document["molecules"], predict(["CCO", "O"]), strict=True):
        found = ParameterSet.from_dict(entry["parameters"])
        assert found.to_dict() == expected.to_dict()


def test_table_shows_every_atom_and_term(bytepol):
    finished = bytepol("parameterize", "O", "--terms")
    assert finished.code == 0
    for text in ("O0", "H1", "H2", "H1-O0-H2", "kcal/mol"):
        assert text in finished.output
    assert "bytepol.offxml" in finished.messages


def test_csv_names_and_blank_lines(bytepol, tmp_path):
    path = tmp_path / "pool.csv"
    path.write_text("Name,SMILES\nwater,O\n,\nacetone,CC(C)=O\n")
    document = bytepol("parameterize", path, "--json").document
    assert [entry["name"] for entry in document["molecules"]] == ["water", "acetone"]


def test_smi_file(bytepol, tmp_path):
    path = tmp_path / "pool.smi"
    path.write_text("# solvents\nO water\nCCO\n")
    document = bytepol("parameterize", path, "--json").document
    assert [entry["name"] for entry in document["molecules"]] == ["water", "CCO"]


def test_csv_without_smiles_column(bytepol, tmp_path):
    path = tmp_path / "pool.csv"
    path.write_text("molecule\nO\n")
    finished = bytepol("parameterize", path)
    assert finished.code == 1
    assert "smiles" in finished.messages
    assert "molecule" in finished.messages


def test_one_bad_molecule_ends_the_command_and_writes_nothing(bytepol, tmp_path):
    path, output = tmp_path / "pool.csv", tmp_path / "out.json"
    path.write_text("smiles,name\nO,water\n[CH3],methyl\n")
    finished = bytepol("parameterize", path, "--output", output)
    assert finished.code == 1
    assert finished.messages.startswith("RadicalError")
    assert list(tmp_path.iterdir()) == [path]


def test_skip_errors_lists_bad_molecules(bytepol, tmp_path):
    path = tmp_path / "pool.csv"
    path.write_text("smiles,name\nO,water\n[CH3],methyl\n[Xe],xenon\n")
    document = bytepol("parameterize", path, "--skip-errors", "--json").document
    assert [entry["name"] for entry in document["molecules"]] == ["water"]
    assert [entry["name"] for entry in document["failed"]] == ["methyl", "xenon"]
    assert "Xe" in document["failed"][1]["error"]


def test_output_is_not_replaced_without_force(bytepol, tmp_path):
    output = tmp_path / "out.json"
    output.write_text("mine")
    finished = bytepol("parameterize", "O", "--output", output)
    assert finished.code == 1
    assert finished.messages.startswith("OutputExistsError")
    assert output.read_text() == "mine"
    assert bytepol("parameterize", "O", "--output", output, "--force").code == 0
    assert json.loads(output.read_text())["molecules"][0]["name"] == "O"


def test_sdf_keeps_atom_order(bytepol, tmp_path):
    molecule = Molecule.from_mapped_smiles("[H:1][C:2]([H:4])([H:5])[O:3][H:6]")
    molecule.name = "methanol"
    molecule.generate_conformers(n_conformers=1)
    path = tmp_path / "methanol.sdf"
    molecule.to_file(str(path), "SDF")
    (entry,) = bytepol("parameterize", path, "--json").document["molecules"]
    assert entry["name"] == "methanol"
    assert entry["parameters"]["atomic_numbers"] == [1, 6, 8, 1, 1, 1]


def test_sdf_without_hydrogens(bytepol, tmp_path):
    from rdkit import Chem

    path = tmp_path / "bare.sdf"
    with Chem.SDWriter(str(path)) as writer:
        writer.write(Chem.MolFromSmiles("CCO"))
    finished = bytepol("parameterize", path)
    assert finished.code == 1
    assert finished.messages.startswith("MissingHydrogensError")


def test_pdb_needs_templates(bytepol, tmp_path):
    molecule = Molecule.from_smiles("CC(C)=O")
    molecule.generate_conformers(n_conformers=1)
    path = tmp_path / "acetone.pdb"
    molecule.to_file(str(path), "PDB")
    finished = bytepol("parameterize", path)
    assert finished.code == 1
    assert "--template" in finished.messages
    (entry,) = bytepol("parameterize", path, "-t", "CC(C)=O", "--json").document["molecules"]
    assert sorted(entry["parameters"]["atomic_numbers"]) == [1] * 6 + [6] * 3 + [8]
    finished = bytepol("parameterize", path, "-t", "CCO")
    assert finished.code == 1
    assert "CCO" in finished.messages


@pytest.mark.parametrize("text", ["nowhere.sdf", "not a smiles", "C1CC"])
def test_unreadable_input(bytepol, text):
    finished = bytepol("parameterize", text)
    assert finished.code == 1
    assert text in finished.messages
