"""OFFXML files for models of one's own."""

from __future__ import annotations

import pytest
from openff.toolkit import ForceField, Molecule

from openff_bytepol.exceptions import (
    HashMismatchError,
    ModelError,
    ModelNotFoundError,
    OutputExistsError,
)
from openff_bytepol.models import save_model
from openff_bytepol.nn.model import Model
from openff_bytepol.settings import NonbondedSettings
from openff_bytepol.smirnoff import write_offxml


@pytest.fixture
def directory(tmp_path):
    settings = NonbondedSettings(thole=0.5, charge_14=0.5)
    model = Model(Model().config.model_copy(update={"settings": settings}), seed=3)
    save_model(model, tmp_path / "OUT", card="A test model.")
    return tmp_path / "OUT"


def test_a_saved_model_runs_by_path(directory, monkeypatch):
    path = write_offxml(directory, directory / "forcefield.offxml")
    monkeypatch.chdir(directory.parent)
    for source in (str(path), "OUT/forcefield.offxml"):
        force_field = ForceField(source)
        interchange = force_field.create_interchange(Molecule.from_smiles("O").to_topology())
        assert interchange["BytePolNonbonded"].settings.thole == 0.5
        assert interchange["Electrostatics"].scale_14 == pytest.approx(1 / 1.2)


def test_other_weights_are_refused(directory, tmp_path):
    path = write_offxml(directory, tmp_path / "forcefield.offxml", fixed=True)
    save_model(Model(seed=4), directory, card="Another model.", overwrite=True)
    with pytest.raises(HashMismatchError, match="expected"):
        ForceField(str(path)).create_interchange(Molecule.from_smiles("O").to_topology())


def test_missing_models_are_refused(directory, tmp_path):
    path = write_offxml(directory, tmp_path / "forcefield.offxml", fixed=True)
    directory.rename(tmp_path / "elsewhere")
    with pytest.raises(ModelNotFoundError):
        ForceField(str(path)).create_interchange(Molecule.from_smiles("O").to_topology())
    with pytest.raises(ModelNotFoundError):
        write_offxml(directory, tmp_path / "new.offxml")
    assert not (tmp_path / "new.offxml").exists()


def test_files_are_not_overwritten(tmp_path):
    path = write_offxml("bytepol", tmp_path / "forcefield.offxml")
    before = path.read_text()
    with pytest.raises(OutputExistsError):
        write_offxml("bytepol", path, fixed=True)
    assert path.read_text() == before
    write_offxml("bytepol", path, fixed=True, overwrite=True)
    assert path.read_text() != before


def test_models_in_memory_cannot_be_named(tmp_path):
    with pytest.raises(ModelError, match="save_model"):
        write_offxml(Model(seed=1, name="mine"), tmp_path / "forcefield.offxml")
