import openmm
import pytest
from openff.toolkit import Molecule, Topology


@pytest.mark.amber
def test_box_for_every_engine(bytepol, tmp_path):
    prefix = tmp_path / "files" / "methanol"
    arguments = ["export", "CO", "--copies", 120, "--density", 0.75, "--output", prefix]
    finished = bytepol(*arguments, "--to", "openmm,gromacs,amber", "--json")
    assert finished.code == 0, finished.messages
    files = finished.document["files"]
    assert set(files) == {"openmm", "gromacs", "amber"}
    system = openmm.XmlSerializer.deserialize((tmp_path / "files/methanol_system.xml").read_text())
    assert system.getNumParticles() == 120 * 6
    names = {type(force).__name__ for force in system.getForces()}
    assert "AmoebaMultipoleForce" in names
    assert "NonbondedForce" not in names
    again = bytepol(*arguments, "--to", "amber")
    assert again.code == 1
    assert again.messages.startswith("OutputExistsError")


def test_nothing_is_written_where_one_engine_has_files(bytepol, tmp_path):
    (tmp_path / "water.prmtop").write_text("mine")
    finished = bytepol(
        "export", "O", "--box", 30, "--to", "openmm,amber", "--output", tmp_path / "water"
    )
    assert finished.code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["water.prmtop"]


def test_fixed_charges_in_openmm(bytepol, tmp_path):
    prefix = tmp_path / "water"
    assert bytepol("export", "O", "--fixed", "--output", prefix).code == 0
    system = openmm.XmlSerializer.deserialize((tmp_path / "water_system.xml").read_text())
    assert "NonbondedForce" in {type(force).__name__ for force in system.getForces()}


def test_vacuum_to_gromacs_says_what_to_do(bytepol, tmp_path):
    finished = bytepol("export", "O", "--to", "gromacs", "--output", tmp_path / "water")
    assert finished.code == 1
    assert "\nExportError" in finished.messages
    assert "box" in finished.messages
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["CCO", "O"], "--density"),
        (["CCO", "O", "--copies", 3, "--density", 0.8], "--copies"),
        (["O", "--copies", 100, "--density", 997], "g/cm³"),
        (["O", "--box", 12], "cutoff"),
    ],
)
def test_arguments_that_do_not_fit(bytepol, tmp_path, arguments, word):
    finished = bytepol("export", *arguments, "--output", tmp_path / "x")
    assert finished.code == 1
    assert word in finished.messages
    assert not list(tmp_path.iterdir())


def test_pdb_supplies_positions_and_box(bytepol, tmp_path):
    from openff.units import Quantity

    from openff_bytepol.interop.boxes import pack_box

    water = Molecule.from_smiles("O")
    packed = pack_box([water], [210], density=0.9)
    assert isinstance(packed, Topology)
    path = tmp_path / "box.pdb"
    packed.to_file(str(path))
    finished = bytepol("export", path, "-t", "O", "--output", tmp_path / "water", "--fixed")
    assert finished.code == 0, finished.messages
    system = openmm.XmlSerializer.deserialize((tmp_path / "water_system.xml").read_text())
    assert system.getNumParticles() == 630
    edge = system.getDefaultPeriodicBoxVectors()[0].x
    assert edge == pytest.approx(packed.box_vectors[0, 0].m_as("nanometer"), abs=1e-3)
    assert isinstance(packed.box_vectors, Quantity)
