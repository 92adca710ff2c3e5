"""Exports of polarizable Interchanges: OpenMM runs them, other files hold the projection."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import openmm
import pytest
from openmm import unit

from openff_bytepol.exceptions import ExportError
from openff_bytepol.interop.amber import export_amber
from openff_bytepol.interop.engines import openmm_energy, polarizable_energy
from openff_bytepol.interop.gromacs import export_gromacs
from openff_bytepol.interop.openmm_files import export_openmm

from .systems import force_field_named, interchange
from .test_engines import check_amber, check_gromacs

MOLECULES = ["CCO", "CC#N", "[Li+]"]


@pytest.fixture(scope="module")
def polarizable():
    force_field = force_field_named("bytepol_unconstrained.offxml")
    return interchange(MOLECULES, [2, 1, 1], [30.0, 30.0, 30.0], force_field)


@pytest.mark.parametrize("export", [export_gromacs, export_amber])
def test_files_of_other_engines_announce_the_projection(export, polarizable, tmp_path) -> None:
    with pytest.warns(UserWarning, match="fixed-charge projection"):
        paths = export(polarizable, tmp_path / "polarizable")
    fixed = interchange(MOLECULES, [2, 1, 1], [30.0, 30.0, 30.0])
    for path, other in zip(paths, export(fixed, tmp_path / "fixed"), strict=True):
        assert path.read_text() == other.read_text()


@pytest.mark.gromacs
@pytest.mark.amber
@pytest.mark.filterwarnings("ignore:the files hold")
def test_projection_in_every_engine(polarizable) -> None:
    check_gromacs(polarizable)
    check_amber(polarizable)


def test_openmm_files_are_polarizable(polarizable, tmp_path: Path) -> None:
    system_path, state_path, _, script = export_openmm(polarizable, tmp_path / "liquid")
    system = openmm.XmlSerializer.deserialize(system_path.read_text())
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setState(openmm.XmlSerializer.deserialize(state_path.read_text()))
    energy = context.getState(energy=True).getPotentialEnergy()
    expected = polarizable_energy(polarizable)
    assert {"repulsion", "dispersion", "permanent", "induction"} < set(expected.terms)
    found = energy.value_in_unit(unit.kilojoule_per_mole)
    assert found == pytest.approx(expected.total, abs=1e-4)
    subprocess.run([sys.executable, "-I", str(script), "4"], check=True)
    assert (tmp_path / "liquid_final.xml").exists()


def test_script_of_the_constrained_force_field_runs(tmp_path: Path) -> None:
    force_field = force_field_named("bytepol.offxml")
    system = interchange(["CCO", "O"], [1, 2], [24.0, 24.0, 24.0], force_field)
    system_path, *_, script = export_openmm(system, tmp_path / "rigid")
    constrained = openmm.XmlSerializer.deserialize(system_path.read_text())
    assert constrained.getNumConstraints() == 6 + 2 * 3
    subprocess.run([sys.executable, "-I", str(script), "4"], check=True)
    assert (tmp_path / "rigid_final.xml").exists()


def test_openmm_files_of_the_projection(polarizable, tmp_path: Path) -> None:
    paths = export_openmm(polarizable, tmp_path / "fixed", fixed_charge=True)
    assert "AmoebaMultipoleForce" not in paths[0].read_text()
    assert "MTSLangevin" not in paths[-1].read_text()


def test_fixed_charges_have_no_polarizable_energy() -> None:
    with pytest.raises(ExportError, match="openmm_energy"):
        polarizable_energy(interchange(["CCO"]))
    assert "permanent" not in openmm_energy(interchange(["CCO"])).terms
