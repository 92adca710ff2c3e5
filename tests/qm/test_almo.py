"""ALMO-EDA: published Q-Chem values, independent totals, invariances and limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from openff_bytepol.exceptions import DataError
from openff_bytepol.qm import EnergyDecomposition, Fragment, Level
from openff_bytepol.units import COULOMB, HARTREE_IN_KCAL
from tests.qm import systems

pytest.importorskip("pyscf")
from openff_bytepol.qm.almo import decompose
from openff_bytepol.qm.mean_field import build_mean_field, build_molecule

SMALL = Level("small", "almo-eda", "pyscf", "hf", "6-31g", None)
QCHEM = 2625.531 / 2625.4996
"""Q-Chem's kJ/mol per hartree over CODATA's."""
NAMES = (
    "total", "frozen", "electrostatics", "classical_electrostatics", "dispersion", "pauli",
    "polarization", "charge_transfer",
)  # fmt: skip


def kilojoules(result: EnergyDecomposition) -> dict[str, float]:
    return {name: getattr(result, name) * 4.184 * QCHEM for name in NAMES}


def expected(values: str) -> dict[str, float]:
    return dict(zip(NAMES, map(float, values.split()), strict=True))


LITHIUM = Fragment(("Li",), np.array([[0.3, 0.2, 2.1]]), 1)


@pytest.fixture(scope="module")
def lithium_water() -> EnergyDecomposition:
    return decompose([systems.WATER, LITHIUM], SMALL)


def test_terms_of_three_fragments_are_those_of_qchem() -> None:
    """Q-Chem 6 EDA2, HF/def2-SVP, kJ/mol, as quoted in gpu4pyscf's tests."""
    level = Level("x", "almo-eda", "pyscf", "hf", "def2-svp", None)
    result = decompose([systems.PEROXIDE, systems.METHANOL, systems.NEON], level)
    reference = "-29.5993 -5.0756 -79.8476 -45.5569 0.0000 74.7720 -6.6736 -17.8500"
    assert kilojoules(result) == pytest.approx(expected(reference), abs=0.01)
    energies = [-150.6495465870, -114.9539939337, -128.3764068109]
    assert result.fragment_energies == pytest.approx(energies, abs=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "basis", "fragments", "reference"),
    [
        (
            "pbe", "cc-pvdz", systems.LITHIUMS[:2],
            "553.9834 555.2922 555.3023 555.3150 -0.0273 0.0171 -0.3832 -0.9256",
        ),
        (
            "pbe", "cc-pvdz", systems.LITHIUMS,
            "980.0584 981.3959 981.4061 981.4190 -0.0275 0.0173 -0.3721 -0.9654",
        ),
        (
            "pbe0", "def2-tzvpp", (systems.HYDRONIUM, systems.HYDROXIDE),
            "-536.3337 -438.8586 -445.0982 -441.1186 -1.5747 7.8144 -15.5046 -81.9705",
        ),
    ],
)  # fmt: skip
def test_density_functional_terms_are_those_of_qchem(
    method: str, basis: str, fragments: tuple[Fragment, ...], reference: str
) -> None:
    """Q-Chem 6 EDA2, kJ/mol, as quoted in gpu4pyscf's tests; grid (99, 590)."""
    level = Level("x", "almo-eda", "pyscf", method, basis, None, grid=(99, 590))
    result = decompose(fragments, level)
    assert kilojoules(result) == pytest.approx(expected(reference), abs=0.01)


def test_total_is_the_supermolecular_interaction(lithium_water: EnergyDecomposition) -> None:
    from pyscf import gto, scf

    water = [(s, tuple(x)) for s, x in zip("OHH", systems.WATER.coordinates, strict=True)]
    lithium = [("Li", (0.3, 0.2, 2.1))]
    energies = [
        scf.RHF(gto.M(atom=atoms, basis="6-31g", charge=charge, verbose=0)).kernel()
        for atoms, charge in ((water + lithium, 1), (water, 0), (lithium, 1))
    ]
    interaction = (energies[0] - energies[1] - energies[2]) * HARTREE_IN_KCAL
    assert lithium_water.total == pytest.approx(interaction, abs=1e-4)
    assert lithium_water.system_energy == pytest.approx(energies[0], abs=1e-7)


def test_frozen_is_the_energy_of_the_antisymmetrized_fragments(
    lithium_water: EnergyDecomposition,
) -> None:
    """Heitler-London energy from PySCF's own functional of D = 2 C (C'SC)^-1 C'."""
    from scipy.linalg import block_diag

    fields = [
        build_mean_field(build_molecule(f, "6-31g"), SMALL).run() for f in (systems.WATER, LITHIUM)
    ]
    whole = Fragment(
        ("O", "H", "H", "Li"), np.vstack([systems.WATER.coordinates, LITHIUM.coordinates]), 1
    )
    field = build_mean_field(build_molecule(whole, "6-31g"), SMALL)
    occupied = block_diag(*[f.mo_coeff[:, f.mo_occ > 0] for f in fields])
    overlap = occupied.T @ field.get_ovlp() @ occupied
    energy = field.energy_tot(2 * occupied @ np.linalg.solve(overlap, occupied.T))
    frozen = (energy - sum(f.e_tot for f in fields)) * HARTREE_IN_KCAL
    assert lithium_water.frozen == pytest.approx(frozen, abs=1e-4)
    assert lithium_water.dispersion == 0.0


def test_relaxation_only_lowers_the_energy(lithium_water: EnergyDecomposition) -> None:
    assert lithium_water.polarization < -1.0
    assert lithium_water.charge_transfer < 0.0
    assert lithium_water.pauli > 0.0
    assert lithium_water.electrostatics < -20.0


def test_order_of_fragments_and_orientation_do_not_matter(
    lithium_water: EnergyDecomposition,
) -> None:
    turn = Rotation.from_euler("xyz", (0.3, -1.1, 2.0)).as_matrix()
    moved = [
        Fragment(f.symbols, f.coordinates @ turn.T + 3.0, f.charge)
        for f in (LITHIUM, systems.WATER)
    ]
    result = decompose(moved, SMALL)
    for name in NAMES:
        assert getattr(result, name) == pytest.approx(getattr(lithium_water, name), abs=1e-4), name


def test_terms_vanish_far_away_except_for_electrostatics() -> None:
    far = Fragment(("Li",), np.array([[0.0, 0.0, 60.0]]), 1)
    other = Fragment(("F",), np.zeros((1, 3)), -1)
    result = decompose([other, far], SMALL)
    assert result.electrostatics == pytest.approx(-COULOMB / 60.0, rel=1e-6)
    assert result.classical_electrostatics == pytest.approx(result.electrostatics, abs=1e-6)
    terms = [result.pauli, result.dispersion, result.charge_transfer]
    assert terms == pytest.approx([0.0, 0.0, 0.0], abs=1e-4)
    assert -0.05 < result.polarization <= 1e-6


@pytest.mark.slow
def test_an_ion_pair_stays_ionic_where_its_ground_state_is_not() -> None:
    """With PBE0 the hole of F- lies above the empty orbital of a distant Li+."""
    far = Fragment(("Li",), np.array([[0.0, 0.0, 60.0]]), 1)
    other = Fragment(("F",), np.zeros((1, 3)), -1)
    level = Level("small", "almo-eda", "pyscf", "pbe0", "6-31g", grid=(30, 110))
    result = decompose([other, far], level)
    assert result.charge_transfer <= 1e-4
    assert result.electrostatics == pytest.approx(-COULOMB / 60.0, rel=1e-6)


def test_counterpoise_takes_the_superposition_error_out() -> None:
    fragments = [systems.WATER, systems.NEON]
    plain = decompose(fragments, SMALL)
    corrected = decompose(fragments, SMALL, counterpoise=True)
    assert corrected.superposition_error > 0.001
    assert corrected.total == pytest.approx(plain.total + corrected.superposition_error)
    assert corrected.charge_transfer == pytest.approx(
        plain.charge_transfer + corrected.superposition_error
    )
    assert corrected.frozen == pytest.approx(plain.frozen, abs=1e-6)


def test_d3_is_part_of_dispersion_and_of_the_total() -> None:
    dftd3 = pytest.importorskip("dftd3.interface")
    neon = Fragment(("Ne",), np.array([[0.0, 0.0, 3.0]]))
    fragments = [neon, Fragment(("Ne",), np.zeros((1, 3)))]
    with_d3 = decompose(fragments, Level("x", "almo-eda", "pyscf", "pbe0-d3bj", "6-31g"))
    without = decompose(fragments, Level("x", "almo-eda", "pyscf", "pbe0", "6-31g"))
    positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 3.0]]) / 0.529177210903
    model = dftd3.DispersionModel(np.array([10, 10]), positions)
    damping = dftd3.RationalDampingParam(method="pbe0", atm=False)
    pair = model.get_dispersion(damping, grad=False)["energy"] * HARTREE_IN_KCAL
    assert pair < -0.01
    assert with_d3.dispersion - without.dispersion == pytest.approx(pair, abs=1e-5)
    assert with_d3.total - without.total == pytest.approx(pair, abs=1e-5)


def test_density_fitting_changes_terms_little() -> None:
    exact = decompose(
        [systems.WATER, LITHIUM], Level("x", "almo-eda", "pyscf", "hf", "def2-svp", None)
    )
    fitted = decompose([systems.WATER, LITHIUM], Level("x", "almo-eda", "pyscf", "hf", "def2-svp"))
    for name in NAMES:
        assert getattr(fitted, name) == pytest.approx(getattr(exact, name), abs=0.05), name


@pytest.mark.slow
def test_vv10_is_dispersion_and_consistent_with_the_scf() -> None:
    """Charge transfer is the difference of PySCF's energy and that of `Functional`."""
    neon = [Fragment(("Ne",), np.array([[0.0, 0.0, z]])) for z in (0.0, 3.1)]
    grids = {"grid": (40, 194), "nonlocal_grid": (30, 110)}
    with_vv10 = decompose(neon, Level("x", "almo-eda", "pyscf", "wb97m-v", "6-31g", **grids))
    without = decompose(neon, Level("x", "almo-eda", "pyscf", "wb97m-d3bj", "6-31g", **grids))
    assert -0.05 < with_vv10.charge_transfer < 1e-4
    assert -0.5 < with_vv10.dispersion < -0.02
    assert with_vv10.dispersion == pytest.approx(without.dispersion, abs=0.1)
    assert with_vv10.electrostatics == pytest.approx(without.electrostatics, abs=0.01)


def test_systems_that_cannot_be_decomposed_are_refused() -> None:
    with pytest.raises(DataError, match="two fragments"):
        decompose([systems.WATER], SMALL)
    iodide = Fragment(("I",), np.array([[0.0, 0.0, 5.0]]), -1)
    with pytest.raises(DataError, match="core potentials"):
        decompose([systems.WATER, iodide], Level("x", "almo-eda", "pyscf", "hf", "def2-svp"))
    with pytest.raises(DataError, match="closed shells"):
        Fragment(("H",), np.zeros((1, 3)))
