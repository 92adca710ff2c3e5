"""Whether molecules stay whole in molecular dynamics, in vacuum and as liquids."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from openff_bytepol.exceptions import DataError
from openff_bytepol.nn.model import Model
from openff_bytepol.properties.folder import claim, storage, write_text
from openff_bytepol.properties.stability_runs import Phase, Result, Run, Settings, simulate
from openff_bytepol.training.labels.pool import pick_diverse, read_smiles, supported

PHASES: Final[tuple[Phase, ...]] = ("gas", "liquid")
RUNS: Final = "stability"
SUMMARY_FILE: Final = "summary.json"

OnRun = Callable[[int, Run, float], Any]
"""Called with the number of runs done, the present run and its fraction done."""


def choose_runs(
    pool: Path, *, count: int, max_heavy_atoms: int, phases: Sequence[Phase], seed: int
) -> list[Run]:
    """Diverse molecules of a pool in each phase; ions in vacuum alone.

    Parameters
    ----------
    pool
        SMILES: a ``.smi`` file, or a CSV file with a ``smiles`` column.
    count
        Molecules; all that the model covers if there are fewer.
    max_heavy_atoms
        Of a molecule.
    phases
        To simulate.
    seed
        Of the choice.

    Raises
    ------
    DataError
        If the file cannot be read or holds no molecule that the model covers.
    """
    usable = sorted({c for s in read_smiles(pool) if (c := supported(s, max_heavy_atoms))})
    if not usable:
        raise DataError(
            f"{pool}: no molecule of up to {max_heavy_atoms} heavy atoms that the model covers"
        )
    chosen = pick_diverse(usable, count, seed)
    return [
        Run(smiles, phase)
        for phase in dict.fromkeys(phases)
        for smiles in chosen
        if phase == "gas" or _net_charge(smiles) == 0
    ]


def run_stability(
    runs: Sequence[Run],
    model: Model,
    settings: Settings,
    folder: Path,
    *,
    worker: int = 0,
    n_workers: int = 1,
    overwrite: bool = False,
    on_run: OnRun = lambda *_: None,
) -> list[Result]:
    """Simulate and judge; an interrupted call goes on, and results on disk are kept.

    Parameters
    ----------
    runs
        From `choose_runs`.
    model
        Of the force field, with bonds to hydrogen constrained as in ``bytepol.offxml``.
    settings
        How to simulate.
    folder
        Gets a file for each run.
    worker, n_workers
        This process takes every ``n_workers``-th run, starting at ``worker``.
    overwrite
        Make this process's results again, and replace those of other settings.
    on_run
        Told how far the work is.

    Returns
    -------
    list of Result
        Of all runs that are finished, those of other processes included.

    Raises
    ------
    EngineError
        If the platform asked for cannot be used.
    OutputExistsError
        If the folder holds results of other settings, or anything else.
    StorageError
        If the folder cannot be written.
    """
    from filelock import FileLock

    from openff_bytepol.interop.platforms import choose_platform

    choose_platform(settings.platform)
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
    request = {"model": model.sha256, **asdict(replace(settings, platform=None))}
    with FileLock(folder / ".lock"):
        claim(folder, request, overwrite=overwrite)
        (folder / RUNS).mkdir(exist_ok=True)
    mine = runs[worker::n_workers]
    for done, run in enumerate(mine):
        on_run(done, run, 0.0)
        path = _result_path(folder, run)
        if overwrite or not path.is_file():
            result = simulate(run, model, settings, partial(on_run, done, run))
            write_text(path, json.dumps(asdict(result), indent=2) + "\n")
    if mine:
        on_run(len(mine), mine[-1], 1.0)
    paths = [_result_path(folder, run) for run in runs]
    return [Result(**json.loads(path.read_text("utf-8"))) for path in paths if path.is_file()]


def summarize(runs: Sequence[Run], results: Sequence[Result]) -> dict[str, Any]:
    """Counts by phase, and all results, for JSON."""
    phases: dict[str, Any] = {}
    for phase in dict.fromkeys(run.phase for run in runs):
        found = [result for result in results if result.phase == phase]
        strains = [r.largest_strain for r in found if r.stable and r.largest_strain is not None]
        phases[phase] = {
            "stable": sum(result.stable is True for result in found),
            "unstable": sum(result.stable is False for result in found),
            "not_begun": sum(result.stable is None for result in found),
            "unfinished": sum(run.phase == phase for run in runs) - len(found),
            "largest_strain": max(strains, default=None),
            "seconds": sum(result.seconds for result in found),
        }
    return {"phases": phases, "results": [asdict(result) for result in results]}


def _net_charge(smiles: str) -> int:
    from rdkit import Chem

    return int(Chem.GetFormalCharge(Chem.MolFromSmiles(smiles)))


def _result_path(folder: Path, run: Run) -> Path:
    name = hashlib.sha256(run.smiles.encode()).hexdigest()[:16]
    return folder / RUNS / f"{name}-{run.phase}.json"
