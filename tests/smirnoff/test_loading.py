"""Force fields by name, with and without plugins, beside others."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from openff.toolkit import ForceField
from openff.toolkit.typing.engines.smirnoff import get_available_force_fields
from openff.toolkit.utils.exceptions import IncompatibleParameterError, SMIRNOFFSpecError

from openff_bytepol.models import load_model
from openff_bytepol.smirnoff import writing
from openff_bytepol.smirnoff.writing import offxml_text

NAMES = (
    "bytepol.offxml",
    "bytepol-fixed.offxml",
    "bytepol_unconstrained.offxml",
    "bytepol-fixed_unconstrained.offxml",
)


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("load_plugins", [False, True])
def test_loads_by_name(name, load_plugins):
    force_field = ForceField(name, load_plugins=load_plugins)
    assert "BytePolvdW" in force_field.registered_parameter_handlers
    is_polarizable = "BytePolNonbonded" in force_field.registered_parameter_handlers
    assert is_polarizable == ("fixed" not in name)
    is_constrained = "Constraints" in force_field.registered_parameter_handlers
    assert is_constrained == ("unconstrained" not in name)
    assert name in get_available_force_fields()


@pytest.mark.parametrize("load_plugins", [False, True])
@pytest.mark.slow
def test_loads_first_thing_in_a_process(load_plugins):
    code = (
        "from openff.toolkit import ForceField\n"
        f"for name in {NAMES}:\n"
        f"    f = ForceField(name, load_plugins={load_plugins})\n"
        "    assert f['BytePolBonds'].model == 'bytepol-1.0'"
    )
    result = run_python(code)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_pickled_force_fields_keep_their_guards(polarizable, tmp_path):
    (tmp_path / "force_field.pickle").write_bytes(pickle.dumps(polarizable))
    code = (
        "import pickle, pytest\n"
        "from pathlib import Path\n"
        f"f = pickle.loads(Path({str(tmp_path)!r}, 'force_field.pickle').read_bytes())\n"
        "from openff.toolkit import Molecule\n"
        "from openff_bytepol.exceptions import UserChargesError\n"
        "water = Molecule.from_smiles('O')\n"
        "with pytest.raises(UserChargesError):\n"
        "    f.create_interchange([water], charge_from_molecules=[water])\n"
        "assert f.create_interchange([water]).to_openmm().getNumParticles() == 3"
    )
    result = run_python(code)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_toolkit_can_be_left_alone():
    code = (
        "from openff.toolkit import ForceField\n"
        "import pytest\n"
        "with pytest.raises(KeyError, match='BytePolBonds'):\n"
        "    ForceField('bytepol.offxml')\n"
        "ForceField('bytepol.offxml', load_plugins=True)"
    )
    result = run_python(code, BYTEPOL_REGISTER_HANDLERS="0")
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_other_force_fields_need_neither_torch_nor_dgl():
    code = (
        "import sys\n"
        "sys.modules['torch'] = None; sys.modules['dgl'] = None\n"
        "from openff.toolkit import ForceField, Molecule, Quantity\n"
        "water = Molecule.from_smiles('O')\n"
        "water.partial_charges = Quantity([-0.8, 0.4, 0.4], 'elementary_charge')\n"
        "for load_plugins in (False, True):\n"
        "    f = ForceField('openff-2.2.1.offxml', load_plugins=load_plugins)\n"
        "    f.create_interchange(water.to_topology(), charge_from_molecules=[water])\n"
        "assert not any(m.startswith('openff_bytepol.models') for m in sys.modules)"
    )
    result = run_python(code)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", NAMES)
def test_shipped_files_belong_to_the_default_model(name):
    shipped = ForceField(name)
    text = offxml_text("bytepol", fixed="fixed" in name, constraints="unconstrained" not in name)
    assert shipped.to_string() == ForceField(text).to_string()
    assert (Path(writing.__file__).parent / "offxml" / name).read_text() == text
    assert shipped["BytePolBonds"].sha256 == load_model().sha256


@pytest.mark.parametrize("name", NAMES)
def test_attributes_survive_every_copy(name):
    original = ForceField(name)
    original["BytePolvdW"].cutoff = "8.0 * angstrom"
    copies = [
        ForceField(original.to_string()),
        copy.deepcopy(original),
        pickle.loads(pickle.dumps(original)),
    ]
    for other in copies:
        assert other.to_string() == original.to_string()
        assert hash(other) == hash(original)
        assert other["BytePolvdW"].cutoff.m_as("angstrom") == 8.0
        for tag in set(original.registered_parameter_handlers) - {"Constraints"}:
            assert other[tag].model == original[tag].model
            assert other[tag].sha256 == original[tag].sha256


def test_settings_are_written_as_the_model_has_them(polarizable):
    section = polarizable["BytePolNonbonded"]
    settings = load_model().config.settings
    assert section.charge_scale14 == settings.charge_14
    assert section.vdw_scale14 == settings.vdw_14
    assert section.induction_scale14 == settings.induction_14
    assert section.repulsion_s12 == settings.repulsion_s12
    assert section.dispersion_damping == settings.dispersion_damping
    assert section.dispersion_c8 == settings.dispersion_c8
    assert section.thole == settings.thole


def test_other_force_fields_stay_as_they_are(sage):
    before = ForceField("openff-2.2.1.offxml")
    ForceField("bytepol.offxml")
    after = ForceField("openff-2.2.1.offxml")
    assert before.to_string() == after.to_string() == sage.to_string()
    assert not any("BytePol" in tag for tag in after.registered_parameter_handlers)
    assert not any("BytePol" in tag for tag in ForceField()._parameter_handler_classes)
    with pytest.raises(KeyError, match="Cannot find a registered parameter handler"):
        after.get_parameter_handler("NoSuchSection")


def test_combining_force_fields(fixed):
    same = fixed.combine(ForceField("bytepol-fixed_unconstrained.offxml"))
    assert same.to_string() == fixed.to_string().replace(
        "<Author>openff-bytepol<", "<Author>openff-bytepol AND openff-bytepol<"
    )
    other = ForceField("bytepol-fixed.offxml")
    other["BytePolvdW"].cutoff = "8.0 * angstrom"
    with pytest.raises(IncompatibleParameterError, match="different cutoff"):
        fixed.combine(other)


@pytest.mark.parametrize("path", ["m/s", "12", "mole"])
def test_paths_that_read_like_quantities_are_refused(path):
    text = offxml_text("bytepol").replace('model="bytepol-1.0"', f'model="{path}"')
    with pytest.raises(SMIRNOFFSpecError, match="with a leading"):
        ForceField(text)


def test_unknown_method_is_refused():
    text = offxml_text("bytepol").replace('polarization="mutual"', 'polarization="direct"')
    with pytest.raises(SMIRNOFFSpecError, match="is not one of mutual"):
        ForceField(text)


def test_model_and_hash_are_required():
    text = offxml_text("bytepol").replace(f' sha256="{load_model().sha256}"', "", 1)
    with pytest.raises(SMIRNOFFSpecError, match="sha256"):
        ForceField(text)
