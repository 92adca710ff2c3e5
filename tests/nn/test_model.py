"""Invariances and interfaces of the model, with weights large enough to notice."""

import copy
import json
import math
import pickle
import random

import pytest
import torch
from rdkit import Chem

from openff_bytepol.exceptions import ModelError, UnsupportedElementError
from openff_bytepol.graph import batch_graphs, dgl_backend
from openff_bytepol.models import load_model
from openff_bytepol.nn import Model, ModelConfig
from openff_bytepol.nn.config import ElementOverride, FixedTerms, NonbondedConfig
from openff_bytepol.nn.model import model_sha256
from openff_bytepol.nn.postprocess import symmetrize
from openff_bytepol.parameters import ATOM_PARAMETERS, TERM_PARAMETERS, ParameterSet
from openff_bytepol.settings import NonbondedSettings
from tests.factories import C8
from tests.graph.brute_force import rdkit_mol
from tests.graph.smiles import DRUG_LIKE, RINGS, SUPPORTED

FLOATS = (*ATOM_PARAMETERS, *(name for names in TERM_PARAMETERS.values() for name in names))


def lively(config=None, **options) -> Model:
    """Random model whose heads do much more than their priors."""
    model = Model(config, seed=11, **options)
    heads = ("bonded", "charge_volume", "nonbonded")
    for name, weight in model.network.named_parameters():
        if name.startswith(heads) and "free" not in name:
            weight.data.mul_(1.5)
    return model


@pytest.fixture(scope="module")
def model():
    return lively(backend="torch")


def assert_close(a: ParameterSet, b: ParameterSet, rtol=1e-5, atol=1e-6):
    for name in FLOATS:
        torch.testing.assert_close(
            getattr(a, name),
            getattr(b, name),
            rtol=rtol,
            atol=atol,
            msg=lambda m, n=name: f"{n}: {m}",
        )


def by_term(parameters: ParameterSet, index: str, order=None) -> dict:
    """Values of a kind of term by the set of its atoms in a chosen numbering."""
    terms = getattr(parameters, index)
    if order is not None:
        terms = torch.tensor(order)[terms]
    columns = [getattr(parameters, name) for name in TERM_PARAMETERS[index]]
    values = torch.stack([c.sum(dim=1) if c.dim() == 2 else c for c in columns], dim=1)
    keys = [min(tuple(t), tuple(t[::-1])) for t in terms.tolist()]
    if index == "impropers":
        keys = [(t[0], *sorted(t[1:])) for t in terms.tolist()]
    result = {}
    for key, value in zip(keys, values, strict=True):
        result[key] = result.get(key, 0) + value
    return result


@pytest.mark.parametrize("smiles", DRUG_LIKE[:6] + RINGS[:4] + ("CC(=O)[O-]", "CS(=O)C"))
def test_atom_order(model, smiles):
    mol = rdkit_mol(smiles)
    order = list(range(mol.GetNumAtoms()))
    random.Random(7).shuffle(order)
    expected, shuffled = model.predict([mol, Chem.RenumberAtoms(mol, order)])
    for name in ATOM_PARAMETERS:
        torch.testing.assert_close(
            getattr(expected, name)[order], getattr(shuffled, name), rtol=1e-5, atol=1e-6
        )
    for index in TERM_PARAMETERS:
        one, other = by_term(expected, index), by_term(shuffled, index, order)
        assert one.keys() == other.keys()
        for key, value in one.items():
            torch.testing.assert_close(value, other[key], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("smiles", SUPPORTED)
def test_equivalent_atoms_are_equal_and_charges_sum(model, smiles):
    graph = model.build_graph(smiles)
    parameters = model.predict(smiles)[0]
    for name in ATOM_PARAMETERS:
        values = getattr(parameters, name)
        for label in graph.atom_classes.unique():
            assert len(values[graph.atom_classes == label].unique()) == 1
    assert float(parameters.charges.sum()) == pytest.approx(
        int(graph.formal_charges.sum()), abs=1e-12
    )


def test_symmetrization_removes_rounding_only(model):
    """Equivalence comes from the network; averaging must not hide a broken symmetry."""
    graph = batch_graphs([model.build_graph(s) for s in (*SUPPORTED, "C[N+](=O)[O-]")])
    with torch.no_grad():
        raw = model.network(graph, "torch").to(dtype=torch.float64)
    assert_close(symmetrize(raw, graph), raw, rtol=2e-5, atol=5e-6)


def test_equivalent_terms_are_equal(model):
    parameters = model.predict("CC(=O)N(C)C")[0]
    bonds = {tuple(b): i for i, b in enumerate(parameters.bonds.tolist())}
    methyl = [parameters.bond_k[bonds[0, h]] for h in (6, 7, 8)]
    assert len({float(k) for k in methyl}) == 1
    assert parameters.improper_k[:3].unique().numel() == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Cc1ccccc1CC", "CC1=CC=CC=C1CC"),
        ("Cc1ccccc1CC", "CC=1C=CC=CC=1CC"),
        ("CS(=O)C", "C[S+]([O-])C"),
        ("CN(=O)=O", "C[N+](=O)[O-]"),
        ("CC(=O)[O-]", "CC([O-])=O"),
        ("NC(N)=[NH2+]", "NC(=[NH2+])N"),
    ],
)
def test_drawings_of_one_molecule(model, one, other):
    a, b = model.predict([one, other])
    if a.atomic_numbers.tolist() == b.atomic_numbers.tolist():
        for name in ATOM_PARAMETERS:
            values, others = getattr(a, name).sort().values, getattr(b, name).sort().values
            torch.testing.assert_close(values, others, rtol=1e-6, atol=1e-7)
    for index in ("bonds", "angles", "propers"):
        for name in TERM_PARAMETERS[index]:
            values, others = getattr(a, name).flatten(), getattr(b, name).flatten()
            torch.testing.assert_close(
                values.sort().values, others.sort().values, rtol=1e-5, atol=1e-6
            )


def test_batching_does_not_matter(model):
    together = model.predict(list(SUPPORTED))
    small = model.predict(list(SUPPORTED), batch_size=5)
    for a, b, smiles in zip(together, small, SUPPORTED, strict=True):
        assert_close(a, b, rtol=1e-6, atol=1e-6)
        assert_close(a, model.predict(smiles)[0], rtol=1e-6, atol=1e-6)
    assert model.predict([]) == []
    assert len(model.predict(s for s in ("C", "O"))) == 2


@pytest.mark.skipif(
    dgl_backend.why_unavailable(torch.device("cpu")) is not None, reason="DGL is not installed"
)
def test_both_backends_agree(model):
    graph = batch_graphs([model.build_graph(s) for s in SUPPORTED])
    double = copy.deepcopy(model).double()
    assert_close(
        double.network(graph, "dgl"), double.network(graph, "torch"), rtol=1e-10, atol=1e-10
    )
    single = [model.network(graph, b).to(dtype=torch.float64) for b in ("dgl", "torch")]
    assert_close(*single, rtol=1e-6, atol=1e-6)


def test_output_is_float64_without_gradients(model):
    assert model.training
    parameters = model.predict("CCO")[0]
    assert model.training
    for name in FLOATS:
        value = getattr(parameters, name)
        assert value.dtype == torch.float64
        assert not value.requires_grad


def test_gradients_reach_every_weight(model):
    graph = batch_graphs([model.build_graph(s) for s in (*DRUG_LIKE[:4], "CC(=O)[O-]")])
    parameters = model(graph)
    generator = torch.Generator().manual_seed(0)
    loss = sum(
        (torch.rand(value.shape, generator=generator) * value / value.detach().std()).sum()
        for value in (getattr(parameters, name) for name in FLOATS)
    )
    names, weights = zip(*model.network.named_parameters(), strict=True)
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    untouched = [n for n, g in zip(names, gradients, strict=True) if g is None or not g.any()]
    # the last bias cancels in the difference between the two directions of a bond
    assert untouched == ["charge_volume.chain.perceptron.layers.1.bias"]


def test_dropout_is_off_in_prediction():
    config = ModelConfig()
    config = config.model_copy(
        update={"transformer": config.transformer.model_copy(update={"dropout": 0.5})}
    )
    noisy = Model(config, seed=0, backend="torch")
    assert torch.equal(noisy.predict("CCO")[0].charges, noisy.predict("CCO")[0].charges)
    graph = noisy.build_graph("CCO")
    assert not torch.equal(noisy(graph).charges, noisy(graph).charges)


@pytest.mark.parametrize("mode", [None, "last", "max", "cat"])
@pytest.mark.parametrize("scale", [True, False])
def test_transformer_options(mode, scale):
    config = ModelConfig()
    transformer = config.transformer.model_copy(
        update={"jumping_knowledge": mode, "scale_by_degree": scale, "layers": 2}
    )
    model = lively(config.model_copy(update={"transformer": transformer}), backend="torch")
    a, b = model.predict(["Cc1ccccc1CC", "CC=1C=CC=CC=1CC"])
    assert_close(a, b)


class TestEnsemble:
    @pytest.fixture(scope="class")
    def members(self):
        return [Model(seed=i, backend="torch", name="m") for i in range(3)]

    @pytest.fixture(scope="class")
    def ensemble(self, members):
        return Model.from_members(members, name="three")

    def test_members_and_mean(self, ensemble, members):
        smiles = ["CC(=O)N(C)C", "[Li+]", "c1ccccc1C#N"]
        both = ensemble.predict_members(smiles)
        means = ensemble.predict(smiles)
        for i, member in enumerate(members):
            for parameters, expected in zip(both, member.predict(smiles), strict=True):
                assert parameters.n_members == 3
                assert_close(parameters.member(i), expected, rtol=1e-6, atol=1e-6)
        for parameters, mean in zip(both, means, strict=True):
            assert_close(parameters.mean(), mean, rtol=1e-12, atol=1e-12)

    def test_forward_has_a_member_axis_only_with_several_members(self, ensemble, members):
        graph = ensemble.build_graph("CCO")
        assert ensemble(graph).n_members == 3
        assert members[0](graph).n_members is None

    def test_one_member_back(self, ensemble, members):
        again = ensemble.member(1)
        assert again.sha256 == members[1].sha256
        assert ensemble.sha256 not in {m.sha256 for m in members}

    def test_only_equal_configurations(self, members):
        other = Model(ModelConfig(impropers="single"))
        with pytest.raises(ModelError, match="one and the same configuration"):
            Model.from_members([members[0], other])
        with pytest.raises(ModelError):
            Model.from_members([])
        moved = copy.deepcopy(members[0])
        moved.network.nonbonded.prior_epsilon *= 2
        with pytest.raises(ModelError, match="prior_epsilon"):
            Model.from_members([members[0], moved])

    def test_new_ensemble_starts_with_different_members(self):
        parameters = Model(n_members=2, seed=0).predict_members("CCO")[0]
        assert float((parameters.charges[0] - parameters.charges[1]).abs().max()) > 1e-5


class TestHash:
    def test_follows_weights_and_configuration(self):
        model = Model(seed=0)
        first = model.sha256
        assert first == Model(seed=0, name="other").sha256 == copy.deepcopy(model).sha256
        assert first != Model(seed=1).sha256
        settings = ModelConfig().settings.model_copy(update={"thole": 0.4})
        assert first != Model(ModelConfig(settings=settings), seed=0).sha256
        with torch.no_grad():
            next(model.parameters())[0, 0, 0] += 1e-3
        assert model.sha256 != first

    def test_survives_pickling(self):
        model = Model(seed=0)
        again = pickle.loads(pickle.dumps(model))
        assert again.sha256 == model.sha256
        assert_close(again.predict("CCO")[0], model.predict("CCO")[0], rtol=0, atol=0)


class TestConfiguredValues:
    def test_cations(self, model):
        lithium, sodium, potassium = model.predict(["[Li+]", "[Na+]", "[K+]"])
        for parameters, override in zip(
            (lithium, sodium, potassium), ModelConfig().element_overrides.values(), strict=True
        ):
            assert parameters.charges.tolist() == [1.0]
            assert float(parameters.polarizabilities) == pytest.approx(override.polarizability)
        assert float(lithium.dampings) == pytest.approx(0.2)
        assert float(potassium.dampings) == pytest.approx(0.793)

    def test_fixed_terms(self, model):
        parameters = model.predict(["F[P-](F)(F)(F)(F)F", "FS(F)(F)(F)(F)F"])
        assert set(parameters[0].bond_k.tolist()) == {1000.0}
        torch.testing.assert_close(parameters[0].bond_r0, torch.full((6,), 1.65).double())
        assert set(parameters[0].angle_k.round(decimals=4).tolist()) == {278.44}
        assert 1000.0 not in parameters[1].bond_k.tolist()

    def test_own_values(self):
        fixed = FixedTerms(smiles="O", bond_k=900.0, bond_r0=1.0, angle_k=75.0, angle_theta0=1.8)
        config = ModelConfig(
            fixed_terms=(fixed,), element_overrides={8: ElementOverride(polarizability=0.5)}
        )
        water, ether = Model(config, seed=0).predict(["O", "COC"])
        assert water.bond_k.tolist() == [900.0, 900.0]
        assert float(water.angle_theta0) == pytest.approx(1.8)
        assert float(ether.polarizabilities[1]) == 0.5
        assert 900.0 not in ether.bond_k.tolist()

    def test_elements(self):
        model = Model(ModelConfig(elements=(8, 6, 1), element_overrides={}), seed=0)
        assert model.predict("CO")[0].n_atoms == 6
        with pytest.raises(UnsupportedElementError, match="supports H, C, O"):
            model.predict("CN")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"elements": (1, 1)},
            {"elements": (1, 118)},
            {"elements": ()},
            {"transformer": {"hidden": 32}},
            {"unknown": 1},
            {"fixed_terms": [{"smiles": "O"}]},
        ],
    )
    def test_invalid_configurations(self, wrong):
        with pytest.raises(ValueError, match="validation error"):
            ModelConfig.model_validate(wrong)

    def test_configuration_survives_json(self):
        config = ModelConfig()
        assert ModelConfig.model_validate_json(config.model_dump_json()) == config

    def test_own_polarizability(self):
        """A factor on polarizabilities alone; models without it keep their hash."""
        plain = ModelConfig()
        own = NonbondedConfig(own_polarizability=True)
        config = ModelConfig(nonbonded=own)
        assert "own_polarizability" not in plain.model_dump(mode="json")["nonbonded"]
        assert ModelConfig.model_validate(config.model_dump(mode="json")) == config
        model = Model(config, seed=0)
        (before,) = model.predict(["CO"])
        with torch.no_grad():
            model.network.nonbonded.logarithm["polarizability"].layers[-1].bias += 0.5
        (after,) = model.predict(["CO"])
        for name in ("polarizabilities", "dampings"):
            ratio = getattr(after, name) / getattr(before, name)
            torch.testing.assert_close(ratio, torch.full_like(ratio, math.exp(0.5)))
        for name in ("c6", "radii", "epsilons", "charges"):
            assert torch.equal(getattr(after, name), getattr(before, name)), name

    def test_c8(self):
        """A setting that priors follow; models without it keep their hash."""
        plain, with_c8 = (
            ModelConfig(settings=C8 | {"dispersion_c8": value}) for value in (0.0, 1.8)
        )
        assert "dispersion_c8" not in plain.model_dump(mode="json")["settings"]
        assert "dispersion_c8" not in json.loads(plain.model_dump_json())["settings"]
        assert ModelConfig.model_validate_json(with_c8.model_dump_json()) == with_c8
        model = Model(with_c8, seed=0)
        state = model.network.state_dict()
        assert model_sha256(plain, state) != model_sha256(with_c8, state) == model.sha256
        (parameters,) = model.predict(["CO"])
        assert parameters.settings == NonbondedSettings(**C8)


@pytest.mark.parametrize("smiles", ["O=C=O", "CC#C", "N#Cc1ccccc1"])
def test_linear_groups_stay_within_180_degrees(smiles):
    for model in (load_model(), Model(seed=5)):
        assert model.predict(smiles)[0].angle_theta0.max() <= math.pi


def test_parameters_of_atoms_alone_are_those_of_the_whole(model):
    graph = batch_graphs([model.build_graph(s) for s in ("CCO", "F[P-](F)(F)(F)(F)F")])
    whole, atoms = model.network(graph, "torch"), model.network.without_terms(graph, "torch")
    for name in ATOM_PARAMETERS:
        assert torch.equal(getattr(atoms, name), getattr(whole, name)), name
    assert all(len(getattr(atoms, index)) == 0 for index in TERM_PARAMETERS)
    assert atoms.proper_k.shape == (1, 0, 4)
