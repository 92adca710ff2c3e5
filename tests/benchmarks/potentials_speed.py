"""Dimers per second in one batch, and in a plain loop over dimers.

    python -m tests.benchmarks.potentials_speed [--batch 64] [--threads 1]

The plain loop evaluates dense n×n matrices and a direct solve for each dimer and each
of its molecules, in one ordinary PyTorch program; both take gradients with autograd.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from openff_bytepol.parameters import ATOM_PARAMETERS, ParameterSet
from openff_bytepol.potentials import Pairs, energy_and_forces, interaction_components
from tests.potentials import naive
from tests.potentials.molecules import cluster

MOLECULES = [
    "O", "CO", "CCO", "CC(=O)C", "CC#N", "c1ccccc1", "c1ccncc1", "O=C1OCCO1", "COC(=O)OC",
    "CCOC(=O)OC", "CS(C)=O", "CC(=O)N", "CCCCO", "C1CCOC1", "CCCCCC", "c1ccc(cc1)O", "FC(F)F",
]  # fmt: skip


def make_dimers(n_dimers: int) -> list[tuple[ParameterSet, Tensor]]:
    """Different dimers of 6 to 38 atoms."""
    pairs = itertools.combinations_with_replacement(MOLECULES, 2)
    chosen = list(pairs)[:: max(1, len(MOLECULES) * (len(MOLECULES) + 1) // 2 // n_dimers)]
    return [cluster(*pair) for pair in itertools.islice(itertools.cycle(chosen), n_dimers)]


def naive_interaction(parameters: ParameterSet, x: Tensor, known: list[Tensor]) -> Tensor:
    """Energy of the dimer minus that of its molecules."""
    whole = sum(naive.nonbonded_energies(parameters, x, known[0]).values())
    for index, piece in enumerate(parameters.split()):
        own = x[parameters.molecule_index == index]
        whole = whole - sum(naive.nonbonded_energies(piece, own, known[1 + index]).values())
    return whole


def rate(function: Callable[[], object], n_dimers: int, repeats: int) -> float:
    """Dimers per second of the fastest of several runs."""
    function()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return n_dimers / min(times)


def measure(n_dimers: int, repeats: int = 15) -> dict[str, float]:
    """Dimers per second of each way, float64."""
    dimers = make_dimers(n_dimers)
    parameters = ParameterSet.concatenate([p for p, _ in dimers])
    leaves = {n: getattr(parameters, n).clone().requires_grad_(True) for n in ATOM_PARAMETERS}
    trainable = replace(parameters, **leaves)
    coordinates = torch.cat([x for _, x in dimers])
    pairs = Pairs.concatenate([Pairs.from_parameters(p) for p, _ in dimers])
    sizes = [p.n_atoms for p, _ in dimers]
    separate = [
        (
            replace(p, **{n: getattr(p, n).clone().requires_grad_(True) for n in leaves}),
            x,
            [naive.separations(q) for q in (p, *p.split())],
        )
        for p, x in dimers
    ]

    def components() -> None:
        with torch.no_grad():
            interaction_components(parameters, coordinates, pairs=pairs)

    def loop_components() -> None:
        with torch.no_grad():
            for p, x, known in separate:
                naive_interaction(p, x, known)

    def gradients() -> None:
        interaction_components(trainable, coordinates, pairs=pairs).total.sum().backward()

    def loop_gradients() -> None:
        for p, x, known in separate:
            naive_interaction(p, x, known).backward()

    def force_matching() -> None:
        total, force = energy_and_forces(trainable, coordinates, pairs=pairs, create_graph=True)
        (total.total.sum() + force.square().sum()).backward()

    def loop_force_matching() -> None:
        for p, x, known in separate:
            position = x.clone().requires_grad_(True)
            total = sum(naive.nonbonded_energies(p, position, known[0]).values())
            (gradient,) = torch.autograd.grad(total, position, create_graph=True)
            (total + gradient.square().sum()).backward()

    def rates(batch: Callable[[], object], loop: Callable[[], object]) -> tuple[float, float]:
        return rate(batch, n_dimers, repeats), rate(loop, n_dimers, max(1, repeats // 5))

    results = {"atoms_per_dimer": sum(sizes) / n_dimers}
    for name, functions in {
        "components": (components, loop_components),
        "components_and_parameter_gradients": (gradients, loop_gradients),
        "energies_forces_and_parameter_gradients": (force_matching, loop_force_matching),
    }.items():
        batch, loop = rates(*functions)
        results |= {f"{name}_batch": batch, f"{name}_loop": loop, f"{name}_ratio": batch / loop}
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(json.dumps(measure(arguments.batch), indent=2))


if __name__ == "__main__":
    main()
