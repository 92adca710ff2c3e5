"""Recipes 12 and 14: a real QCArchive, and a label program of one's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from active_learning.config import load_campaign
from active_learning.labelling import LabelJob, find_labeller

RECIPES = Path(__file__).parents[2] / "recipes"
OWN = RECIPES / "14-own-label-program"
WATER = "[O:1]([H:2])[H:3]"
XYZ = np.array([[0.0, 0.0, 0.1174], [-0.757, 0.0, -0.4696], [0.757, 0.0, -0.4696]])


@pytest.mark.parametrize("file", ["11-first-campaign/real.yaml", "12-real-qcarchive/campaign.yaml"])
def test_campaigns_with_quantum_chemistry_are_valid(file: str) -> None:
    pytest.importorskip("qcportal")
    config = load_campaign(RECIPES / file)
    find_labeller(config.labels.labeller).check_settings(config.labels.settings)
    from active_learning.labelling.levels import find_record_level, record_levels

    for kind, level in config.labels.levels.items():
        expected = "sapt" if kind == "dimer" else "gradient"
        assert find_record_level(record_levels({}), level).kind == expected


def test_stability_gate_covers_fifty_liquids_and_every_element() -> None:
    from openff.toolkit import Molecule

    from openff_bytepol.models import load_model

    config = load_campaign(RECIPES / "12-real-qcarchive/campaign.yaml")
    assert config.gates.stability is not None
    model = load_model("bytepol")
    found = [
        Molecule.from_smiles(s, allow_undefined_stereo=True) for s in config.gates.stability.liquids
    ]
    assert len({molecule.to_smiles() for molecule in found}) == 50
    elements = {atom.atomic_number for molecule in found for atom in molecule.atoms}
    assert elements == set(model.config.elements) - {3, 11, 19}  # ions of salts
    for smiles in config.gates.stability.liquids:
        model.build_graph(smiles)


def test_configuration_of_managers_is_qcfractals() -> None:
    compute = pytest.importorskip("qcfractalcompute.config")
    config = compute.read_configuration([str(RECIPES / "12-real-qcarchive/manager.yaml")])
    assert config.executors["nodes"].compute_tags == ["bytepol"]
    assert config.server.password is None


def test_own_labeller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tblite")
    monkeypatch.syspath_prepend(OWN)
    config = load_campaign(OWN / "campaign.yaml")
    factory = find_labeller(config.labels.labeller)
    factory.check_settings(config.labels.settings)
    labeller = factory.from_settings(config.labels.settings, tmp_path)
    job = LabelJob("monomer", "gfn1-xtb", (WATER,), (0,), np.stack([XYZ, 1.02 * XYZ]))
    dimer = LabelJob("dimer", "gfn1-xtb", (WATER, WATER), (0, 0), np.vstack([XYZ, XYZ + 3])[None])
    labeller.submit([job, dimer])
    states = {status.job_id: status for status in labeller.poll()}
    assert states[job.id].state == "complete"
    assert "labels monomers" in states[dimer.id].reason
    (result,) = factory.from_settings({}, tmp_path).collect()
    assert result.job_id == job.id
    assert result.provenance.program == "tblite"
    assert max(result.row["energies"]) > 0.1


def test_own_harness(tmp_path: Path) -> None:
    pytest.importorskip("qcengine")
    pytest.importorskip("tblite")
    script = tmp_path / "script.py"
    script.write_text(
        "import qcengine\n"
        "from qcelemental.models.v2 import AtomicInput, Molecule\n"
        "water = Molecule.from_data('O 0 0 0.1174\\nH -0.757 0 -0.4696\\nH 0.757 0 -0.4696')\n"
        "specification = {'driver': 'gradient', 'model': {'method': 'gfn1-xtb'}, 'program': 'gfn1'}\n"
        "data = AtomicInput(molecule=water, specification=specification)\n"
        "print(qcengine.compute(data, 'gfn1', raise_error=True).properties.return_energy)\n"
    )
    done = subprocess.run(
        [sys.executable, OWN / "harness.py", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) == pytest.approx(-5.77, abs=0.05)
