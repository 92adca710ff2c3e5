from __future__ import annotations

import warnings

import numpy as np
import pytest
from openff.toolkit import ForceField, Molecule
from openff.toolkit.utils.exceptions import SMIRNOFFSpecError

from openff_bytepol.exceptions import (
    DataError,
    HashMismatchError,
    ModelError,
    OutOfDomainError,
    OutOfDomainWarning,
)
from openff_bytepol.models import load_model, save_model
from openff_bytepol.nn.model import Model
from openff_bytepol.smirnoff.writing import write_offxml
from openff_bytepol.uncertainty import Calibration, judge
from openff_bytepol.uncertainty.calibration import Thresholds
from openff_bytepol.uncertainty.environments import environment_codes
from openff_bytepol.uncertainty.make import make_calibration, plot_coverage

WATER = "[O:1]([H:2])[H:3]"


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A model that knows ethanol, with a calibration, and its force field."""
    folder = tmp_path_factory.mktemp("models") / "small"
    model = Model(n_members=2, seed=2)
    save_model(model, folder)
    known = np.unique(environment_codes(model.build_graph("CCO")).numpy())
    Calibration(
        model_sha256=model.sha256,
        created="2026-01-01",
        data={},
        known_environments=tuple(known.tolist()),
        novelty=Thresholds(edge=0.1, out=0.6),
        disagreement=Thresholds(edge=1e6, out=1e7),
    ).write(folder)
    write_offxml(folder, folder / "forcefield-fixed.offxml", fixed=True)
    return folder


def test_verdicts(directory):
    known, edge, out = judge(str(directory), ["CCO", "CO", "c1ccccc1"])
    assert (known.domain, edge.domain, out.domain) == ("in", "edge", "out")
    assert known.reasons == ()
    assert "has not seen" in out.reasons[0]
    assert known.disagreement is not None


def test_models_without_calibration_have_no_verdict(directory, tmp_path):
    save_model(load_model(directory), tmp_path / "bare")
    with pytest.raises(ModelError, match="bytepol models calibrate"):
        judge(str(tmp_path / "bare"), ["CCO"])


def test_calibration_of_other_weights_is_refused(directory, tmp_path):
    save_model(Model(n_members=2, seed=3), tmp_path / "other")
    (tmp_path / "other" / "calibration.json").write_bytes(
        (directory / "calibration.json").read_bytes()
    )
    with pytest.raises(HashMismatchError):
        judge(str(tmp_path / "other"), ["CCO"])


def with_policy(directory, policy: str | None) -> ForceField:
    text = (directory / "forcefield-fixed.offxml").read_text()
    if policy:
        text = text.replace(' model="', f' out_of_domain="{policy}" model="')
    return ForceField(text)


def test_warning_on_use(directory):
    field = with_policy(directory, None)
    with pytest.warns(OutOfDomainWarning, match="may be wrong"):
        field.create_interchange(Molecule.from_smiles("O=C=O").to_topology())
    with warnings.catch_warnings():
        warnings.simplefilter("error", OutOfDomainWarning)
        field.create_interchange(Molecule.from_smiles("CCO").to_topology())
        with_policy(directory, "ignore").create_interchange(
            Molecule.from_smiles("O=C=O").to_topology()
        )


def test_error_on_use(directory):
    field = with_policy(directory, "error")
    with pytest.raises(OutOfDomainError, match="O=C=O"):
        field.create_interchange(Molecule.from_smiles("O=C=O").to_topology())
    assert 'out_of_domain="error"' in field.to_string()
    with pytest.raises(SMIRNOFFSpecError, match="not one of"):
        with_policy(directory, "perhaps")


def molecule_row(smiles: str, generator: np.random.Generator) -> dict:
    model = Model(n_members=2, seed=2)
    n_atoms = model.build_graph(smiles).n_atoms
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom

    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMolecule(mol, randomSeed=1)
    for atom in mol.GetAtoms():
        atom.SetAtomMapNum(atom.GetIdx() + 1)
    xyz = mol.GetConformer().GetPositions()[None] + generator.normal(
        scale=0.02, size=(3, n_atoms, 3)
    )
    return {
        "smiles": smiles,
        "mapped_smiles": Chem.MolToSmiles(mol),
        "coordinates": xyz.ravel(),
        "energies": np.array([0.0, 1.0, 2.0]),
        "forces": generator.normal(size=xyz.size),
    }


def test_calibration_from_rows(tmp_path):
    model = Model(n_members=2, seed=2)
    generator = np.random.default_rng(1)
    smiles = ["C" * n + "O" for n in range(1, 7)] + ["C" * n + "N" for n in range(1, 19)]
    rows = [molecule_row(s, generator) for s in smiles[:6]]
    rows += [{**rows[0], "smiles": s, "energies": np.zeros(1)} for s in smiles[6:]]
    found = make_calibration(model, [], rows, ["CCO", "CO"], {"origin": "test"})
    assert set(found.quantities) == {"molecule energies", "molecule forces"}
    assert found.quantities["molecule forces"].unit == "kcal/mol/Å"
    assert found.data["molecules_for_thresholds"] == len(smiles) - 2
    assert found.disagreement is not None
    assert 0.5 < found.disagreement.edge <= found.disagreement.out
    plot_coverage(found, tmp_path / "coverage.png")
    assert (tmp_path / "coverage.png").stat().st_size > 1000
    with pytest.raises(DataError, match="20 molecules"):
        make_calibration(model, [], rows[:8], ["CCO"], {})
