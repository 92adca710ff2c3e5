"""Saving, copying and joining Interchanges."""

from __future__ import annotations

import copy
import pickle

import pytest
from openff.interchange import Interchange
from openff.interchange.warnings import InterchangeCombinationWarning
from openff.toolkit import Molecule

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.smirnoff import read_interchange
from tests.smirnoff.conftest import cluster, molecule
from tests.smirnoff.openmm_terms import force_energies, total
from tests.smirnoff.test_loading import run_python

COPIES = {
    "json": lambda i: Interchange.model_validate_json(i.model_dump_json()),
    "pickle": lambda i: pickle.loads(pickle.dumps(i)),
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("how", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("name", ["polarizable", "fixed"])
def test_copies_have_the_same_energy(name, how, request):
    interchange = request.getfixturevalue(name).create_interchange(cluster("CC(C)=O", "O", "O"))
    other = how(interchange)
    assert set(other.collections) == set(interchange.collections)
    assert force_energies(other)[0] == pytest.approx(force_energies(interchange)[0], abs=1e-8)
    again = how(other)
    assert total(again) == pytest.approx(total(interchange), abs=1e-8)


def test_copies_are_independent(polarizable):
    interchange = polarizable.create_interchange(cluster("O"))
    before = total(interchange)
    other = copy.deepcopy(interchange)
    for potential in other["Bonds"].potentials.values():
        potential.parameters["k"] = 2 * potential.parameters["k"]
    assert total(other) != pytest.approx(before, abs=1e-3)
    assert total(interchange) == pytest.approx(before, abs=1e-12)
    assert total(polarizable.create_interchange(cluster("O"))) == pytest.approx(before, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["polarizable", "fixed"])
def test_json_and_pickle_in_another_process(name, request, tmp_path):
    interchange = request.getfixturevalue(name).create_interchange(cluster("CCO", "O"))
    (tmp_path / "system.json").write_text(interchange.model_dump_json())
    (tmp_path / "system.pickle").write_bytes(pickle.dumps(interchange))
    code = (
        "import pickle\n"
        "from pathlib import Path\n"
        "from openff_bytepol.smirnoff import read_interchange\n"
        "from tests.smirnoff.openmm_terms import total\n"
        f"path = Path({str(tmp_path)!r})\n"
        "print(total(read_interchange(path / 'system.json')))\n"
        "print(total(pickle.loads((path / 'system.pickle').read_bytes())))\n"
    )
    result = run_python(code)
    assert result.returncode == 0, result.stderr
    expected = total(interchange)
    assert [float(line) for line in result.stdout.split()] == pytest.approx([expected] * 2)


def test_reading_a_file(polarizable, tmp_path):
    interchange = polarizable.create_interchange(cluster("O"))
    path = tmp_path / "water.json"
    path.write_text(interchange.model_dump_json())
    assert total(read_interchange(path)) == pytest.approx(total(interchange), abs=1e-9)


@pytest.mark.parametrize("name", ["polarizable", "fixed"])
def test_joining_two_of_our_own(name, request):
    """Atoms of a molecule that both have stand in another order in the second."""
    force_field = request.getfixturevalue(name)
    first, second = molecule("CCO"), molecule("O", 6.0)
    reordered = first.remap({i: (i + 4) % 9 for i in range(9)})
    reordered._conformers[0] += type(reordered._conformers[0])(12.0, "angstrom")
    left = force_field.create_interchange([first, second])
    right = force_field.create_interchange([reordered, molecule("CC", 18.0)])
    whole = force_field.create_interchange([first, second, reordered, molecule("CC", 18.0)])
    with pytest.warns(InterchangeCombinationWarning):
        joined = left.combine(right)
    assert force_energies(joined)[0] == pytest.approx(force_energies(whole)[0], abs=1e-4)


@pytest.mark.parametrize("ours_first", [True, False])
def test_fixed_charges_join_other_force_fields(fixed, sage, ours_first):
    ligand = molecule("CCO", 30.0)
    ligand.assign_partial_charges("gasteiger")
    ours = fixed.create_interchange(cluster("CC(C)=O", "O"))
    theirs = sage.create_interchange([ligand], charge_from_molecules=[ligand])
    theirs.collections.pop("Constraints")
    ours.collections.pop("Constraints")
    with pytest.warns(InterchangeCombinationWarning):
        joined = ours.combine(theirs) if ours_first else theirs.combine(ours)
    found, own, other = (force_energies(i)[0] for i in (joined, ours, theirs))
    for name in ("HarmonicBondForce", "HarmonicAngleForce", "PeriodicTorsionForce"):
        assert found[name] == pytest.approx(own[name] + other[name], abs=1e-6)
    assert found["nonbonded"] == pytest.approx(own["nonbonded"] + other["nonbonded"], abs=0.5)


@pytest.mark.parametrize("ours_first", [True, False])
def test_polarizable_systems_refuse_other_force_fields(polarizable, sage, ours_first):
    ligand = Molecule.from_smiles("CCO")
    ligand.assign_partial_charges("gasteiger")
    ours = polarizable.create_interchange([Molecule.from_smiles("CC(C)=O")])
    theirs = sage.create_interchange([ligand], charge_from_molecules=[ligand])
    with pytest.warns(InterchangeCombinationWarning):
        joined = ours.combine(theirs) if ours_first else theirs.combine(ours)
    with pytest.raises(ForceFieldError, match="polarizable"):
        joined.to_openmm()
