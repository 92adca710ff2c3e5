from __future__ import annotations

import itertools

import numpy as np
import pytest

from active_learning.config import AcquisitionConfig
from active_learning.labelling import LabelJob
from active_learning.selection import (
    CostModel,
    Problem,
    rbf_kernel,
    select,
    tanimoto_kernel,
    vendi_score,
)
from active_learning.selection.costs import records_of, size_of
from active_learning.selection.diversity import Space
from active_learning.selection.kernels import fingerprints, vendi_after_each


def problem(count: int = 30, known: int = 0, seed: int = 0) -> Problem:
    generator = np.random.default_rng(seed)
    points = generator.normal(size=(count, 3))
    labelled = generator.normal(size=(known, 3))
    return Problem(
        uncertainty=generator.uniform(0.5, 1.0, count),
        cost=generator.uniform(0.5, 2.0, count),
        records=np.full(count, 2),
        kernel=rbf_kernel(points, points, 1.0),
        known=rbf_kernel(points, labelled, 1.0),
        known_kernel=rbf_kernel(labelled, labelled, 1.0),
    )


def test_vendi_score_counts_kinds():
    assert vendi_score(np.eye(5)) == pytest.approx(5.0)
    assert vendi_score(np.ones((5, 5))) == pytest.approx(1.0)
    pairs = np.kron(np.eye(3), np.ones((2, 2)))
    for order in (0.5, 1.0, 2.0, 3.0, np.inf):
        assert vendi_score(pairs, order) == pytest.approx(3.0)
    uneven = np.zeros((4, 4))
    uneven[:3, :3], uneven[3, 3] = 1.0, 1.0
    scores = [vendi_score(uneven, order) for order in (0.5, 1.0, 2.0, 5.0)]
    assert scores == sorted(scores, reverse=True)
    assert scores[1] == pytest.approx(np.exp(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25))))


@pytest.mark.parametrize("order", [1.0, 2.0, 0.5])
def test_vendi_after_each(order):
    kernel = problem(8).kernel
    after = vendi_after_each(kernel[:5, :5], kernel[5:, :5], order)
    direct = [vendi_score(kernel[np.ix_(s, s)], order) for s in ([*range(5), i] for i in (5, 6, 7))]
    assert after == pytest.approx(direct, rel=1e-9)


@pytest.mark.parametrize(
    "strategy", ["random", "uncertainty", "k_center", "determinantal", "vendi"]
)
def test_budget_is_kept_and_used(strategy):
    data = problem(known=4)
    chosen = select(data, AcquisitionConfig(strategy=strategy), 6.0, 14, seed=1)
    picks = [step.candidate for step in chosen]
    assert len(set(picks)) == len(picks)
    assert data.cost[picks].sum() <= 6.0 + 1e-9
    assert data.records[picks].sum() <= 14
    left = 6.0 - data.cost[picks].sum()
    rest = np.setdiff1d(np.arange(30), picks)
    assert len(picks) == 7 or data.cost[rest].min() > left
    again = select(data, AcquisitionConfig(strategy=strategy), 6.0, 14, seed=1)
    assert again == chosen


def test_uncertainty_per_cost_comes_first():
    data = problem()
    chosen = select(data, AcquisitionConfig(strategy="uncertainty"), 1e9, 20, seed=1)
    expected = np.argsort(-data.uncertainty / data.cost)[:10]
    assert [step.candidate for step in chosen] == expected.tolist()


def test_random_depends_on_the_seed_only():
    config = AcquisitionConfig(strategy="random")
    one = select(problem(), config, 1e9, 20, seed=1)
    assert one != select(problem(), config, 1e9, 20, seed=2)


def test_each_step_takes_the_largest_growth_of_the_determinant():
    data = problem(9, known=3)
    config = AcquisitionConfig(strategy="determinantal", uncertainty_power=0.0, cost_power=0.0)
    chosen = [s.candidate for s in select(data, config, 1e9, 8, seed=0)]
    full = np.block([[data.known_kernel, data.known.T], [data.known, data.kernel]])
    taken = [0, 1, 2]
    for pick in chosen:
        values = {
            i: np.linalg.det(full[np.ix_([*taken, i + 3], [*taken, i + 3])])
            for i in range(9)
            if i + 3 not in taken
        }
        assert values[pick] == pytest.approx(max(values.values()), rel=1e-6)
        taken.append(pick + 3)


def test_k_center_avoids_what_is_labelled():
    points = np.array([[0.0], [0.1], [5.0], [5.1], [10.0]])
    data = Problem(
        np.ones(5), np.ones(5), np.ones(5, dtype=int), rbf_kernel(points, points, 1.0),
        rbf_kernel(points, points[:1], 1.0), np.ones((1, 1)),
    )  # fmt: skip
    chosen = select(data, AcquisitionConfig(strategy="k_center"), 1e9, 2, seed=0)
    picks = {s.candidate for s in chosen}
    assert 4 in picks
    assert len(picks & {2, 3}) == 1


def test_greedy_vendi_comes_near_the_best_set():
    data = problem(10, seed=4)
    config = AcquisitionConfig(strategy="vendi", uncertainty_power=0.0, cost_power=0.0)
    picks = [s.candidate for s in select(data, config, 1e9, 6, seed=0)]
    best = max(vendi_score(data.kernel[np.ix_(s, s)]) for s in itertools.combinations(range(10), 3))
    assert vendi_score(data.kernel[np.ix_(picks, picks)]) > 0.95 * best


def test_space_keeps_the_numbers_of_the_whole_set():
    smiles = ["C" * n + "O" for n in range(1, 9)]
    config = AcquisitionConfig(strategy="k_center", kernel="fingerprint", shortlist=3)
    space = Space.of_molecules(config, smiles, np.zeros((8, 4)), ["CO"], np.zeros((1, 4)))
    uncertainty = np.array([0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.1, 0.1])
    ones = np.ones(8)
    chosen = space.select(uncertainty, ones, ones.astype(int), 1e9, 8, seed=0)
    assert {step.candidate for step in chosen} == {1, 3, 5}


def test_tanimoto():
    prints = fingerprints(["CCO", "CCO", "c1ccccc1"])
    kernel = tanimoto_kernel(prints, prints)
    assert kernel[0, 1] == kernel[2, 2] == pytest.approx(1.0)
    assert kernel[0, 2] < 0.2


def job(count: int = 1, smiles: str = "[C:1]([H:2])([H:3])([H:4])[H:5]", **changes) -> LabelJob:
    values = {"kind": "monomer", "level": "sapt0/x", "smiles": (smiles,), "charges": (0,)}
    return LabelJob(**(values | {"coordinates": np.zeros((count, 5, 3))} | changes))


def test_sizes_and_records():
    assert size_of(["C"]) == size_of([job().smiles[0]]) == 14 + 4 * 5
    assert records_of(job(4)) == 4
    assert records_of(job(kind="torsion", dihedral=(0, 1, 2, 3), spacing=15.0)) == 24


def test_costs_are_learned():
    before = CostModel().predict(job())
    after = CostModel((job(), 100.0 * before) for _ in range(20))
    assert after.predict(job()) == pytest.approx(100.0 * before, rel=0.15)
    assert after.predict(job(3)) == pytest.approx(3 * after.predict(job()))
    one = CostModel([(job(), 100.0 * before)]).predict(job())
    assert before < one < 100.0 * before
    assert CostModel().predict(job(), "gfn2-xtb") < 0.01 * before
    assert after.describe()["sapt0/x monomer"]["records"] == 20
