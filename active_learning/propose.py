"""From a pool of molecules to the jobs of a round: score, simulate, choose."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from active_learning.candidates.dimers import cut_dimers
from active_learning.candidates.geometries import (
    KnownGeometries,
    geometry_vector,
    monomer_job,
    torsion_jobs,
)
from active_learning.candidates.pools import build_pool
from active_learning.context import Context, write_json
from active_learning.dataset import read_replay
from active_learning.labelling.base import LabelJob
from active_learning.selection.costs import records_of, size_of
from active_learning.selection.diversity import Space
from openff_bytepol.exceptions import BytePolError, ChemistryError, DataError
from openff_bytepol.nn.model import Model
from openff_bytepol.smiles import canonical_smiles
from openff_bytepol.smirnoff.writing import write_offxml
from openff_bytepol.training.labels import geometries
from openff_bytepol.uncertainty.calibration import read_calibration
from openff_bytepol.uncertainty.energies import dimer_disagreement
from openff_bytepol.uncertainty.laplace import LastLayerLaplace
from openff_bytepol.uncertainty.make import sample_rows
from openff_bytepol.uncertainty.scores import molecule_scores

FloatArray = NDArray[np.float64]
_ENERGY_SCALE: Final = 0.5
"""Disagreement on a dimer counts relative to this plus a tenth of its energy, kcal/mol."""
_LAPLACE_DIMERS: Final = 500
"""Earlier dimers that the last-layer Laplace of a single model is fitted to."""
_KNOWN_LIMIT: Final = 300
"""Labelled molecules that diversity is measured against, drawn at random if more."""


def make_pool(context: Context) -> dict[str, Any]:
    """Read and enumerate the pools once; ``pool.json``."""
    model = context.load(context.working_model(1))
    pool = build_pool(context.config, lambda smiles: _covers(model, smiles))
    if not pool.molecules:
        raise DataError(f"the pools hold no usable molecule: {pool.dropped}")
    write_json(context.folder / "pool.json", [list(m) for m in pool.molecules])
    context.log(0, f"{len(pool.molecules)} molecules in the pool")
    return {"molecules": len(pool.molecules), "dropped": pool.dropped}


def _covers(model: Model, smiles: str) -> bool:
    try:
        model.build_graph(smiles)
    except ChemistryError:
        return False
    return True


def read_pool(context: Context) -> list[tuple[str, str]]:
    """SMILES and source of every molecule of the pool."""
    return [tuple(m) for m in json.loads((context.folder / "pool.json").read_text())]


def labelled_smiles(context: Context) -> list[str]:
    """Molecules of earlier training and of this campaign's results, sorted."""
    found = {s for part in read_replay(context.config).values() for s in part.smiles()}
    for stored in context.state.jobs():
        if stored.status.state == "complete":
            found |= {canonical_smiles(s) for s in stored.job.smiles}
    return sorted(found)


def score_pool(context: Context, number: int) -> dict[str, Any]:
    """Uncertainty and latent vectors of the pool and the labelled; ``scores.npz``."""
    stored = context.working_model(number)
    model = context.load(stored)
    calibration = read_calibration(context.directory(stored), stored.sha256)
    smiles = [s for s, _ in read_pool(context)]
    known = [s for s in labelled_smiles(context) if _covers(model, s)]
    if len(known) > _KNOWN_LIMIT:
        generator = np.random.default_rng(context.config.seed)
        known = sorted(generator.choice(known, _KNOWN_LIMIT, replace=False).tolist())
    scores = molecule_scores(
        model,
        smiles,
        known,
        estimator=context.config.acquisition.estimator,
        scales=calibration.scales if calibration else None,
    )
    path = context.round_folder(number) / "scores.npz"
    partial = path.with_name("scores.partial.npz")
    np.savez_compressed(
        partial, uncertainty=scores.uncertainty, torsion=scores.torsion, latent=scores.latent,
        known=np.array(known, dtype=str), known_latent=scores.known_latent,
    )  # fmt: skip
    partial.replace(path)
    quantiles = np.quantile(scores.uncertainty, [0.5, 0.9, 0.99])
    return {"quantiles": dict(zip(("50%", "90%", "99%"), quantiles.tolist(), strict=True))}


def read_scores(folder: Path) -> dict[str, Any]:
    """Arrays that `score_pool` left."""
    with np.load(folder / "scores.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def choose_molecules(context: Context, number: int) -> dict[str, Any]:
    """Choose molecules for monomers and torsions, and take down their jobs."""
    context.state.drop_open_jobs(number, ("monomer", "torsion"))
    config, scores = context.config, read_scores(context.round_folder(number))
    pool, costs = read_pool(context), context.cost_model()
    taken = {
        (s.job.kind, canonical_smiles(s.job.smiles[0]))
        for s in context.state.jobs()
        if s.job.kind != "dimer"
    }
    taken |= {
        ("monomer", row["smiles"])
        for part in read_replay(config).values()
        for row in part.molecules
    }
    summary: dict[str, Any] = {"spent": {}, "left_out": {}}
    shape = config.candidates.geometries
    records = {
        "monomer": shape.conformers * (1 + len(shape.distortions)),
        "torsion": shape.torsions_per_molecule * max(1, round(360.0 / shape.torsion_spacing)),
    }
    for kind in ("monomer", "torsion"):
        share = config.acquisition.shares.get(kind, 0.0)
        if not share:
            continue
        key = "uncertainty" if kind == "monomer" else "torsion"
        open_ = np.array(
            [i for i, (s, _) in enumerate(pool) if (kind, s) not in taken and _fits(kind, s)],
            dtype=np.int64,
        )
        level = context.cost_levels[kind]
        cost = np.array(
            [records[kind] * costs.per_record(level, kind, size_of([pool[i][0]])) for i in open_]
        )
        space = Space.of_molecules(
            config.acquisition, [pool[i][0] for i in open_], scores["latent"][open_],
            scores["known"].tolist(), scores["known_latent"],
        )  # fmt: skip
        core_hours, n_records = budget_left(context, number, share)
        chosen = space.select(
            scores[key][open_], cost, np.full(len(open_), records[kind]),
            core_hours, n_records, seed=config.seed + number,
        )  # fmt: skip
        jobs: list[tuple[LabelJob, dict[str, Any], float]] = []
        for step in chosen:
            place = int(open_[step.candidate])
            smiles, source = pool[place]
            info = {
                "molecules": [smiles], "source": source, "score": step.score, "gain": step.gain,
                "uncertainty": float(scores[key][place]), "strategy": config.acquisition.strategy,
            }  # fmt: skip
            try:
                made = (
                    [monomer_job(smiles, config.labels.levels[kind], shape, config.seed)]
                    if kind == "monomer"
                    else torsion_jobs(smiles, config.labels.levels[kind], shape, config.seed)
                )
            except DataError as error:
                summary["left_out"][smiles] = str(error)
                continue
            jobs += [(job, info, costs.predict(job, level)) for job in made]
        context.state.add_jobs(number, jobs)
        summary["spent"][kind] = sum(cost for _, _, cost in jobs)
        summary[kind] = len(jobs)
    context.log(number, f"{summary.get('monomer', 0)} monomers, {summary.get('torsion', 0)} scans")
    return summary


def _fits(kind: str, smiles: str) -> bool:
    return kind == "monomer" or bool(geometries.rotatable_bonds(geometries.hydrogenated(smiles)))


def budget_left(context: Context, number: int, share: float) -> tuple[float, int]:
    """Core-hours and records for a share of this round: what is left over the rounds left."""
    budget, jobs = context.config.budget, context.state.jobs()
    measured = {r["job_id"]: r["core_hours"] for r in context.state.results()}
    earlier = [s for s in jobs if s.round < number and s.status.state != "failed"]
    dry = context.cost_levels != context.config.labels.levels
    spent = sum(
        s.predicted_core_hours if dry else measured.get(s.job.id, s.predicted_core_hours)
        for s in earlier
    )
    used = sum(records_of(s.job) for s in earlier)
    rounds = max(1, context.config.rounds - number + 1)
    return (
        share * max(0.0, budget.core_hours - spent) / rounds,
        int(share * max(0, budget.records - used) / rounds),
    )


def propose_dimers(context: Context, number: int) -> dict[str, Any]:
    """Simulate mixtures of the chosen molecules with the current model; ``dimers.json``."""
    config, shape = context.config, context.config.candidates.dimers
    folder = context.round_folder(number)
    if not config.acquisition.shares.get("dimer"):
        write_json(folder / "dimers.json", [])
        return {"candidates": 0}
    force_field = write_offxml(
        context.directory(context.working_model(number)), folder / "current.offxml",
        constraints=context.constraints, overwrite=True,
    )  # fmt: skip
    known = _known_dimers(context)
    found: list[dict[str, Any]] = []
    failures: dict[str, str] = {}
    for index, mixture in enumerate(_mixtures(context, number)):
        try:
            dimers = cut_dimers(
                mixture, force_field, config.labels.levels["dimer"], shape, known,
                seed=config.seed + 1000 * number + index,
            )  # fmt: skip
        except BytePolError as error:
            failures[" + ".join(mixture)] = str(error)
            continue
        found += [
            {"job": d.job.to_dict(), "smiles": list(d.smiles), "source": d.source} for d in dimers
        ]
        context.say(f"round {number}: {len(dimers)} dimers of {' + '.join(mixture)}")
    write_json(folder / "dimers.json", found)
    for mixture_name, reason in failures.items():
        context.log(number, f"no dimers of {mixture_name}: {reason}")
    return {"candidates": len(found), "failures": failures}


def _mixtures(context: Context, number: int) -> list[tuple[str, ...]]:
    """The round's most uncertain molecules by themselves and with each partner, in turn."""
    shape = context.config.candidates.dimers
    jobs = context.state.jobs(number)
    chosen = list(dict.fromkeys(str(s.info["molecules"][0]) for s in jobs))
    if not chosen:
        order = np.argsort(-read_scores(context.round_folder(number))["uncertainty"])
        pool = read_pool(context)
        chosen = [pool[i][0] for i in order[: shape.mixtures]]
    partners = [canonical_smiles(p) for p in shape.partners]
    mixtures: list[tuple[str, ...]] = []
    for smiles in chosen:
        mixtures.append((smiles,))
        mixtures += [(smiles, partner) for partner in partners if partner != smiles]
    return mixtures[: shape.mixtures]


def _known_dimers(context: Context) -> KnownGeometries:
    """Geometries of all dimers chosen so far."""
    known = KnownGeometries()
    for stored in context.state.jobs():
        if stored.job.kind == "dimer":
            mols = [geometries.from_mapped_smiles(s) for s in stored.job.smiles]
            numbers = [a.GetAtomicNum() for mol in mols for a in mol.GetAtoms()]
            names = [canonical_smiles(s) for s in stored.job.smiles]
            known.add(names, geometry_vector(numbers, stored.job.coordinates[0]))
    return known


def choose_dimers(context: Context, number: int) -> dict[str, Any]:
    """Score the proposed dimers by the ensemble, choose, and take down their jobs."""
    context.state.drop_open_jobs(number, ("dimer",))
    config = context.config
    proposed = json.loads((context.round_folder(number) / "dimers.json").read_text())
    if not proposed:
        return {"dimer": 0}
    model = context.load(context.working_model(number))
    jobs = [LabelJob.from_dict(item["job"]) for item in proposed]
    rows = [
        {
            "smiles_a": job.smiles[0], "smiles_b": job.smiles[1],
            "coordinates": job.coordinates[0].ravel(), "place": place,
        }
        for place, job in enumerate(jobs)
    ]  # fmt: skip
    predicted = dimer_disagreement(model, rows)
    limit = config.training.targets.dimer_energy_limit
    kept = [i for i, e in enumerate(predicted.mean["total"]) if e < limit]
    places = [predicted.rows[i]["place"] for i in kept]
    total = predicted.mean["total"][kept]
    spread = predicted.deviation["total"][kept]
    if model.n_members == 1:
        spread = _laplace_deviations(context, model, [predicted.rows[i] for i in kept])
    uncertainty = spread / (_ENERGY_SCALE + 0.1 * np.abs(total))
    level, costs = context.cost_levels["dimer"], context.cost_model()
    cost = np.array([costs.predict(jobs[p], level) for p in places])
    components = np.stack([predicted.mean[n][kept] for n in ("elst+exch", "ind", "disp")], axis=1)
    space = Space.of_dimers(
        config.acquisition, model, [proposed[p]["smiles"] for p in places], components
    )
    core_hours, n_records = budget_left(context, number, config.acquisition.shares["dimer"])
    chosen = space.select(
        uncertainty, cost, np.ones(len(kept), dtype=np.int64), core_hours, n_records,
        seed=config.seed + number,
    )  # fmt: skip
    taken = [
        (
            jobs[places[step.candidate]],
            {
                "molecules": proposed[places[step.candidate]]["smiles"],
                "source": proposed[places[step.candidate]]["source"],
                "score": step.score, "gain": step.gain,
                "uncertainty": float(uncertainty[step.candidate]),
                "strategy": config.acquisition.strategy,
            },
            float(cost[step.candidate]),
        )
        for step in chosen
    ]  # fmt: skip
    context.state.add_jobs(number, taken)
    context.log(number, f"{len(taken)} of {len(proposed)} dimers")
    return {"dimer": len(taken), "spent": float(sum(c for _, _, c in taken))}


def _laplace_deviations(
    context: Context, model: Model, rows: Sequence[dict[str, Any]]
) -> FloatArray:
    """Uncertainty of a single model on dimers; the same for all where nothing was trained on."""
    covered = [
        row
        for row in read_replay(context.config)["train"].dimers
        if _covers(model, row["smiles_a"]) and _covers(model, row["smiles_b"])
    ]
    if not covered:
        return np.ones(len(rows))
    generator = np.random.default_rng(context.config.seed)
    fitted = LastLayerLaplace.fit(model, sample_rows(covered, _LAPLACE_DIMERS, generator))
    return fitted.deviations(rows)
