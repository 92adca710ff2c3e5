"""AIMNet2 as a QCEngine program."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("qcengine")
if find_spec("Auto3D") is None:
    pytest.skip("needs the weights in Auto3D", allow_module_level=True)
import qcengine
from qcelemental.models.v2 import AtomicInput, Molecule

from active_learning.labelling import LabelJob
from active_learning.labelling.levels import find_record_level, record_levels
from active_learning.labelling.tasks import specification, tasks_of
from active_learning.labelling.teacher import evaluate
from active_learning.programs import register
from openff_bytepol.units import BOHR_IN_ANGSTROM, HARTREE_IN_KCAL

XYZ = np.array([[0.0, 0.0, 0.1174], [-0.757, 0.0, -0.4696], [0.757, 0.0, -0.4696]])
LEVEL = find_record_level(record_levels({}), "aimnet2")


def compute(symbols: list[str], xyz: np.ndarray, charge: int, **changes):
    register()
    molecule = Molecule(
        symbols=symbols, geometry=xyz / BOHR_IN_ANGSTROM, molecular_charge=charge,
        fix_com=True, fix_orientation=True,
    )  # fmt: skip
    specification_ = {
        "program": "auto3d-aimnet2", "driver": "gradient",
        "model": {"method": "aimnet2", "basis": None}, "keywords": {},
    } | changes  # fmt: skip
    data = AtomicInput(molecule=molecule, specification=specification_)
    config = {"ncores": 1, "memory": 1.0}
    return qcengine.compute(data, "auto3d-aimnet2", raise_error=False, task_config=config)


def test_records_are_the_teachers_labels() -> None:
    found = compute(["O", "H", "H", "H"], np.vstack([XYZ, [0.0, 0.6, 1.0]]), 1)
    assert found.success, found.error
    numbers = np.array([8, 1, 1, 1])
    xyz = np.vstack([XYZ, [0.0, 0.6, 1.0]])[None]
    direct = evaluate("aimnet2", numbers, xyz, 1)
    energy = found.properties.return_energy * HARTREE_IN_KCAL
    assert energy == pytest.approx(direct.energies[0], abs=1e-3)
    gradient = np.array(found.return_result).reshape(-1, 3) * HARTREE_IN_KCAL / BOHR_IN_ANGSTROM
    assert gradient == pytest.approx(-direct.forces[0], abs=1e-3)
    dipole = np.array(found.properties.scf_dipole_moment) * BOHR_IN_ANGSTROM
    assert dipole == pytest.approx(direct.dipoles[0], abs=1e-4)
    assert found.provenance.version


@pytest.mark.parametrize(
    "changes",
    [{"model": {"method": "hf", "basis": None}}, {"keywords": {"grid": [1, 2]}}],
)
def test_other_methods_and_keywords_are_input_errors(changes: dict) -> None:
    found = compute(["O", "H", "H"], XYZ, 0, **changes)
    assert not found.success
    assert found.error.error_type == "input_error"


def test_elements_that_it_lacks_are_input_errors() -> None:
    found = compute(["Li"], np.zeros((1, 3)), 1)
    assert found.error.error_type == "input_error"
    assert "elements" in found.error.error_message


def test_the_level_makes_gradients_and_dimers_without_counterpoise() -> None:
    water = LabelJob("monomer", "aimnet2", ("[O:1]([H:2])[H:3]",), (0,), XYZ[None])
    (task,) = tasks_of(water, LEVEL)
    assert task.dataset == "singlepoint"
    single = specification("singlepoint", LEVEL, 1)
    assert (single.program, single.method) == ("auto3d-aimnet2", "aimnet2")
    assert single.driver.value == "gradient"
    many = specification("manybody", LEVEL, 2)
    assert [c.value for c in many.bsse_correction] == ["nocp"]
