"""Time and memory of ``create_interchange`` and ``to_openmm`` against Sage.

    OMP_NUM_THREADS=1 python tests/benchmarks/smirnoff_speed.py

Sage gets its charges, so that neither side computes any quantum chemistry. Molecules are
new to the model each time: its cache of predictions is emptied before every run. Times are
CPU seconds, in which other work on the machine does not count.
"""

from __future__ import annotations

import functools
import gc
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from openff.toolkit import ForceField, Molecule, Quantity, Topology

from openff_bytepol.models import load_model
from openff_bytepol.smirnoff import prediction

SAGE = "openff-2.2.1.offxml"
OURS = ("bytepol-fixed.offxml", "bytepol.offxml")
REPEATS = 3


def charged(smiles: str) -> Molecule:
    """Molecule with charges of zero, which is all that Sage needs to run."""
    molecule = Molecule.from_smiles(smiles, allow_undefined_stereo=True)
    molecule.partial_charges = Quantity(np.zeros(molecule.n_atoms), "elementary_charge")
    return molecule


def systems() -> dict[str, tuple[Topology, list[Molecule]]]:
    """Name → topology, and its distinct molecules."""
    ethanol = charged("CCO")
    lines = (Path(__file__).parent / "drug_like.smi").read_text().splitlines()
    drugs = [charged(line.split()[0]) for line in lines]
    return {
        "500 ethanol": (Topology.from_molecules([ethanol] * 500), [ethanol]),
        "50 drug-like": (Topology.from_molecules(drugs), drugs),
    }


def best(function: Callable[[], object]) -> float:
    """Shortest of several times, s."""
    times = []
    for _ in range(REPEATS):
        prediction._cache.clear()
        gc.collect()
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def report(name: str, topology: Topology, molecules: list[Molecule]) -> None:
    """Print times of one system, as seconds and as ratios to Sage's."""
    sage = ForceField(SAGE)
    runs: dict[str, Callable[[], object]] = {
        SAGE: lambda: sage.create_interchange(topology, charge_from_molecules=molecules)
    }
    for ours in OURS:
        runs[ours] = functools.partial(ForceField(ours).create_interchange, topology)
    print(f"{name}: {topology.n_atoms} atoms")
    reference = 0.0
    for force_field, create in runs.items():
        creation = best(create)
        interchange = create()
        export = best(interchange.to_openmm)
        reference = reference or creation + export
        print(
            f"  {force_field:22s} create_interchange {creation:6.3f} s   to_openmm {export:6.3f} s"
            f"   sum / Sage {(creation + export) / reference:5.2f}"
        )


def report_prediction(molecules: list[Molecule]) -> None:
    """Print molecules per second of the parts of a prediction."""
    model = load_model()
    seconds = best(lambda: model.predict(molecules))
    print(f"prediction: {len(molecules) / seconds:.0f} molecules/s")
    predicted = [
        prediction.PredictedMolecule("", molecule, parameters)
        for molecule, parameters in zip(molecules, model.predict(molecules), strict=True)
    ]
    start = time.process_time()
    for molecule in predicted:
        assert molecule.fixed_charge is not None
    seconds = time.process_time() - start
    print(f"fixed-charge projection: {len(molecules) / seconds:.0f} molecules/s")


def report_memory() -> None:
    """Print what copies of a molecule add to memory."""
    ethanol = charged("CCO")
    for force_field, options in ((SAGE, {"charge_from_molecules": [ethanol]}), (OURS[1], {})):
        create = functools.partial(ForceField(force_field).create_interchange, **options)
        for copies in (50, 500):
            topology = Topology.from_molecules([ethanol] * copies)
            gc.collect()
            tracemalloc.start()
            interchange = create(topology)
            gc.collect()
            current, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            potentials = sum(len(c.potentials) for c in interchange.collections.values())
            print(
                f"{force_field}, {copies} ethanol: {current / 1e6:.1f} MB, "
                f"{1e-3 * current / copies:.0f} kB each, {potentials} potentials"
            )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for system, (box, distinct) in systems().items():
        report(system, box, distinct)
    report_prediction(distinct)
    report_memory()
