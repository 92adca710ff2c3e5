import openmm
import pytest
from openff.toolkit import ForceField, Molecule

from openff_bytepol import load_model
from openff_bytepol.cli.systems import load_force_field
from openff_bytepol.smirnoff.writing import offxml_text


def test_list_names_the_default(bytepol):
    found = {entry["name"]: entry for entry in bytepol("models", "list", "--json").document}
    assert found["bytepol"]["sha256"] == load_model("bytepol").sha256
    assert "bytepol" in bytepol("models", "list").output


def test_show_prints_the_card(bytepol):
    finished = bytepol("models", "show")
    assert finished.code == 0
    assert "bytepol-1.0" in finished.output
    assert load_model().sha256 in finished.output


def test_import_and_use_a_published_checkpoint(bytepol, reference_data, tmp_path):
    source = reference_data / "reference" / "byteff_pol_checkpoint"
    output = tmp_path / "imported"
    finished = bytepol("models", "import", source, "--output", output, "--json")
    assert finished.code == 0
    assert finished.document["config"]["settings"]["charge_14"] == 0.5
    document = bytepol("parameterize", "O", "--model", output, "--json").document
    assert document["sha256"] == finished.document["sha256"]
    again = bytepol("models", "import", source, "--output", output)
    assert again.code == 1
    assert again.messages.startswith("OutputExistsError")
    assert bytepol("models", "import", source, "--output", output, "--force").code == 0


def test_imported_force_fields_run(bytepol, reference_data, tmp_path):
    source = reference_data / "reference" / "byteff_pol_checkpoint"
    output = tmp_path / "imported"
    written = bytepol("models", "import", source, "--output", output, "--json").document
    polarizable, fixed = written["force_fields"]
    topology = Molecule.from_smiles("CCO").to_topology()
    for force_field in (*map(ForceField, (polarizable, fixed)), load_force_field(str(output))):
        assert "Constraints" not in force_field.registered_parameter_handlers
    system = (
        ForceField(polarizable)
        .create_interchange(topology)
        .to_openmm(combine_nonbonded_forces=False)
    )
    (multipoles,) = (f for f in system.getForces() if isinstance(f, openmm.CustomCVForce))
    assert multipoles.getNumCollectiveVariables() == 3
    system = ForceField(fixed).create_interchange(topology).to_openmm()
    assert any(isinstance(f, openmm.NonbondedForce) for f in system.getForces())


def test_import_of_something_else(bytepol, tmp_path):
    finished = bytepol("models", "import", tmp_path, "--output", tmp_path / "new")
    assert finished.code == 1
    assert finished.messages.startswith("ModelNotFoundError")
    assert not (tmp_path / "new").exists()


def test_offxml_of_a_model(bytepol, tmp_path):
    path = tmp_path / "mine.offxml"
    assert bytepol("models", "offxml", "bytepol", "--output", path).code == 0
    assert load_model("bytepol").sha256 in path.read_text()
    assert bytepol("models", "offxml", "bytepol", "--output", path).code == 1
    found = bytepol("models", "offxml", "bytepol", "--output", path, "--force", "--json").document
    assert found["file"] == str(path)
    assert found["sha256"] == load_model("bytepol").sha256
    assert path.read_text() == offxml_text("bytepol")
    arguments = ["models", "offxml", "bytepol", "--output", path, "--force", "--fixed"]
    assert bytepol(*arguments, "--no-constraints").code == 0
    assert path.read_text() == offxml_text("bytepol", fixed=True, constraints=False)


@pytest.mark.parametrize("command", ["show", "offxml"])
def test_unknown_model(bytepol, command, tmp_path):
    extra = ["--output", tmp_path / "x.offxml"] if command == "offxml" else []
    finished = bytepol("models", command, "nothing", *extra)
    assert finished.code == 1
    assert "nothing" in finished.messages


def test_fetch_does_not_replace_without_force(bytepol, tmp_path):
    finished = bytepol("models", "fetch", "--output", tmp_path)
    assert finished.code == 1
    assert finished.messages.startswith("OutputExistsError")
