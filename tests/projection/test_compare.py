"""The report on what the projection changes."""

from __future__ import annotations

import json

import pytest

from openff_bytepol.exceptions import OutputExistsError, ParameterError
from openff_bytepol.projection import compare, plot_comparison, project_fixed_charge
from openff_bytepol.projection.dimers import CONTACTS, dimer_curves, make_monomer
from tests.projection.molecules import predicted


def test_water_keeps_its_hydrogen_bond():
    parameters, mol = predicted("O")
    monomer = make_monomer(parameters, mol, project_fixed_charge(parameters, mol))
    curves = dimer_curves(monomer, monomer)
    (r, e), (r_fixed, e_fixed) = (curves.minimum(n) for n in ("polarizable", "fixed_charge"))
    assert abs(r - r_fixed) <= 0.26
    assert 0.6 < e_fixed / e < 1.6


def test_dimers_vanish_far_apart_and_repel_in_contact():
    parameters, mol = predicted("C")
    monomer = make_monomer(parameters, mol, project_fixed_charge(parameters, mol))
    curves = dimer_curves(monomer, monomer)
    for energies in (curves.polarizable, curves.fixed_charge):
        assert abs(energies[:, -1]).max() < 0.2
        assert (energies[:, 0] > 1.0).mean() > 0.5
    assert curves.polarizable.shape[1] == len(CONTACTS)


def test_report(tmp_path):
    water, ethanol = predicted("O"), predicted("CO")
    results = compare([ethanol[0]], [ethanol[1]], names=["methanol"], probe=water)
    report = json.loads(json.dumps([r.to_dict() for r in results]))
    assert report[0]["n_rotors"] == 1
    assert report[0]["torsion_rmsd_refit"] < report[0]["torsion_rmsd_copy"] + 0.01
    assert set(report[0]["dimers"]) == {"itself", "probe"}
    path = tmp_path / "comparison.png"
    plot_comparison(results, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OutputExistsError, match="overwrite"):
        plot_comparison(results, path)


def test_arguments_must_fit():
    parameters, mol = predicted("O")
    with pytest.raises(ParameterError, match="one of each"):
        compare([parameters], [mol, mol])
