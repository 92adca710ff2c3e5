"""QCEngine programs of this package, run by QCEngine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("qcengine")
pytest.importorskip("pyscf")
pytest.importorskip("tblite")
import qcengine
from qcelemental.models.v2 import AtomicInput, Molecule

from active_learning.programs import register, write_launcher
from active_learning.programs.energy_decomposition import TERMS, variable
from active_learning.programs.psi4 import installed_version, is_old
from openff_bytepol.qm import Fragment, Level
from openff_bytepol.qm.almo import decompose
from openff_bytepol.units import BOHR_IN_ANGSTROM, HARTREE_IN_KCAL

GEOMETRY = """0 1
O 0 0 0.1174
H -0.757 0 -0.4696
H 0.757 0 -0.4696
--
1 1
Li 0.3 0.2 2.1
"""


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    register()
    register()


def compute(
    program: str, method: str, basis: str | None, driver: str, molecule: Molecule, **keywords
):
    specification = {
        "driver": driver,
        "model": {"method": method, "basis": basis},
        "keywords": keywords,
        "program": program,
    }
    data = AtomicInput(molecule=molecule, specification=specification)
    config = {"ncores": 1, "memory": 1.0}
    return qcengine.compute(data, program, raise_error=False, task_config=config)


@pytest.fixture(scope="module")
def dimer() -> Molecule:
    return Molecule.from_data(GEOMETRY, fix_com=True, fix_orientation=True)


def test_energy_decomposition_is_that_of_the_package(dimer: Molecule) -> None:
    result = compute("almo-eda", "hf", "6-31g", "energy", dimer)
    assert result.success
    xyz = np.array(dimer.geometry).reshape(-1, 3) * BOHR_IN_ANGSTROM
    fragments = [Fragment(("O", "H", "H"), xyz[:3]), Fragment(("Li",), xyz[3:], 1)]
    direct = decompose(fragments, Level("x", "almo-eda", "pyscf", "hf", "6-31g"))
    variables = result.extras["qcvars"]
    for term in TERMS:
        expected = getattr(direct, term) / HARTREE_IN_KCAL
        assert variables[variable(term)] == pytest.approx(expected, abs=1e-8), term
    assert result.return_result == pytest.approx(direct.total / HARTREE_IN_KCAL, abs=1e-8)
    assert result.properties.calcinfo_nbasis == 22


def test_gradients_keep_the_geometry(dimer: Molecule) -> None:
    result = compute("tblite", "gfn2-xtb", None, "gradient", dimer)
    assert result.success
    assert np.array(result.return_result).reshape(-1, 3).sum(0) == pytest.approx([0] * 3, abs=1e-6)
    assert np.array_equal(result.molecule.geometry, dimer.geometry)
    assert result.provenance.nthreads == 1


def test_ghost_atoms_lower_the_energy(dimer: Molecule) -> None:
    water, ghosted = dimer.get_fragment(0), dimer.get_fragment(0, 1)
    plain = compute("pyscf", "hf", "6-31g", "energy", water)
    ghost = compute("pyscf", "hf", "6-31g", "energy", ghosted)
    assert plain.success
    assert ghost.success
    assert -0.01 < ghost.return_result - plain.return_result < -1e-6


@pytest.mark.parametrize(
    ("program", "method", "driver", "keywords", "message"),
    [
        ("almo-eda", "hf", "energy", {"nonsense": 1}, "unknown keywords"),
        ("almo-eda", "hf", "gradient", {}, "driver energy"),
        ("pyscf", "hf", "hessian", {}, "energy or gradient"),
        ("almo-eda", "hf", "energy", {"engine": "other"}, "engine"),
    ],
)
def test_records_that_cannot_be_computed_are_input_errors(
    dimer: Molecule, program: str, method: str, driver: str, keywords: dict, message: str
) -> None:
    result = compute(program, method, "6-31g", driver, dimer, **keywords)
    assert not result.success
    assert result.error.error_type == "input_error"
    assert message in result.error.error_message


def test_launcher_runs_scripts_with_the_programs(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, qcengine\nprint('almo-eda' in qcengine.list_all_programs(), sys.argv[1])\n"
    )
    launcher = write_launcher(tmp_path / "bin") / "python3"
    done = subprocess.run([launcher, script, "x"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "x"]


def test_versions_of_psi4() -> None:
    assert is_old("1.3.2")
    assert not is_old("1.4")
    assert not is_old("1.10.2")
    assert not is_old("")


@pytest.mark.slow
@pytest.mark.skipif(not is_old(installed_version()), reason="needs Psi4 before 1.4")
def test_old_psi4_gives_sapt_components_and_gradients(dimer: Molecule) -> None:
    result = compute("psi4", "sapt0", "6-31g", "energy", dimer)
    assert result.success
    variables = result.extras["qcvars"]
    parts = sum(variables[f"sapt0 {part} energy"] for part in ("elst", "exch", "ind", "disp"))
    assert parts == pytest.approx(variables["sapt0 total energy"], abs=1e-8)
    water = dimer.get_fragment(0)
    psi4 = compute("psi4", "hf", "6-31g", "gradient", water, scf_type="direct")
    pyscf = compute("pyscf", "hf", "6-31g", "gradient", water, auxiliary_basis=None)
    assert np.ravel(psi4.return_result) == pytest.approx(np.ravel(pyscf.return_result), abs=1e-5)
    refused = compute("psi4", "hf'; import os", "6-31g", "energy", water)
    assert refused.error.error_type == "input_error"
