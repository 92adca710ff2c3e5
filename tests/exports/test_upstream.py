"""Files that Interchange's own exporters write, for users who call them directly."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from openff.interchange.drivers import get_amber_energies, get_openmm_energies

from openff_bytepol.interop.executables import find_sander
from openff_bytepol.interop.gromacs import export_gromacs
from openff_bytepol.interop.gromacs_energies import gromacs_file_energy

from .systems import interchange

TOLERANCE = 0.03
"""kJ/mol: the engines' default meshes and AMBER's own Coulomb constant."""

MOLECULES = ["CCO", "F[P-](F)(F)(F)(F)F", "CC(=O)NC", "C1CC1CO"]


def total(report) -> float:
    return report.total_energy.m_as("kilojoule / mole")


@pytest.mark.amber
@pytest.mark.parametrize("smiles", MOLECULES)
def test_amber_files(smiles: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(find_sander()).parent}{os.pathsep}{os.environ['PATH']}")
    system = interchange([smiles], box=[40.0, 40.0, 40.0])
    assert total(get_amber_energies(system)) == pytest.approx(
        total(get_openmm_energies(system)), abs=TOLERANCE
    )


@pytest.mark.gromacs
@pytest.mark.parametrize("smiles", MOLECULES)
def test_gromacs_files(smiles: str, tmp_path: Path) -> None:
    system = interchange([smiles], box=[40.0, 40.0, 40.0])
    prefix = tmp_path / "system"
    export_gromacs(system, prefix)
    ours = gromacs_file_energy(prefix)
    system.to_top(f"{prefix}.top")
    system.to_gro(f"{prefix}.gro", decimal=8)
    assert gromacs_file_energy(prefix).total == pytest.approx(ours.total, abs=TOLERANCE)
