from __future__ import annotations

import numpy as np
import pytest
import torch
from rdkit import Chem

from openff_bytepol.exceptions import ModelError
from openff_bytepol.graph import batch_graphs
from openff_bytepol.nn.model import Model
from openff_bytepol.uncertainty.energies import dimer_disagreement, monomer_members
from openff_bytepol.uncertainty.ensemble import (
    SCALES,
    describe_molecules,
    disagreement_score,
    parameter_disagreement,
)
from openff_bytepol.uncertainty.environments import environment_codes, unknown_fractions
from openff_bytepol.uncertainty.laplace import LastLayerLaplace, last_layer_gradients
from openff_bytepol.uncertainty.scores import molecule_scores

SMILES = ["CCO", "O", "CC(=O)[O-]", "c1ccncc1"]
WATER = "[O:1]([H:2])[H:3]"
FIRST = (0, 0, 0, 0.96, 0, 0, -0.24, 0.93, 0)
DIMERS = [
    {
        "smiles_a": WATER,
        "smiles_b": WATER,
        "coordinates": [*FIRST, 2.6 + x, 0, 0, 3.2 + x, 0.76, 0.1, 3.2 + x, -0.76, 0.1],
        "total": -2.0,
    }
    for x in (0.0, 0.2, 0.4, 0.6)
]


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(n_members=3, seed=5).eval()


def test_identical_members_do_not_disagree(model):
    same = Model.from_members([model.member(0), model.member(0)])
    found = describe_molecules(same, SMILES)
    assert set(found.disagreement) == set(SCALES)
    assert np.allclose(disagreement_score(found.disagreement), 0.0, atol=1e-5)


def test_disagreement_is_the_largest_deviation(model):
    found = describe_molecules(model, SMILES, batch_size=2)
    for place, smiles in enumerate(SMILES):
        members = model.predict_members([smiles])[0]
        charges = members.charges.std(0).max()
        assert found.disagreement["charges"][place] == pytest.approx(float(charges), abs=1e-4)
        logs = members.c6.log().std(0).max()
        assert found.disagreement["c6"][place] == pytest.approx(float(logs), abs=1e-4)
        own = parameter_disagreement(members)
        assert float(own["proper_k"][0]) == pytest.approx(
            found.disagreement["proper_k"][place], abs=1e-3
        )
    assert found.disagreement["proper_k"][SMILES.index("O")] == 0.0


def test_batches_do_not_matter(model):
    one, many = (describe_molecules(model, SMILES, batch_size=n) for n in (1, 10))
    assert np.allclose(one.latent, many.latent, atol=1e-5)
    assert one.latent.std(0).max() > 0.0
    for name, values in one.disagreement.items():
        assert np.allclose(values, many.disagreement[name], atol=1e-4)


def test_single_models_have_no_disagreement(model):
    single = model.member(0)
    assert describe_molecules(single, SMILES).disagreement == {}
    with pytest.raises(ModelError, match="ensemble"):
        disagreement_score({})
    scores = molecule_scores(single, SMILES, ["CCO"], estimator="latent")
    assert scores.uncertainty[0] == pytest.approx(0.0, abs=1e-3)
    assert (scores.uncertainty[1:] > 0.01).all()


@pytest.mark.parametrize("estimator", ["ensemble", "latent", "fingerprint", "novelty"])
def test_estimators(model, estimator):
    scores = molecule_scores(model, SMILES, ["CCO"], estimator=estimator)
    assert scores.uncertainty.shape == (len(SMILES),)
    assert (scores.uncertainty >= 0.0).all()
    if estimator != "ensemble":
        assert scores.uncertainty[0] == scores.uncertainty.min()


def test_environments_do_not_depend_on_order_or_batch(model):
    mol = Chem.AddHs(Chem.MolFromSmiles("CC(=O)Nc1ccccc1"))
    order = np.random.default_rng(0).permutation(mol.GetNumAtoms()).tolist()
    graphs = [model.build_graph(m) for m in (mol, Chem.RenumberAtoms(mol, order))]
    codes = [environment_codes(graph) for graph in graphs]
    assert torch.equal(codes[0][order], codes[1])
    both = environment_codes(batch_graphs(graphs))
    assert torch.equal(both, torch.cat(codes))
    assert 0 <= int(both.min()) < int(both.max()) < 2**52


def test_environments_tell_atoms_apart(model):
    def codes(smiles):
        return set(environment_codes(model.build_graph(smiles)).tolist())

    assert not codes("C") & codes("N")
    assert codes("CC(=O)O") != codes("CC(=O)[O-]")
    assert codes("C=C") != codes("CC")
    assert codes("CCCCCC") == codes("CCCCCCC")


def test_unknown_fraction(model):
    known = environment_codes(model.build_graph("CCO")).unique()
    graph = batch_graphs([model.build_graph(s) for s in ("CCO", "O", "[Li+]")])
    assert unknown_fractions(graph, known).tolist() == pytest.approx([0.0, 1 / 3, 1.0])
    assert unknown_fractions(graph, known[:0]).tolist() == [1.0, 1.0, 1.0]


def test_dimers_agree_with_members_one_by_one(model):
    found = dimer_disagreement(model, DIMERS)
    singles = [dimer_disagreement(model.member(i), DIMERS) for i in range(3)]
    totals = np.array([single.mean["total"] for single in singles])
    assert found.mean["total"] == pytest.approx(totals.mean(0), rel=1e-4)
    assert found.deviation["total"] == pytest.approx(totals.std(0, ddof=1), rel=1e-3)
    assert (singles[0].deviation["total"] == 0.0).all()


def test_energies_are_relative(model):
    xyz = torch.tensor([row["coordinates"][:9] for row in DIMERS[:2]]).reshape(2, 3, 3)
    xyz[1, 1, 0] += 0.05
    found = monomer_members(model, WATER, xyz)
    assert found.energies.shape == (3, 2)
    assert found.forces.shape == (3, 2, 3, 3)
    assert np.allclose(found.energies.mean(1), 0.0, atol=1e-9)


def test_last_layer_gradients_by_finite_differences(model):
    single = model.member(0)
    gradients, _ = last_layer_gradients(single, DIMERS[:1])
    weight = single.network.charge_volume.volume.layers[-1].weight
    start = single.network.charge_volume.increment.layers[-1].weight.numel()
    step, totals = 1e-2, []
    for change in (step, -2.0 * step):
        with torch.no_grad():
            weight[0, 0, 3] += change
        totals.append(float(last_layer_gradients(single, DIMERS[:1])[1][0]))
    assert (totals[0] - totals[1]) / (2.0 * step) == pytest.approx(
        float(gradients[0, start + 3]), rel=2e-2, abs=1e-3
    )


def test_laplace_is_surer_near_what_it_has_seen(model):
    single = model.member(0)
    fitted = LastLayerLaplace.fit(single, DIMERS[:2])
    deviations = fitted.deviations(DIMERS)
    assert deviations[:2].max() < deviations[3]
    scaled = fitted.calibrated(DIMERS[2:])
    errors = last_layer_gradients(single, DIMERS[2:])[1].numpy() + 2.0
    assert np.mean((errors / scaled.deviations(DIMERS[2:])) ** 2) == pytest.approx(1.0, rel=1e-3)
    with pytest.raises(ModelError, match="single"):
        LastLayerLaplace.fit(model, DIMERS)
