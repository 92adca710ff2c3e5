"""Labels by quantum chemistry: response properties, SAPT0, geometries, filters."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from openff_bytepol.exceptions import DataError, EngineError
from openff_bytepol.qm import Fragment
from openff_bytepol.training.config import (
    EvaluationConfig,
    LabelConfig,
    TrainingConfig,
    load_config,
)
from openff_bytepol.training.datasets.schemas import POTENTIALS, RESPONSES
from openff_bytepol.training.labels import aimnet2, decompositions, psi4, quantum, responses
from openff_bytepol.training.labels.config import DecompositionConfig, ResponseConfig
from openff_bytepol.training.labels.make import make_labels
from openff_bytepol.training.labels.pool import PoolEntry
from openff_bytepol.training.labels.provenance import provenance, read_provenance
from openff_bytepol.training.labels.schema import read_table, write_table
from openff_bytepol.training.moments import MolecularResponse
from openff_bytepol.units import BOHR_IN_ANGSTROM, COULOMB
from tests.training.conftest import METHANE, METHANE_XYZ, WATER, WATER_XYZ

needs_aimnet2 = pytest.mark.skipif(
    find_spec("Auto3D") is None, reason="AIMNet2 weights are not installed"
)
WATER_NUMBERS = np.array([8, 1, 1])
SAPT_OUTPUT = """
    Electrostatics                -56.48696406 [mEh]     -35.44610509 [kcal/mol]
      Elst10,r                    -56.48696406 [mEh]     -35.44610509 [kcal/mol]
    Exchange                       18.25917250 [mEh]      11.45780373 [kcal/mol]
      Exch10                       18.25917250 [mEh]      11.45780373 [kcal/mol]
    Induction                     -18.22689175 [mEh]     -11.43754725 [kcal/mol]
    Dispersion                     -0.58678546 [mEh]      -0.36821344 [kcal/mol]
  Total HF                        -56.45468332 [mEh]     -35.42584862 [kcal/mol]
  Total SAPT0                     -57.04146878 [mEh]     -35.79406206 [kcal/mol]
    Electrostatics sSAPT0         -56.48696406 [mEh]     -35.44610509 [kcal/mol]
"""


@pytest.fixture(scope="module")
def water() -> quantum.Response:
    pytest.importorskip("pyscf")
    return quantum.response(WATER_NUMBERS, WATER_XYZ, 0, "hf", "6-31g")


def test_polarizability_is_the_derivative_of_the_dipole(water: quantum.Response) -> None:
    from pyscf import gto, scf

    atoms = [(int(z), tuple(x)) for z, x in zip(WATER_NUMBERS, WATER_XYZ, strict=True)]
    molecule = gto.M(atom=atoms, basis="6-31g", verbose=0)
    positions = molecule.intor("int1e_r")
    dipoles = []
    for sign in (1.0, -1.0):
        field = scf.RHF(molecule).density_fit()
        core = field.get_hcore() + sign * 1e-3 * positions[0]
        field.get_hcore = lambda *_, core=core: core
        field.conv_tol = 1e-11
        field.kernel()
        dipoles.append(-np.einsum("xpq,qp->x", positions, field.make_rdm1()))
    derivative = (dipoles[0] - dipoles[1]) / 2e-3 * BOHR_IN_ANGSTROM**3
    np.testing.assert_allclose(water.polarizability[0], derivative, atol=2e-3)
    np.testing.assert_allclose(water.polarizability, water.polarizability.T)


def test_potential_far_away_is_that_of_the_dipole(water: quantum.Response) -> None:
    from pyscf import gto, scf

    centre = WATER_XYZ.mean(0)
    point = centre + 30.0 * np.array([[0.6, 0.8, 0.0]])
    atoms = [(int(z), tuple(x)) for z, x in zip(WATER_NUMBERS, WATER_XYZ, strict=True)]
    field = scf.RHF(gto.M(atom=atoms, basis="6-31g", verbose=0)).density_fit().run()
    found = quantum._potential(field.mol, field.make_rdm1(), point / BOHR_IN_ANGSTROM)
    expected = (water.dipole @ (point - centre)[0]) / 30.0**3 * BOHR_IN_ANGSTROM
    assert found[0] == pytest.approx(expected, rel=0.05)
    assert np.abs(water.potential).max() < COULOMB / 2.0


def test_points_lie_on_the_shells(water: quantum.Response) -> None:
    distances = np.linalg.norm(water.points[:, None] - WATER_XYZ, axis=-1)
    relative = (distances / np.array([1.55, 1.2, 1.2])).min(1)
    assert set(np.round(relative, 6)) <= {1.4, 1.6, 1.8, 2.0}
    assert len(water.potential) == len(water.points) > 100


@pytest.mark.parametrize(
    ("benchmark", "extra", "chosen"),
    [
        ((), ("O", "C", "CO"), {"CO"}),
        (("[H]O[H]",), ("O", "C", "CO"), {"O", "CO"}),
        (("O",), ("CO",), {"O", "CO"}),
    ],
)
def test_molecules_of_benchmarks_are_labelled_if_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    benchmark: tuple[str, ...],
    extra: tuple[str, ...],
    chosen: set[str],
) -> None:
    held = [
        MolecularResponse("water", WATER, WATER_XYZ, {2: 0.7}),
        MolecularResponse("methane", METHANE, METHANE_XYZ, {}, {0: 16.0}),
    ]
    archive = tmp_path / "held.tar.gz"
    archive.touch()
    monkeypatch.setattr(responses, "read_responses", lambda path: held)
    settings = ResponseConfig(extra=extra, benchmark=benchmark)
    config = TrainingConfig(
        name="x", reference_data="x", output=str(tmp_path), stages=(),
        labels=LabelConfig(responses=settings),
        evaluation=EvaluationConfig(gscdb=str(archive)),
    )  # fmt: skip
    assert {entry.smiles for entry in responses.choose(config, settings)} == chosen
    assert len(responses.not_labelled(held, settings)) == 2 - len(benchmark)
    assert responses.not_labelled(held, None) == held


@needs_aimnet2
def test_response_rows_fit_their_schemas(tmp_path: Path) -> None:
    pytest.importorskip("pyscf")
    settings = ResponseConfig(functional="hf", basis="sto-3g", n_conformers=1, relaxation_steps=5)
    response, potential = responses.label(PoolEntry("O", "extra"), settings)
    made = provenance("PySCF", settings.level, settings=settings)
    write_table([response], RESPONSES, tmp_path / "r.parquet", made)
    write_table([potential], POTENTIALS, tmp_path / "p.parquet", made)
    assert len(read_table(tmp_path / "r.parquet", RESPONSES)[0]["polarizability"]) == 9
    found = read_provenance(tmp_path / "p.parquet")
    assert found["level"] == "HF/sto-3g (density fitting)"
    assert {"program version", "command", "date", "settings sha256"} <= found.keys()
    with pytest.raises(DataError, match="lacks one of its elements"):
        responses.label(PoolEntry("[Na+]", "extra"), settings)


def test_sapt_output_is_read_and_incomplete_output_refused() -> None:
    found = psi4.parse(SAPT_OUTPUT)
    assert found["elst"] == pytest.approx(-35.44610509, abs=1e-5)
    assert found["total"] == pytest.approx(-35.79406206, abs=1e-5)
    assert sum(found[k] for k in ("elst", "exch", "ind", "disp")) == pytest.approx(found["total"])
    with pytest.raises(EngineError, match="Dispersion"):
        psi4.parse(SAPT_OUTPUT.replace("Dispersion", ""))


def test_sapt_input() -> None:
    ion = Fragment(("Li",), np.zeros((1, 3)), 1)
    ligand = Fragment(("O", "H", "H"), WATER_XYZ + 2.0, 0)
    text = psi4.input_text(ion, ligand, "def2-svpd", 1.5)
    assert "1 1\nLi 0.00000000" in text
    assert text.count("--") == 1
    assert "basis def2-svpd" in text


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("psi4") is None, reason="psi4 is not installed")
def test_sapt0_of_lithium_and_water() -> None:
    xyz = np.array([[1.85, 0, 0], [2.43, 0.76, 0], [2.43, -0.76, 0]])
    found = psi4.sapt0(
        Fragment(("Li",), np.zeros((1, 3)), 1), Fragment(("O", "H", "H"), xyz, 0), "def2-svpd"
    )
    assert found["elst"] == pytest.approx(-35.446, abs=0.01)
    assert found["total"] == pytest.approx(-35.794, abs=0.01)


SETTINGS = DecompositionConfig(
    cations={"Li": (1.8, 2.0)},
    ligands={"water": "O"},
    pairs=({"molecules": ("O", "CO"), "count": 3, "closeness": (0.9, 1.1)},),
)


@needs_aimnet2
def test_decompositions_are_labelled_at_the_distances_asked_for() -> None:
    seen = []

    def decompose(first: Fragment, second: Fragment) -> dict[str, float]:
        seen.append((first, second))
        return {"elst": 1.0, "exch": 2.0, "ind": 3.0, "disp": 4.0, "total": 10.0}

    curve, pair = decompositions.jobs(SETTINGS)
    rows = decompositions.label(curve, SETTINGS, decompose)
    assert [row["name"] for row in rows] == ["Li-water 1.80", "Li-water 2.00"]
    distances = [np.linalg.norm(b.coordinates[0] - a.coordinates[0]) for a, b in seen]
    np.testing.assert_allclose(distances, [1.8, 2.0])
    assert seen[0][0].charge == 1

    seen.clear()
    rows = decompositions.label(pair, SETTINGS, decompose)
    radii = {"O": 1.55, "C": 1.7, "H": 1.2}
    for first, second in seen:
        separation = np.linalg.norm(first.coordinates[:, None] - second.coordinates, axis=-1)
        sums = np.add.outer([radii[s] for s in first.symbols], [radii[s] for s in second.symbols])
        assert 0.85 < (separation / sums).min() < 1.15
    assert len({tuple(np.round(row["coordinates"], 3)) for row in rows}) == 3


@needs_aimnet2
def test_failed_geometries_are_left_out(caplog: pytest.LogCaptureFixture) -> None:

    def decompose(first: Fragment, second: Fragment) -> dict[str, float]:
        raise EngineError("psi4 failed: PSIO error")

    job = decompositions.jobs(SETTINGS)[0]
    assert decompositions.label(job, SETTINGS, decompose) == []
    assert "Li-water 1.80 left out: psi4 failed" in caplog.text


@pytest.mark.parametrize("level", ["nonsense", "gfn2"])
def test_levels_without_a_decomposition_are_refused(level: str) -> None:
    with pytest.raises(DataError, match=level):
        decompositions.decomposition(DecompositionConfig(level=level))


@needs_aimnet2
def test_networks_disagree_more_about_broken_bonds() -> None:
    stretched = WATER_XYZ.copy()
    stretched[1] *= 1.7
    found = aimnet2.deviations(
        torch.from_numpy(np.stack([WATER_XYZ, stretched])), torch.tensor([8, 1, 1]), 0
    )
    assert found[0] < 1.5
    assert found[1] > 2.0 * found[0]


def test_unknown_kinds_of_labels_are_named(tmp_path: Path) -> None:
    path = tmp_path / "label.yaml"
    path.write_text(
        yaml.safe_dump({"name": "x", "reference_data": ".", "output": "o", "stages": []})
    )
    with pytest.raises(DataError, match=r"no labels of kind dreams; there are molecules"):
        make_labels(path, kinds=["dreams"])
    assert load_config(path).labels.responses is None
    make_labels(path, kinds=["responses", "decompositions"])
    assert not (tmp_path / "o").exists(), "nothing asked for, nothing made"
