"""Readers of public files, perception of molecules, splits."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from openff_bytepol.exceptions import DataError
from openff_bytepol.smiles import canonical_smiles
from openff_bytepol.training.dimer_files import read_dimers, read_frames
from openff_bytepol.training.labels.geometries import (
    conformers,
    from_mapped_smiles,
    hydrogenated,
    rotatable_bonds,
    torsion_scan,
)
from openff_bytepol.training.labels.pool import charged_forms, choose_molecules, supported
from openff_bytepol.training.moments import read_responses
from openff_bytepol.training.perception import mapped_smiles
from openff_bytepol.training.references import read_torsion_scans
from openff_bytepol.training.splits import assign, in_share, pair_key, scaffold_key

NCIA = """6
Properties=species:S:1:pos:R:3 set=NCIA_X id=1_100 name="water ... water" charge_a=0 charge_b=0 \
selection_a=4-6 selection_b=1-3 ccsdt_cbs=-5.0 sapt_b3lyp_elst=-8.0 sapt_b3lyp_exch=8.0 \
sapt_b3lyp_ind=-1.5 sapt_b3lyp_dhf=-0.7 sapt_b3lyp_disp=-2.6 sapt_b3lyp_total={total}
O 0.000 0.000 0.000
H 0.960 0.000 0.000
H -0.240 0.930 0.000
O 0.000 0.000 {z}
H 0.960 0.000 {z}
H -0.240 0.930 {z}
"""


def ncia(z: float = 3.0, total: float = -4.8) -> str:
    return NCIA.replace("\\\n", "").format(z=z, total=total)


def test_ncia_dimer(tmp_path: Path) -> None:
    path = tmp_path / "d.xyz.gz"
    with gzip.open(path, "wt") as handle:
        handle.write(ncia() + ncia(total=-4.0))
    found = read_dimers(path, "ncia")
    assert found.dropped == {"components do not add up": 1}
    (row,) = found.rows
    assert row["ind"] == pytest.approx(-2.2), "induction includes delta-HF"
    assert row["total"] == -5.0
    assert canonical_smiles(row["smiles_a"]) == "O"
    np.testing.assert_allclose(row["coordinates"].reshape(-1, 3)[0], [0.0, 0.0, 3.0])


def test_truncated_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "d.xyz"
    path.write_text(ncia()[:-40])
    with pytest.raises(DataError, match="truncated"):
        list(read_frames(path))


def test_excluded_subset(tmp_path: Path) -> None:
    path = tmp_path / "d.xyz"
    path.write_text(ncia())
    with pytest.raises(DataError, match="excluded subset"):
        read_dimers(path, "ncia", ("NCIA_X",))


@pytest.mark.slow
def test_public_dimers(reference_data: Path) -> None:
    found = read_dimers(reference_data / "data/dimers/sapt10k.xyz.gz", "sapt10k", ("S22x5",))
    assert len(found.rows) > 8500
    assert found.dropped["components do not add up"] > 0
    assert not any(row["subset"] == "S22x5" for row in found.rows)


def test_torsion_scans(reference_data: Path) -> None:
    scans = read_torsion_scans(reference_data / "data/monomers/torsion_scans.json")
    assert len(scans) == 30
    neutral = [scan for scan in scans if scan.charge == 0]
    error = [np.std(s.energies["espaloma_0.3.2"] - s.energies["reference"]) for s in neutral]
    assert np.mean(error) == pytest.approx(1.21, abs=0.005)
    assert scans[0].coordinates.shape[0] == len(scans[0].angles)


def test_dipoles_and_polarizabilities(reference_data: Path) -> None:
    molecules = read_responses(reference_data / "data/monomers/gscdb138_subset.tar.gz")
    water = [m for m in molecules if m.name == "H2O"]
    dipole = next(m.dipole for m in water if m.dipole)
    alpha = next(m.polarizability for m in water if m.polarizability)
    assert np.linalg.norm(list(dipole.values())) == pytest.approx(0.73, abs=0.01)
    assert np.mean(list(alpha.values())) == pytest.approx(9.5, abs=0.2)


@pytest.mark.parametrize(
    "smiles", ["CC(=O)[O-]", "c1ccncc1", "C[NH3+]", "CS(C)(=O)=O", "C#N", "[Na+]", "OC(=O)c1ccccc1"]
)
def test_molecules_are_perceived_from_coordinates(smiles: str) -> None:
    mol = hydrogenated(smiles)
    numbers = np.array([a.GetAtomicNum() for a in mol.GetAtoms()])
    xyz = conformers(mol, 1, 1)[0] if len(numbers) > 1 else np.zeros((1, 3))
    found = mapped_smiles(numbers, xyz, Chem.GetFormalCharge(mol))
    assert canonical_smiles(found) == Chem.CanonSmiles(smiles)
    again = from_mapped_smiles(found)
    assert [a.GetAtomicNum() for a in again.GetAtoms()] == numbers.tolist()


def test_wrong_charge_is_refused() -> None:
    mol = hydrogenated("O")
    with pytest.raises(DataError):
        mapped_smiles(np.array([8, 1, 1]), conformers(mol, 1, 1)[0], 1)


def test_torsion_scan_turns_only_what_it_should() -> None:
    mol = hydrogenated("CCO")
    start = conformers(mol, 1, 1)[0]
    dihedral = rotatable_bonds(mol)[0]
    scan = torsion_scan(mol, start, dihedral, [0.0, 120.0, 240.0])
    assert scan.shape == (3, 9, 3)
    angles = [dihedral_angle(x, dihedral) for x in scan]
    np.testing.assert_allclose((np.diff(angles) + 360) % 360, 120.0, atol=3.0)


def dihedral_angle(x: np.ndarray, atoms: tuple[int, int, int, int]) -> float:
    a, b, c, d = x[list(atoms)]
    n1, n2 = np.cross(b - a, c - b), np.cross(c - b, d - c)
    sign = np.sign(np.dot(n1, d - c))
    return float(np.degrees(sign * np.arccos(n1 @ n2 / np.linalg.norm(n1) / np.linalg.norm(n2))))


@pytest.mark.parametrize("smiles", ["[Na]", "C.C", "[CH3]", "[13CH4]", "[SiH4]", "CCCCCCC"])
def test_unsupported_pool_molecules_are_skipped(smiles: str) -> None:
    assert supported(smiles, 5) is None


def test_charged_forms() -> None:
    assert charged_forms("CC(=O)O") == ["CC(=O)[O-]"]
    assert charged_forms("CCN") == ["CC[NH3+]"]
    assert charged_forms("CC(N)=O") == []


def test_choice_of_molecules_is_repeatable(tmp_path: Path) -> None:
    pool = tmp_path / "pool.smi"
    pool.write_text("\n".join("C" * n + "O" for n in range(1, 12)))
    keywords = {
        "pools": {"alcohols": (pool, 5)},
        "extra": ["O", "[NH4+]"],
        "n_ions": 0,
        "max_heavy_atoms": 8,
        "exclude": frozenset({"CO"}),
        "seed": 1,
    }
    first, second = choose_molecules(**keywords), choose_molecules(**keywords)
    assert first == second
    smiles = {entry.smiles for entry in first}
    assert {"O", "[NH4+]"} <= smiles
    assert "CO" not in smiles


def test_splits_depend_on_groups_only() -> None:
    assert pair_key("CO", "O") == pair_key("O", "CO")
    assert scaffold_key("Cc1ccccc1") == scaffold_key("Oc1ccccc1") == "c1ccccc1"
    assert scaffold_key("CCO") == "CCO"
    shares = [assign(str(i), 0.2, 1) for i in range(4000)]
    assert shares.count("test") == pytest.approx(800, rel=0.1)
    assert shares.count("validation") == pytest.approx(400, rel=0.15)


def test_shares_of_the_training_data_are_nested_and_independent_of_the_split() -> None:
    keys = [str(i) for i in range(4000)]
    quarter, half = ({k for k in keys if in_share(k, share, 1)} for share in (0.25, 0.5))
    assert quarter < half
    assert len(quarter) == pytest.approx(1000, rel=0.1)
    tested = [k for k in keys if assign(k, 0.2, 1) == "test"]
    assert len(quarter.intersection(tested)) == pytest.approx(len(tested) / 4, rel=0.25)
    assert {k for k in keys if in_share(k, 1.0, 1)} == set(keys)
