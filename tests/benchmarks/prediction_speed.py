"""Molecules per second: prediction of whole force fields beside NAGL's charges alone.

Run ``python -m tests.benchmarks.prediction_speed``. Molecules are parsed beforehand. NAGL
(openff-nagl, AshGC) is the peer: a graph network that users of OpenFF already run, which
predicts one of the nine atomic parameters and no bonded terms. Times are processor time, so
that other work on the machine matters less.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from openff.toolkit import Molecule

from openff_bytepol.models import load_model
from openff_bytepol.projection import project_fixed_charge

DRUG_LIKE = Path(__file__).with_name("drug_like.smi")


def seconds_per_molecule(function: Callable[[], object], count: int, repeats: int = 3) -> float:
    """Least processor time of several runs, after one to warm up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times) / count


def nagl_charges(molecules: Sequence[Molecule]) -> Callable[[], object]:
    from openff.nagl import GNNModel
    from openff.nagl_models import get_model

    model = GNNModel.load(get_model("openff-gnn-am1bcc-1.0.0.pt"), eval_mode=True)
    return lambda: [model.compute_property(m, as_numpy=True) for m in molecules]


def measure(copies: int = 4) -> dict[str, float]:
    """Processor time per molecule in ms, and the ratios."""
    smiles = [line.split()[0] for line in DRUG_LIKE.read_text().splitlines()]
    molecules = [Molecule.from_smiles(s, allow_undefined_stereo=True) for s in smiles]
    model = load_model()
    batch = molecules * copies
    parameters = model.predict(molecules)
    pairs = list(zip(parameters, molecules, strict=True))
    predicted = seconds_per_molecule(lambda: model.predict(batch), len(batch))
    projected = seconds_per_molecule(
        lambda: [project_fixed_charge(p, m) for p, m in pairs], len(pairs)
    )
    results = {
        "molecules": float(len(molecules)),
        "prediction_ms": 1e3 * predicted,
        "predictions_per_second_and_core": 1.0 / predicted,
        "projection_ms": 1e3 * projected,
    }
    try:
        nagl = seconds_per_molecule(nagl_charges(molecules), len(molecules))
    except ImportError as error:
        print(f"openff-nagl cannot run here, so no ratio: {error}")
        return results
    return results | {"nagl_ms": 1e3 * nagl, "prediction_over_nagl": predicted / nagl}


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
