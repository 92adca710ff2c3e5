"""Published checkpoints: equal to the original, and refused when they are not what they claim."""

import json
import math
import os
import pickle
import shutil

import pytest
import torch
import yaml

from openff_bytepol.exceptions import (
    ChemistryError,
    CorruptedModelError,
    ModelError,
    ModelNotFoundError,
    UnsupportedModelError,
)
from openff_bytepol.graph import dgl_backend
from openff_bytepol.models import fetch_byteff2, import_byteff2, save_model
from openff_bytepol.models.storage import read_model
from openff_bytepol.settings import PUBLISHED_SETTINGS

BOND_ANCHORS = (0.5, 4.0)
ANGLE_ANCHORS = (math.pi / 4, 1.05 * math.pi)
MOLECULES = (
    "ethanol", "acetone", "ethylene_carbonate", "pyridine",
    "acetate", "lithium", "hexafluorophosphate", "dmso",
)  # fmt: skip
ATOMS = {
    "PreChargeVolume.charges": "charges",
    "PreExp6Pol.c6": "c6",
    "PreExp6Pol.rvdw": "radii",
    "PreExp6Pol.alpha": "polarizabilities",
    "PreExp6Pol.pol_damping": "dampings",
    "PreExp6Pol.eps": "epsilons",
    "PreExp6Pol.lambda": "lambdas",
    "PreExp6Pol.ct_eps": "ct_epsilons",
    "PreExp6Pol.ct_lamb": "ct_lambdas",
}
BACKENDS = (
    "torch",
    pytest.param(
        "dgl",
        marks=pytest.mark.skipif(
            dgl_backend.why_unavailable(torch.device("cpu")) is not None,
            reason="DGL is not installed",
        ),
    ),
)


@pytest.fixture(scope="module")
def checkpoint(reference_data):
    return reference_data / "reference" / "byteff_pol_checkpoint"


@pytest.fixture(scope="module")
def expected(checkpoint):
    return json.loads((checkpoint / "expected.json").read_text())


@pytest.fixture(scope="module")
def model(checkpoint):
    return import_byteff2(checkpoint)


@pytest.fixture
def copied(checkpoint, tmp_path):
    directory = tmp_path / "copy"
    directory.mkdir()
    for name in ("optimal.pt", "fftrainer_config_in_use.yaml"):
        shutil.copyfile(checkpoint / name, directory / name)
    return directory


def springs(k, minimum, anchors):
    k2 = k * (minimum - anchors[0]) / (anchors[1] - anchors[0])
    return k - k2, k2


def close(values, reference, atol=0.0):
    reference = torch.tensor(reference, dtype=torch.float64).reshape(values.shape)
    torch.testing.assert_close(values, reference, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", MOLECULES)
def test_every_parameter_equals_the_original(model, expected, name, backend, monkeypatch):
    monkeypatch.setattr(model, "backend", backend)
    reference = expected[name]
    parameters = model.predict(reference["mapped_smiles"])[0]
    for index in ("bonds", "angles", "propers", "impropers"):
        assert getattr(parameters, index).tolist() == reference[f"inc_node_{index[:-1]}"]
    for original, ours in ATOMS.items():
        # charges of the original are float32 sums of formal charges and increments
        close(
            getattr(parameters, ours), reference[original], atol=1.5e-7 if ours == "charges" else 0
        )
    for term, minimum, anchors in (
        ("bond", "r0", BOND_ANCHORS),
        ("angle", "theta0", ANGLE_ANCHORS),
    ):
        k = getattr(parameters, f"{term}_k")
        pair = springs(k, getattr(parameters, f"{term}_{minimum}"), anchors)
        for value, number in zip(pair, "12", strict=True):
            close(value, reference[f"PreMMBondedConj.{term}_k{number}"])
    close(parameters.proper_k, reference["PreMMBondedConj.proper_k"])
    close(parameters.improper_k, reference["PreMMBondedConj.improper_k"])
    assert parameters.settings == PUBLISHED_SETTINGS


def test_molecules_given_otherwise(model, expected):
    """SMILES and reversed atom order give the same values at the same atoms."""
    reference = expected["pyridine"]
    parameters = model.predict(reference["smiles"])[0]
    charges = sorted(c for (c,) in reference["PreChargeVolume.charges"])
    close(parameters.charges.sort().values, charges, atol=1e-7)


def test_hexafluorophosphate_and_lithium_are_special(model):
    ion, metal = model.predict(["F[P-](F)(F)(F)(F)F", "[Li+]"])
    assert len(ion.angles) == 12
    assert set(ion.bond_k.tolist()) == {1000.0}
    assert float(metal.polarizabilities) == pytest.approx(1e-6)
    assert float(metal.dampings) == pytest.approx(0.2)
    sulfur = model.predict("FS(F)(F)(F)(F)F")[0]
    assert len(sulfur.angles) == 15


def test_linear_propers_are_zero(model):
    graph = model.build_graph("CC#N")
    parameters = model.predict("CC#N")[0]
    assert graph.proper_linear.all()
    assert torch.count_nonzero(parameters.proper_k) == 0


def test_elements(model):
    with pytest.raises(ChemistryError, match="supports H, Li, C, N, O, F, P, S, Cl, Br, I"):
        model.predict("[Na+]")


def test_saved_like_any_model(model, tmp_path):
    again = read_model(save_model(model, tmp_path / "imported"))
    assert again.sha256 == model.sha256
    assert torch.equal(again.predict("CCO")[0].c6, model.predict("CCO")[0].c6)


def test_directory_layouts(copied, model, tmp_path):
    release = tmp_path / "ByteFF-Pol-25"
    release.mkdir()
    copied.rename(release / "model")
    imported = import_byteff2(release)
    assert imported.sha256 == import_byteff2(release / "model").sha256 == model.sha256
    assert imported.name == "ByteFF-Pol-25"
    assert import_byteff2(release, name="mine").name == "mine"


def edit_yaml(directory, change):
    path = directory / "fftrainer_config_in_use.yaml"
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))


def edit_weights(directory, change):
    path = directory / "optimal.pt"
    content = torch.load(path, weights_only=True)
    change(content["model_state_dict"])
    torch.save(content, path)


def set_block(position, **options):
    return lambda c: c["model"]["ff_block"][position].update(options)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (set_block(0, type="MMBonded"), UnsupportedModelError, "MMBonded"),
        (set_block(2, type="os.system"), UnsupportedModelError, r"os\.system"),
        (set_block(2, combining_rule="GM"), UnsupportedModelError, "combining_rule is 'GM'"),
        (set_block(2, ind15=0.8), UnsupportedModelError, "ind15"),
        (set_block(2, new_option=1), UnsupportedModelError, "new_option"),
        (set_block(2, thole="x", pol_damping_factor=-1.0), UnsupportedModelError, "thole"),
        (set_block(2, pol_damping_factor=-1.0), UnsupportedModelError, "thole"),
        (set_block(0, act="sine"), UnsupportedModelError, "sine"),
        (set_block(0, pre_mlp_dims=[32]), UnsupportedModelError, "cannot be represented"),
        (lambda c: c["model"]["ff_block"].pop(), UnsupportedModelError, "MMBondedConj"),
        (
            lambda c: c["model"]["graph_block"]["gnn_layer"].update(gnn_type="GAT"),
            UnsupportedModelError,
            "gnn_type is 'GAT'",
        ),
        (
            lambda c: c["model"]["graph_block"]["gnn_layer"].update(jk="lstm"),
            UnsupportedModelError,
            "jumping_knowledge",
        ),
        (lambda c: c.pop("model"), CorruptedModelError, "not the configuration"),
        (lambda c: c["model"].pop("ff_block"), CorruptedModelError, "not the configuration"),
        (
            lambda c: c["model"]["graph_block"]["gnn_layer"].update(gnn_dims=[32, 32, 4]),
            CorruptedModelError,
            r"missing \['transformer.layers.3",
        ),
        (set_block(1, out_mlp_dims=[48, 3]), CorruptedModelError, "has shape"),
    ],
)
def test_other_configurations(copied, change, error, words):
    edit_yaml(copied, change)
    with pytest.raises(error, match=words):
        import_byteff2(copied)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda w: w.pop("graph_block.gnn_layer.gnn.lin.bias"),
            r"missing \['transformer.join.bias'",
        ),
        (lambda w: w.update({"graph_block.extra.weight": torch.zeros(1)}), r"graph_block\.extra"),
        (
            lambda w: w.update(
                {"ff_block.ff_layers.Exp6Pol.nuclear_charge.weight": torch.ones(11, 1)}
            ),
            "other elements",
        ),
        (
            lambda w: w.update({"graph_block.gnn_layer.gnn.lin.bias": torch.zeros(31)}),
            r"transformer\.join\.bias has shape",
        ),
        (lambda w: w.update({"graph_block.gnn_layer.gnn.lin.bias": "text"}), "of tensors"),
    ],
)
def test_other_weights(copied, change, words):
    edit_weights(copied, change)
    with pytest.raises(CorruptedModelError, match=words):
        import_byteff2(copied)


class Exploit:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (self.target,)


def test_pickled_code_is_not_executed(copied, tmp_path):
    target = str(tmp_path / "executed")
    torch.save({"model_state_dict": {"a": Exploit(target)}}, copied / "optimal.pt")
    with pytest.raises(CorruptedModelError, match="nothing was executed"):
        import_byteff2(copied)
    (copied / "optimal.pt").write_bytes(pickle.dumps(Exploit(target)))
    with pytest.raises(CorruptedModelError, match="nothing was executed"):
        import_byteff2(copied)
    assert not os.path.exists(target)


def test_yaml_objects_are_not_constructed(copied, tmp_path):
    target = tmp_path / "executed"
    (copied / "fftrainer_config_in_use.yaml").write_text(
        f"model: !!python/object/apply:os.mkdir ['{target}']\n"
    )
    with pytest.raises(CorruptedModelError, match="not plain YAML"):
        import_byteff2(copied)
    assert not target.exists()


@pytest.mark.parametrize("length", [0, 100, 200_000])
def test_truncated_weights(copied, length):
    path = copied / "optimal.pt"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CorruptedModelError, match="truncated"):
        import_byteff2(copied)


def test_missing_files(copied, tmp_path):
    (copied / "optimal.pt").unlink()
    for path in (copied, tmp_path / "nowhere"):
        with pytest.raises(ModelNotFoundError, match=r"optimal\.pt and fftrainer"):
            import_byteff2(path)


def test_import_writes_nothing(copied):
    before = sorted(copied.rglob("*"))
    import_byteff2(copied)
    assert sorted(copied.rglob("*")) == before


def test_download_without_connection_says_what_to_do(tmp_path, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub, "snapshot_download", unreachable)
    with pytest.raises(ModelError, match=r"huggingface\.co/ByteDance-Seed/byteff2.*import"):
        fetch_byteff2(tmp_path / "download")


def unreachable(*_, **__):
    raise OSError("network is unreachable")


def test_download_shows_the_terms_found(copied, tmp_path, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")

    def download(repository, *, revision, local_dir, allow_patterns):
        assert (repository, revision) == ("ByteDance-Seed/byteff2", "v1.1.0")
        shutil.copytree(copied, local_dir / "ByteFF-Pol-25" / "model")
        (local_dir / "LICENSE").write_text("Some terms")
        (local_dir / "README.md").write_text("license: other terms")

    monkeypatch.setattr(hub, "snapshot_download", download)
    shown = []
    directory = fetch_byteff2(tmp_path / "download", show_terms=shown.append)
    assert any("Some terms" in text for text in shown)
    assert any("other terms" in text for text in shown)
    assert import_byteff2(directory).name == "ByteFF-Pol-25"
