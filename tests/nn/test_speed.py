"""Cost of a prediction, parsing excluded."""

import time

import pytest

from openff_bytepol.models import load_model
from tests.graph.brute_force import rdkit_mol
from tests.graph.smiles import DRUG_LIKE


@pytest.mark.slow
def test_two_hundred_drug_like_molecules_per_second():
    """In processor time, so that other work on the machine matters less."""
    model = load_model()
    molecules = [rdkit_mol(smiles) for smiles in DRUG_LIKE] * 20
    model.predict(molecules[:20])
    costs = []
    for _ in range(3):
        start = time.process_time()
        model.predict(molecules)
        costs.append((time.process_time() - start) / len(molecules))
    print(f"{1 / min(costs):.0f} molecules per second and core")
    assert min(costs) < 1 / 200
