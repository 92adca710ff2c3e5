"""Models on disk: round trips, damage, upgrades, names."""

import copy
import json
import os

import pytest
import torch

import openff_bytepol.models.storage as storage_module
from openff_bytepol.exceptions import (
    CorruptedModelError,
    HashMismatchError,
    ModelNotFoundError,
    OutputExistsError,
    UnsupportedModelError,
)
from openff_bytepol.models import list_models, load_model, predict, save_model
from openff_bytepol.models.registry import PATH_VARIABLE
from openff_bytepol.models.storage import (
    CARD_FILE,
    CONFIG_FILE,
    UPGRADES,
    WEIGHTS_FILE,
    read_model,
)
from openff_bytepol.nn import Model
from openff_bytepol.nn.model import model_sha256


@pytest.fixture(scope="module")
def model():
    model = Model(seed=4, n_members=2, name="toy")
    model.metadata = {"training": "none", "seed": 4}
    return model


@pytest.fixture
def saved(model, tmp_path):
    return save_model(model, tmp_path / "deep" / "toy", "# Toy\n")


def edit_header(directory, **changes):
    path = directory / CONFIG_FILE
    header = json.loads(path.read_text())
    header.update(changes)
    path.write_text(json.dumps(header))


def truncate(directory, length):
    path = directory / WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:length])


def flip_last_byte(directory):
    path = directory / WEIGHTS_FILE
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_round_trip(model, saved):
    again = read_model(saved, expected_sha256=model.sha256.upper())
    assert again.sha256 == model.sha256
    assert again.config == model.config
    assert (again.name, again.n_members, again.metadata) == ("toy", 2, model.metadata)
    assert not again.training
    assert torch.equal(again.predict("CCO")[0].charges, model.predict("CCO")[0].charges)
    assert sorted(f.name for f in saved.iterdir()) == sorted((CARD_FILE, CONFIG_FILE, WEIGHTS_FILE))
    assert (saved / CARD_FILE).read_text() == "# Toy\n"
    assert [f.name for f in saved.parent.iterdir()] == ["toy"]


def test_header_describes_the_model(model, saved):
    header = json.loads((saved / CONFIG_FILE).read_text())
    assert header["format_version"] == 1
    assert header["sha256"] == model.sha256
    assert header["config"]["elements"][:3] == [1, 3, 6]
    assert header["config"]["settings"]["charge_14"] == pytest.approx(1 / 1.2)
    assert header["created"].endswith("+00:00")


def test_double_precision_weights(tmp_path):
    model = Model(seed=4).double()
    again = read_model(save_model(model, tmp_path / "double"))
    assert again.sha256 == model.sha256
    assert next(again.parameters()).dtype == torch.float64


def test_no_overwriting_unless_asked(model, saved):
    before = (saved / WEIGHTS_FILE).read_bytes()
    with pytest.raises(OutputExistsError, match="overwrite=True"):
        save_model(Model(seed=5), saved)
    assert (saved / WEIGHTS_FILE).read_bytes() == before
    other = Model(seed=5, name="new")
    save_model(other, saved, overwrite=True)
    assert read_model(saved).sha256 == other.sha256


def test_directories_that_are_not_models_are_never_replaced(model, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(OutputExistsError, match="choose another directory"):
        save_model(model, tmp_path, overwrite=True)
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_failure_leaves_nothing_behind(model, saved, monkeypatch):
    def no_space(_):
        raise OSError("no space left on device")

    monkeypatch.setattr(storage_module, "save_tensors", no_space)
    with pytest.raises(OSError, match="no space"):
        save_model(model, saved, overwrite=True)
    with pytest.raises(OSError, match="no space"):
        save_model(model, saved.parent / "second")
    assert [f.name for f in saved.parent.iterdir()] == ["toy"]
    assert read_model(saved).sha256 == model.sha256


def test_metadata_that_json_cannot_hold_leave_nothing_behind(model, tmp_path):
    broken = copy.deepcopy(model)
    broken.metadata = {"weights": torch.zeros(2)}
    with pytest.raises(TypeError):
        save_model(broken, tmp_path / "broken")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "error", "words"),
    [
        (lambda d: (d / CONFIG_FILE).unlink(), ModelNotFoundError, "holds no model"),
        (
            lambda d: (d / WEIGHTS_FILE).unlink(),
            ModelNotFoundError,
            "weights.safetensors is missing",
        ),
        (lambda d: (d / CONFIG_FILE).write_text("{"), CorruptedModelError, "not valid JSON"),
        (lambda d: (d / CONFIG_FILE).write_text("[]"), CorruptedModelError, "not a JSON object"),
        (lambda d: (d / CONFIG_FILE).write_text("{}"), CorruptedModelError, "format_version"),
        (
            lambda d: (d / CONFIG_FILE).write_bytes(b"\xff\xfe"),
            CorruptedModelError,
            "not valid JSON",
        ),
        (
            lambda d: edit_header(d, format_version=99),
            UnsupportedModelError,
            "upgrade openff-bytepol",
        ),
        (
            lambda d: edit_header(d, config={"x": 1}),
            CorruptedModelError,
            "not a valid model config",
        ),
        (
            lambda d: edit_header(d, n_members="two"),
            CorruptedModelError,
            "not a valid model config",
        ),
        (lambda d: edit_header(d, n_members=3), CorruptedModelError, "do not fit"),
        (lambda d: edit_header(d, sha256="0" * 64), CorruptedModelError, "was altered"),
        (lambda d: truncate(d, 1000), CorruptedModelError, "truncated"),
        (lambda d: truncate(d, 0), CorruptedModelError, "truncated"),
        (flip_last_byte, CorruptedModelError, "was altered"),
    ],
)
def test_damaged_models(saved, damage, error, words):
    damage(saved)
    with pytest.raises(error, match=words) as caught:
        read_model(saved)
    assert str(saved) in str(caught.value)


def test_changed_configuration_is_noticed(saved):
    header = json.loads((saved / CONFIG_FILE).read_text())
    header["config"]["settings"]["thole"] = 0.5
    edit_header(saved, config=header["config"])
    with pytest.raises(CorruptedModelError, match="was altered"):
        read_model(saved)


def test_unexpected_hash(saved, model):
    for read in (read_model, load_model):
        with pytest.raises(HashMismatchError, match=f"'toy'.*{model.sha256}"):
            read(saved, expected_sha256="ab" * 32)


def test_older_formats_are_upgraded(saved, monkeypatch):
    header = json.loads((saved / CONFIG_FILE).read_text())
    config = dict(header["config"])
    config["torsions"] = config.pop("impropers")
    edit_header(saved, format_version=0, config=config, sha256="of the old format")

    def upgrade(header, state):
        config = dict(header["config"])
        config["impropers"] = config.pop("torsions")
        sha256 = model_sha256(type(read.config).model_validate(config), state)
        return header | {"format_version": 1, "config": config, "sha256": sha256}, state

    read = Model(seed=0)
    with pytest.raises(UnsupportedModelError):
        read_model(saved)
    monkeypatch.setitem(UPGRADES, 0, upgrade)
    assert read_model(saved).config.impropers == "trefoil"


class TestNames:
    def test_shipped(self):
        models = list_models()
        assert models["bytepol"] == models["bytepol-1.0"]
        model = load_model()
        assert model is load_model("bytepol-1.0") is load_model(model)
        assert model.name == "bytepol-1.0"
        assert predict("CCO")[0].n_atoms == 9

    def test_user_models(self, saved, model, tmp_path, monkeypatch):
        other = save_model(Model(seed=6, name="other"), tmp_path / "elsewhere" / "bytepol-1.0")
        path = os.pathsep.join([str(tmp_path / "missing"), str(saved.parent), str(other.parent)])
        monkeypatch.setenv(PATH_VARIABLE, path)
        assert load_model("toy").sha256 == model.sha256
        assert load_model().name == "other"
        assert list_models()["bytepol"] == other

    def test_by_path_and_reread_after_a_change(self, saved, model):
        assert load_model(saved) is load_model(str(saved))
        save_model(Model(seed=9, name="changed"), saved, overwrite=True)
        assert load_model(saved).name == "changed"

    @pytest.mark.parametrize("name", ["no-such-model", "/no/such/directory"])
    def test_unknown(self, name):
        with pytest.raises(ModelNotFoundError, match=f"'{name}'.*bytepol-1.0.*{PATH_VARIABLE}"):
            load_model(name)
