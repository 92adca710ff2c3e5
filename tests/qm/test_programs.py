"""Single points, Q-Chem files and gpu4pyscf's results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openff_bytepol.exceptions import DataError
from openff_bytepol.qm import EnergyDecomposition, Fragment, Level, find_level
from openff_bytepol.qm.fragments import split_coordinates
from openff_bytepol.qm.gpu import decompose_on_gpu, read_terms
from openff_bytepol.qm.qchem import read_output, write_input
from openff_bytepol.qm.single_point import single_point
from openff_bytepol.units import HARTREE_IN_KCAL
from tests.qm import systems

LEVEL = find_level("almo-eda wb97m-v/def2-tzvpd")
CHLORIDE = Fragment(("Cl",), np.array([[-1.940555, 0.888176, -2.558508]]), -1)

QCHEM_OUTPUT = """
 Q-Chem 6.1, Q-Chem, Inc., Pleasanton, CA (2023)
================================
        Results of EDA2
================================
Basic EDA Quantities
--------------------
Fragment Energies (Ha):
1  -76.4334344584
2 -460.2597934814
--------------------
  E_prp (kJ/mol) = -0.0000
  E_frz (kJ/mol) = -36.5263
--------------------
  Orthogonal Frozen Decomposition:
     E_elec   (ELEC)   (kJ/mol) = -72.8689
     E_pauli  (PAULI)  (kJ/mol) = 44.1942
     E_disp   (DISP)   (kJ/mol) = -7.8516
  Classical Frozen Decomposition:
     E_cls_elec  (CLS ELEC)  (kJ/mol) = -51.6322
     E_mod_pauli (MOD PAULI) (kJ/mol) = 22.9576 (FRZ - CLS ELEC - DISP)
     E_disp      (DISP)      (kJ/mol) = -7.8516
Simplified EDA Summary (kJ/mol)
--------------------
 PREPARATION      -0.0000
 FROZEN           -36.5263 (ELEC + PAULI + DISP)
[ELEC + PAULI = -28.6747, DISP = -7.8516]
 POLARIZATION    -8.8958
 CHARGE TRANSFER -6.0962
 TOTAL           -51.5183     (PRP + FRZ + POL + CT)
--------------------
        *  Thank you very much for using Q-Chem.  Have a nice day.  *
"""


def gradient_by_differences(fragment: Fragment, level: Level, atom: int, axis: int) -> float:
    energies = []
    for shift in (-1e-3, 1e-3):
        xyz = fragment.coordinates.copy()
        xyz[atom, axis] += shift
        energies.append(
            single_point(Fragment(fragment.symbols, xyz, fragment.charge), level).energy
        )
    return (energies[1] - energies[0]) / 2e-3


@pytest.mark.parametrize(
    ("level", "tolerance"),
    [
        (Level("a", "gradient", "pyscf", "pbe0-d3bj", "6-31g", grid=(40, 194)), 0.02),
        (find_level("gfn2-xtb"), 1e-3),
    ],
    ids=["pyscf", "tblite"],
)
def test_gradients_are_the_slopes_of_energies(level: Level, tolerance: float) -> None:
    pytest.importorskip(level.program)
    pytest.importorskip("dftd3")
    result = single_point(systems.WATER, level)
    assert result.gradient.shape == (3, 3)
    assert result.gradient.sum(0) == pytest.approx([0, 0, 0], abs=1e-3)
    slope = gradient_by_differences(systems.WATER, level, 1, 2)
    assert result.gradient[1, 2] == pytest.approx(slope, abs=tolerance)
    assert 0.3 < np.linalg.norm(result.dipole) < 0.6


def test_dipoles_of_ions_are_about_their_center() -> None:
    pytest.importorskip("tblite")
    level = find_level("gfn2-xtb")
    here = single_point(systems.HYDRONIUM, level)
    moved = Fragment(systems.HYDRONIUM.symbols, systems.HYDRONIUM.coordinates + 5.0, 1)
    assert single_point(moved, level).dipole == pytest.approx(here.dipole, abs=1e-5)


def test_qchem_input_names_every_fragment(tmp_path: Path) -> None:
    path = tmp_path / "job.in"
    write_input([systems.WATER, CHLORIDE], LEVEL, path)
    text = path.read_text()
    assert text.startswith("$molecule\n-1 1\n--\n0 1\nO ")
    assert "--\n-1 1\nCl    -1.9405550000     0.8881760000    -2.5585080000\n$end" in text
    assert all(word in text for word in ("EDA2             1", "wB97M-V", "000075000302"))
    with pytest.raises(FileExistsError):
        write_input([systems.WATER, CHLORIDE], LEVEL, path)
    with pytest.raises(DataError, match="two fragments"):
        write_input([systems.WATER], LEVEL, tmp_path / "other.in")


def test_qchem_output_gives_all_terms(tmp_path: Path) -> None:
    path = tmp_path / "job.out"
    path.write_text(QCHEM_OUTPUT)
    result = read_output(path, LEVEL)
    assert result.total == pytest.approx(-51.5183 / 4.184, rel=2e-5)
    assert result.frozen == pytest.approx(-36.5263 / 4.184, abs=1e-3)
    assert result.modified_pauli == pytest.approx(22.9576 / 4.184, abs=1e-3)
    assert result.charge_transfer == pytest.approx(-6.0962 / 4.184, rel=2e-5)
    assert result.fragment_energies == (-76.4334344584, -460.2597934814)
    assert result.system_energy == pytest.approx(-536.7128492630, abs=2e-6)
    assert (result.program, result.version) == ("qchem", "6.1")


def test_unfinished_qchem_jobs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "job.out"
    path.write_text(QCHEM_OUTPUT.partition("Simplified")[0])
    with pytest.raises(DataError, match="did not finish"):
        read_output(path, LEVEL)
    path.write_text(QCHEM_OUTPUT.replace("E_disp ", "E_dsp "))
    with pytest.raises(DataError, match="dispersion"):
        read_output(path, LEVEL)


def test_gpu4pyscf_results_have_the_same_schema() -> None:
    """Terms printed by gpu4pyscf's example of water and chloride."""
    terms = {
        "total": -51.519007378047505, "frozen": -36.52658953482568, "unit": "kJ/mol",
        "electrostatic": -72.86800511241047, "dispersion": -7.851108209545869,
        "classical electrostatic": -51.6316017069, "pauli": 44.19252378713065,
        "polarization": -8.896316566606751, "charge transfer": -6.096101276615072,
    }  # fmt: skip
    energies = {"energy": [-76.4334344665, -460.2597922428, -536.7128492630]}
    result = read_terms(terms, energies, LEVEL, "1.9.0")
    assert result.total == pytest.approx(-0.0196225536 * HARTREE_IN_KCAL, abs=1e-6)
    assert EnergyDecomposition.from_dict(result.to_dict()) == result
    del terms["dispersion"]
    with pytest.raises(DataError, match="dispersion"):
        read_terms(terms, energies, LEVEL, "1.9.0")
    with pytest.raises(DataError, match="on the GPU"):
        decompose_on_gpu([systems.WATER, CHLORIDE], find_level("almo-eda wb97m-d3bj/def2-svp"))


def test_terms_that_do_not_add_up_are_refused() -> None:
    values = dict.fromkeys(
        ("electrostatics", "classical_electrostatics", "pauli", "dispersion", "polarization",
         "charge_transfer", "superposition_error"), 0.0,
    )  # fmt: skip
    rest = {"fragment_energies": (), "system_energy": 0.0, "program": "x", "version": "1"}
    with pytest.raises(DataError, match="add up"):
        EnergyDecomposition(**values, total=1.0, method="hf", basis="6-31g", **rest)
    with pytest.raises(DataError, match="not finite"):
        EnergyDecomposition(**values, total=np.nan, method="hf", basis="6-31g", **rest)


def test_clusters_are_split_by_their_smiles() -> None:
    xyz = np.vstack([systems.WATER.coordinates, CHLORIDE.coordinates])
    water, chloride = split_coordinates(["[O:1]([H:2])[H:3]", "[Cl-:1]"], xyz)
    assert (water.symbols, chloride.charge) == (("O", "H", "H"), -1)
    assert np.array_equal(chloride.coordinates, CHLORIDE.coordinates)
    with pytest.raises(DataError, match="has 4 atoms"):
        split_coordinates(["[O:1]([H:2])[H:3]", "[Cl-:1]"], xyz[:3])
    with pytest.raises(DataError, match="map numbers"):
        split_coordinates(["[OH2:1]", "[Cl-:1]"], xyz[:2])
