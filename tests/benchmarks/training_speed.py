"""Dimers per second and peak memory of a training step, against a loop over dense dimers.

    python -m tests.benchmarks.training_speed [--device cuda] [--members 4]

The loop predicts and evaluates one dimer and one member after another, with full n×n
matrices and a direct solve. Every figure comes from a process of its own: a forward and a
backward pass through network and energies, CPU seconds (wall seconds on a GPU), and by how
much the largest memory grows.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch

from openff_bytepol.graph import batch_graphs
from openff_bytepol.nn.model import Model
from openff_bytepol.training.batches import to_device
from openff_bytepol.training.config import TargetConfig
from openff_bytepol.training.labels.geometries import conformers, hydrogenated
from openff_bytepol.training.molecules import MoleculeLibrary
from openff_bytepol.training.targets.dimers import collate_dimers, dimer_energies, dimer_losses
from tests.benchmarks.potentials_speed import naive_interaction
from tests.potentials import naive

MOLECULES = ("CCO", "CC(C)=O", "O", "COC(=O)OC", "c1ccccc1", "CC#N")
SIZES = (1, 4, 16, 64, 256)
LOOP = 8


def random_rows(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Rows of the dimer schema: two molecules about 6 Å apart, made-up energies."""
    from rdkit import Chem

    rng = np.random.default_rng(seed)
    mols = [hydrogenated(smiles) for smiles in MOLECULES]
    shapes = [conformers(mol, 1, 1)[0] for mol in mols]
    rows = []
    for number in range(count):
        a, b = rng.integers(len(mols), size=2)
        first, second = (shapes[i] - shapes[i].mean(0) for i in (a, b))
        moved = second + [6.0, 0.0, 0.0] + 0.3 * rng.normal(size=3)
        rows.append(
            {
                "subset": "random",
                "name": str(number),
                "smiles_a": Chem.MolToSmiles(mols[a]),
                "smiles_b": Chem.MolToSmiles(mols[b]),
                "coordinates": np.concatenate([first, moved]).ravel(),
                "weight": 1.0,
                **dict.fromkeys(("elst", "exch", "ind", "disp", "total"), -1.0),
            }
        )
    return rows


def batched_step(
    model: Model, library: MoleculeLibrary, rows: list[dict[str, Any]], device: str
) -> Callable[[], None]:
    """A step as the trainer does it, collation included."""

    def step() -> None:
        batch = to_device(collate_dimers(rows, library), device)
        parameters = model.network.without_terms(batch.graph)
        losses = dimer_losses(dimer_energies(parameters, batch), batch, TargetConfig())
        torch.stack(list(losses.values())).sum().backward()

    return step


def loop_step(
    model: Model, library: MoleculeLibrary, rows: list[dict[str, Any]]
) -> Callable[[], None]:
    """The same dimers one by one, on the CPU."""
    prepared = []
    for row in rows:
        graphs = [library.graphs[library.index(row[f"smiles_{side}"])] for side in "ab"]
        pair = model.network(batch_graphs(graphs)).member(0).to("cpu", torch.float64)
        known = [naive.separations(p) for p in (pair, *pair.split())]
        xyz = torch.tensor(row["coordinates"], dtype=torch.float64).reshape(-1, 3)
        prepared.append((graphs, xyz, known))

    def step() -> None:
        for graphs, xyz, known in prepared:
            whole = model.network(batch_graphs(graphs)).to("cpu", torch.float64)
            members = range(model.n_members)
            totals = [naive_interaction(whole.member(m), xyz, known) for m in members]
            (torch.stack(totals) + 1.0).square().sum().backward()

    return step


def measure(kind: str, size: int, members: int, device: str) -> tuple[float, float]:
    """Dimers per second and growth of memory in MiB."""
    torch.set_num_threads(1)
    model = Model(n_members=members, seed=1).to(device)
    library = MoleculeLibrary(model.build_graph, model.config.settings)
    rows = random_rows(size)
    library.add(row[f"smiles_{side}"] for row in rows for side in "ab")
    before = _memory(device)
    step = (
        loop_step(model, library, rows)
        if kind == "loop"
        else batched_step(model, library, rows, device)
    )
    step()
    clock = time.process_time if device == "cpu" else time.perf_counter
    times = []
    for _ in range(3):
        started = clock()
        step()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(clock() - started)
    return size / min(times), _memory(device) - before


def _memory(device: str) -> float:
    if device != "cpu":
        return float(torch.cuda.max_memory_allocated(device)) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    options = parser.parse_args()
    context = get_context("spawn")

    def run(kind: str, size: int, device: str) -> tuple[float, float]:
        with context.Pool(1) as pool:
            return pool.apply(measure, (kind, size, options.members, device))

    loop, growth = run("loop", LOOP, "cpu")
    print(f"loop of dense dimers: {loop:.1f} dimers/s, {growth:.0f} MiB")
    for size in options.sizes:
        rate, growth = run("batch", size, options.device)
        print(f"batch of {size}: {rate:.1f} dimers/s, {rate / loop:.1f} x, {growth:.0f} MiB")


if __name__ == "__main__":
    main()
