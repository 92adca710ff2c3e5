"""OpenMM files hold the system exactly and run without this package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm import app, unit

from openff_bytepol.exceptions import ExportError, OutputExistsError
from openff_bytepol.interop import openmm_files
from openff_bytepol.interop.engines import openmm_energy
from openff_bytepol.interop.openmm_files import export_openmm

from .systems import interchange, sage


def energy_of_files(prefix: Path) -> float:
    system = openmm.XmlSerializer.deserialize(Path(f"{prefix}_system.xml").read_text())
    state = openmm.XmlSerializer.deserialize(Path(f"{prefix}_state.xml").read_text())
    reference = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), reference)
    context.setState(state)
    energy = context.getState(energy=True).getPotentialEnergy()
    return energy.value_in_unit(unit.kilojoule_per_mole)


def test_files_hold_the_system_in_full_precision(tmp_path: Path) -> None:
    system = interchange(["CCO", "[Li+]", "CC#N"], [2, 1, 1])
    export_openmm(system, tmp_path / "mix")
    assert energy_of_files(tmp_path / "mix") == pytest.approx(openmm_energy(system).total, abs=1e-6)


@pytest.mark.parametrize(("suffix", "reader"), [(".pdb", app.PDBFile), (".cif", app.PDBxFile)])
def test_structure_names_every_atom(suffix: str, reader: type, tmp_path: Path, monkeypatch) -> None:
    """Ions have no atom names, and a name that is missing shifts every column of a .cif."""
    if suffix == ".cif":
        monkeypatch.setattr(openmm_files, "_LARGEST_PDB", 20)
    system = interchange(["[Li+]", "CCO", "O"], [1, 2, 1], [25.0, 26.0, 27.0])
    export_openmm(system, tmp_path / "mix")
    structure = reader(str(tmp_path / f"mix{suffix}"))
    elements = [atom.element.atomic_number for atom in structure.topology.atoms()]
    assert elements == [atom.atomic_number for atom in system.topology.atoms]
    assert [residue.name for residue in structure.topology.residues()] == [
        "LI",
        "MOL",
        "MOL",
        "HOH",
    ]
    written = structure.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    np.testing.assert_allclose(written, system.positions.m_as("angstrom"), atol=1e-3)
    box = structure.topology.getPeriodicBoxVectors().value_in_unit(unit.angstrom)
    np.testing.assert_allclose(np.array(box), np.diag([25.0, 26.0, 27.0]), atol=1e-3)


@pytest.mark.parametrize(
    "force_field",
    ["openff_unconstrained-2.2.1.offxml", "openff-2.2.1.offxml", "bytepol-fixed.offxml"],
)
def test_script_runs(force_field: str, tmp_path: Path) -> None:
    system = interchange(["CCO"], [8], [22.0, 22.0, 22.0], sage(force_field))
    paths = export_openmm(system, tmp_path / "ethanol")
    subprocess.run([sys.executable, "-I", str(paths[-1]), "20"], check=True, cwd=tmp_path.parent)
    final = (tmp_path / "ethanol_final.xml").read_text()
    assert "Positions" in final
    assert "nan" not in (tmp_path / "ethanol_run.csv").read_text().lower()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    system = interchange(["CCO"])
    paths = export_openmm(system, tmp_path / "ethanol")
    with pytest.raises(OutputExistsError, match=r"ethanol_system\.xml"):
        export_openmm(system, tmp_path / "ethanol")
    assert export_openmm(system, tmp_path / "ethanol", overwrite=True) == paths


def test_positions_are_needed(tmp_path: Path) -> None:
    system = interchange(["CCO"])
    system.positions = None
    with pytest.raises(ExportError, match="positions"):
        export_openmm(system, tmp_path / "ethanol")


def test_virtual_sites_are_refused(tmp_path: Path) -> None:
    system = interchange(["O"], force_field=sage("tip4p_fb.offxml"))
    with pytest.raises(ExportError, match="virtual sites"):
        export_openmm(system, tmp_path / "water")
