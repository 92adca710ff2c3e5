"""The published file layout: reading, round trips, and GROMACS' own view of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields, replace

import openmm
import pytest
import torch
from openmm import app

from openff_bytepol.exceptions import DataError, ExportError, OutputExistsError, ParameterError
from openff_bytepol.interop.byteff_pol_files import read_byteff_pol_files, write_byteff_pol_files
from openff_bytepol.interop.layout import Layout
from openff_bytepol.interop.openmm_valence import valence_forces
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.settings import PUBLISHED_SETTINGS, NonbondedSettings
from tests.factories import C8, ethane
from tests.interop import published
from tests.interop.evaluate import alone, energy

NAMES = ("ACT", "AFGBL", "DMC", "EC", "LI", "PF6")


def assert_close(first: ParameterSet, second: ParameterSet) -> None:
    for field in fields(ParameterSet):
        a, b = getattr(first, field.name), getattr(second, field.name)
        if field.name == "settings":
            assert a == b
        elif a.dtype == torch.int64:
            assert torch.equal(a, b), field.name
        else:
            assert a.shape == b.shape, field.name
            assert torch.allclose(a, b, rtol=1e-10, atol=0.0), field.name


def test_published_acetone(reference_data):
    """Numbers copied by hand from ACT.json and ACT.itp."""
    acetone = published.molecule(reference_data, "ACT")
    assert acetone.settings == PUBLISHED_SETTINGS
    assert acetone.atomic_numbers.tolist() == [6, 6, 6, 8, 1, 1, 1, 1, 1, 1]
    assert acetone.charges[3] == -0.5425733923912048
    assert acetone.polarizabilities[0].item() == pytest.approx(1.816313131712377)
    assert acetone.radii[3].item() == pytest.approx(1.0790371149778366)
    assert acetone.epsilons[3].item() == pytest.approx(398.94989013671875 / 4.184)
    assert acetone.c6[0].item() == pytest.approx(0.002343191532418132e6 / 4.184)
    assert acetone.ct_epsilons[3].item() == pytest.approx(0.2411059814453125e4 / 4.184)
    assert acetone.bonds[5].tolist() == [1, 3]
    assert acetone.bond_r0[5].item() == pytest.approx(1.21974)
    assert acetone.bond_k[5].item() == pytest.approx(690050.643457 / 418.4)
    assert acetone.angles[1].tolist() == [0, 1, 3]
    assert acetone.angle_theta0[1].rad2deg().item() == pytest.approx(122.423477)
    assert acetone.propers[0].tolist() == [0, 1, 2, 7]
    expected = [k / 4.184 for k in (-3.246877, 5.145924, 1.246576, 0.145587)]
    assert acetone.proper_k[0].tolist() == pytest.approx(expected, rel=1e-12)
    assert acetone.impropers.tolist() == [[1, 0, 2, 3], [1, 2, 3, 0], [1, 3, 0, 2]]
    assert acetone.improper_k[0].item() == pytest.approx(55.786667 / 4.184)


@pytest.mark.parametrize("name", NAMES)
def test_round_trip(reference_data, tmp_path, name):
    molecule = published.molecule(reference_data, name)
    paths = write_byteff_pol_files(molecule, tmp_path / "new", name)
    assert [path.name for path in paths] == [
        f"{name}.json",
        f"{name}.itp",
        f"{name}.atp",
        f"{name}_nb_params.json",
    ]
    assert_close(read_byteff_pol_files(paths[1]), molecule)


@pytest.mark.parametrize("name", NAMES)
def test_json_as_published(reference_data, tmp_path, name):
    molecule = published.molecule(reference_data, name)
    written = json.loads(write_byteff_pol_files(molecule, tmp_path, name)[0].read_text())
    original = json.loads((reference_data / published.FOLDER / name / f"{name}.json").read_text())
    assert list(written) == list(original)
    for key, values in original.items():
        assert written[key] == pytest.approx(values, rel=1e-12)


@pytest.mark.parametrize("name", ["ACT", "EC"])
def test_bonded_energy_as_gromacs_files_say(reference_data, tmp_path, name):
    """OpenMM's own reader of GROMACS files gives the energies of our valence forces."""
    molecule = published.molecule(reference_data, name)
    write_byteff_pol_files(molecule, tmp_path, name)
    top = tmp_path / "system.top"
    top.write_text(
        "[ defaults ]\n1 2 yes 0.5 0.8333\n"
        f'#include "{name}.atp"\n#include "{name}.itp"\n'
        f"[ system ]\n{name}\n[ molecules ]\n{name} 1\n"
    )
    system = app.GromacsTopFile(str(top)).createSystem(nonbondedMethod=app.NoCutoff)
    for index in reversed(range(system.getNumForces())):
        if isinstance(system.getForce(index), openmm.NonbondedForce | openmm.CMMotionRemover):
            system.removeForce(index)
    molecules, positions = published.electrolyte(reference_data)
    start = 0 if name == "EC" else sum(m.n_atoms for m in molecules[:2])
    x = positions[start : start + molecule.n_atoms]
    layout = Layout.from_placements([molecule], [(0, range(molecule.n_atoms))], molecule.n_atoms)
    ours = energy(alone(valence_forces(layout), molecule.n_atoms), x)
    assert abs(ours) > 1.0
    assert energy(system, x) == pytest.approx(ours, abs=1e-7)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (NonbondedSettings(), "scales all 1-4 interactions by 0.5, unlike"),
        (PUBLISHED_SETTINGS.model_copy(update=C8), "files has no C8 in its dispersion energy"),
        (NonbondedSettings(**C8), "by 0.5 and has no C8"),
    ],
)
def test_settings_that_readers_do_not_have(tmp_path, settings, reason):
    molecule = replace(ethane(), settings=settings)
    with pytest.raises(ExportError, match=f"{reason}.*other_scaling=True"):
        write_byteff_pol_files(molecule, tmp_path, "ethane")
    assert not list(tmp_path.iterdir())
    itp = write_byteff_pol_files(molecule, tmp_path, "ethane", other_scaling=True)[1]
    constants = json.loads((tmp_path / "ethane_nb_params.json").read_text())["metadata"]
    assert constants.get("disp_c8", 0.0) == settings.dispersion_c8
    assert_close(read_byteff_pol_files(itp), molecule)
    given = NonbondedSettings(thole=0.3)
    assert read_byteff_pol_files(itp, settings=given).settings == given


def test_nothing_is_overwritten(tmp_path):
    molecule = replace(ethane(), settings=PUBLISHED_SETTINGS)
    paths = write_byteff_pol_files(molecule, tmp_path, "ethane")
    paths[0].unlink()
    before = paths[1].read_text()
    with pytest.raises(OutputExistsError, match=r"ethane\.itp"):
        write_byteff_pol_files(ethane(5), tmp_path, "ethane", other_scaling=True)
    assert not paths[0].exists()
    assert paths[1].read_text() == before
    write_byteff_pol_files(ethane(5), tmp_path, "ethane", other_scaling=True, overwrite=True)
    assert_close(read_byteff_pol_files(paths[1]), ethane(5))


def test_one_molecule_only(tmp_path):
    with pytest.raises(ParameterError, match="one molecule"):
        write_byteff_pol_files(ParameterSet.concatenate([ethane(), ethane()]), tmp_path, "two")


@pytest.fixture
def copied(reference_data, tmp_path):
    """Copy of the acetone files, to be spoilt."""
    for suffix in ("json", "itp"):
        shutil.copyfile(
            reference_data / published.FOLDER / "ACT" / f"ACT.{suffix}", tmp_path / f"ACT.{suffix}"
        )
    return tmp_path / "ACT.itp"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[ atoms ]", "[ nothing ]"),
        ("         1         2     1 ", "         1         2     3 "),
        ("9     9        0.000000       -3.246877         1", "9 9 90.0 -3.246877 1"),
        ("         8     9        0.000000       -3.246877         1", "8 9 0.0 -3.246877 7"),
        ("180.000000       55.786667         2", "0.0 55.786667 2"),
        ("0.152365", "short"),
        ("        o3 ", "        xx3 "),
    ],
)
def test_itp_of_another_form(copied, old, new):
    text = copied.read_text()
    assert old in text
    copied.write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=r"ACT\.itp is not a ByteFF-Pol"):
        read_byteff_pol_files(copied)


def test_missing_and_broken_files(copied):
    with pytest.raises(DataError, match=r"EC\.itp"):
        read_byteff_pol_files(copied.with_name("EC.itp"))
    values = json.loads(copied.with_suffix(".json").read_text())
    del values["alpha"][0]
    copied.with_suffix(".json").write_text(json.dumps(values))
    with pytest.raises(DataError, match=r"9 values of 'alpha'; .* has 10 atoms"):
        read_byteff_pol_files(copied)
    copied.with_suffix(".json").write_text("{")
    with pytest.raises(DataError, match=r"ACT\.json cannot be read"):
        read_byteff_pol_files(copied)
