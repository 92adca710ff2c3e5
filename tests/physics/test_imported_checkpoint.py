"""From checkpoint and mapped SMILES to energies, all dimers of the original implementation.

Its totals and forces are float32 with cancelling harmonic terms; see
``tests/potentials/test_checkpoint.py``.
"""

from __future__ import annotations

import json

import pytest
import torch

from openff_bytepol.models import import_byteff2
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import energy_and_forces, interaction_components
from tests.potentials.checkpoint import FOLDER
from tests.potentials.test_checkpoint import COMPONENTS, expected

toolkit = pytest.importorskip("openff.toolkit")


def test_dimers(reference_data):
    folder = reference_data / FOLDER
    model = import_byteff2(folder)
    dimers = json.loads((folder / "expected_dimers.json").read_text())
    assert len(dimers) == 5
    for dimer in dimers:
        molecules = [
            toolkit.Molecule.from_mapped_smiles(smiles, allow_undefined_stereo=True)
            for smiles in dimer["monomers"]
        ]
        predicted = ParameterSet.concatenate(model.predict(molecules)).to(dtype=torch.float64)
        coordinates = torch.tensor(dimer["coords_angstrom"], dtype=torch.float64)
        components = interaction_components(predicted, coordinates)
        for name, key in COMPONENTS.items():
            ours = getattr(components, name)[:, 0]
            torch.testing.assert_close(ours, expected(dimer, key), rtol=0, atol=3e-6)
        total, forces = energy_and_forces(predicted, coordinates)
        reference = expected(dimer, "dimer_total_kcal_mol")
        torch.testing.assert_close(total.total[:, 0], reference, rtol=0, atol=2.5e-3)
        reference = expected(dimer, "dimer_forces_kcal_mol_angstrom")
        torch.testing.assert_close(forces, reference, rtol=0, atol=1.2e-3)
