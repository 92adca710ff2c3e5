"""OFFXML files for models of one's own."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from openff.interchange import Interchange
from openff.toolkit import ForceField, Molecule

from openff_bytepol.exceptions import (
    ForceFieldError,
    HashMismatchError,
    ModelError,
    ModelNotFoundError,
    OutputExistsError,
)
from openff_bytepol.models import load_model, save_model
from openff_bytepol.nn import Model, ModelConfig
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import energy
from openff_bytepol.settings import NonbondedSettings
from openff_bytepol.smirnoff import write_offxml
from openff_bytepol.units import KJ_PER_KCAL
from tests.factories import C8
from tests.smirnoff.conftest import cluster
from tests.smirnoff.openmm_terms import total

SETTINGS = NonbondedSettings(thole=0.5, charge_14=0.5, **C8)


@pytest.fixture
def directory(tmp_path):
    model = Model(ModelConfig(settings=SETTINGS), seed=3)
    save_model(model, tmp_path / "OUT", card="A test model.")
    return tmp_path / "OUT"


def test_a_saved_model_runs_by_path(directory, monkeypatch):
    path = write_offxml(directory, directory / "forcefield.offxml")
    monkeypatch.chdir(directory.parent)
    for source in (str(path), "OUT/forcefield.offxml"):
        force_field = ForceField(source)
        interchange = force_field.create_interchange(Molecule.from_smiles("O").to_topology())
        assert interchange["BytePolNonbonded"].settings == SETTINGS
        assert interchange["Electrostatics"].scale_14 == pytest.approx(1 / 1.2)


def test_c8_reaches_the_energy(directory, tmp_path):
    path = write_offxml(directory, tmp_path / "forcefield.offxml", constraints=False)
    topology = cluster("CCO", "O", spacing=4.0)
    interchange = ForceField(str(path)).create_interchange(topology)
    copied = Interchange.model_validate_json(interchange.model_dump_json())
    parameters = ParameterSet.concatenate(load_model(directory).predict(list(topology.molecules)))
    assert parameters.settings == SETTINGS
    expected = energy(parameters, torch.tensor(interchange.positions.m_as("angstrom")))
    for found in (interchange, copied):
        assert total(found) == pytest.approx(float(expected.total) * KJ_PER_KCAL, abs=1e-3)


def test_c8_of_another_model_is_refused(directory, tmp_path):
    text = write_offxml(directory, tmp_path / "forcefield.offxml").read_text()
    for value, refused in (("1.8", False), ("1.7", True), ("0.0", True)):
        force_field = ForceField(text.replace('dispersion_c8="1.8"', f'dispersion_c8="{value}"'))
        with pytest.raises(ForceFieldError, match="dispersion_c8") if refused else nullcontext():
            force_field.create_interchange(Molecule.from_smiles("O").to_topology())


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
