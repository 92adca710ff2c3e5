"""Compositions, times and requests."""

from __future__ import annotations

import math

import pytest

from openff_bytepol.exceptions import ChemistryError, CompositionError, PropertyError
from openff_bytepol.properties.box import expected_density
from openff_bytepol.properties.request import Request, parse_budget, parse_time
from openff_bytepol.properties.state import State
from openff_bytepol.properties.substance import Substance, to_molecule

LIPF6 = "[Li+].F[P-](F)(F)(F)(F)F"


def test_components():
    assert Substance.parse("CCO").is_pure
    assert not Substance.parse("[Na+].[Cl-]").is_pure
    mixture = Substance.parse(["O:0.8", "CCO:0.2"])
    assert [(c.smiles, c.amount) for c in mixture.components] == [("O", 0.8), ("CCO", 0.2)]
    mapped = Substance.parse("[CH3:1][OH:2]")
    assert mapped.components[0].smiles == "[CH3:1][OH:2]"
    assert Substance.parse(str(mixture).split()) == mixture


def test_counts():
    molecules, counts = Substance.parse(["O:0.8", "CCO:0.2"]).molecules(100)
    assert [m.n_atoms for m in molecules] == [3, 9]
    assert counts == [80, 20]
    _, counts = Substance.parse(["O", "[Na+].[Cl-]:1.0m"]).molecules(1000)
    assert counts == [1000, 18, 18]
    carbonates = Substance.parse(["C1COC(=O)O1:0.5", "COC(=O)OC:0.5", f"{LIPF6}:1m"])
    _, counts = carbonates.molecules(200)
    assert counts == [100, 100, 18, 18]
    shared = Substance.parse(["O", "[Na+].[Cl-]:1m", "[K+].[Cl-]:1m"])
    assert shared.species() == ["O", "[Na+]", "[Cl-]", "[K+]"]
    assert shared.molecules(1000)[1] == [1000, 18, 36, 18]


@pytest.mark.parametrize(
    ("parts", "word"),
    [
        (["O:0.8", "CCO:0.1"], "add up"),
        (["O:0.5", "O:0.5"], "twice"),
        (["[Na+].[Cl-]:1m"], "no solvent"),
        (["O:0"], "zero"),
        ([""], "no solvent"),
    ],
)
def test_impossible_compositions(parts, word):
    with pytest.raises(CompositionError, match=word):
        Substance.parse(parts)


def test_compositions_that_no_box_of_that_size_has():
    with pytest.raises(CompositionError, match="charge"):
        Substance.parse(["O:0.9", "[Na+]:0.1"]).molecules(100)
    with pytest.raises(CompositionError, match="round"):
        Substance.parse(["O:0.99", "CCO:0.01"]).molecules(40)
    with pytest.raises(ChemistryError, match="no SMILES"):
        Substance.parse("C(C").molecules(10)


@pytest.mark.parametrize(
    ("smiles", "density"),
    [("O", 0.997), ("CCO", 0.785), ("CC(C)=O", 0.784), ("CCCCCC", 0.655), ("ClC(Cl)Cl", 1.480)],
)
def test_expected_densities_are_near_measured_ones(smiles, density):
    assert expected_density([to_molecule(smiles)], [1]) == pytest.approx(density, rel=0.2)


def test_times():
    assert parse_time("200ps") == 200.0
    assert parse_time("1.5 ns") == 1500.0
    assert parse_time("10fs") == pytest.approx(0.01)
    assert parse_time(3) == 3.0
    assert parse_budget("8h") == 28800.0
    for wrong in ("8h", "-1ps", "0", "ps", ""):
        with pytest.raises(PropertyError):
            parse_time(wrong)


def test_aliases_and_defaults():
    request = Request(
        properties=("rho", "hvap", "density"), substance=Substance.parse("CCO"), time=200.0
    )
    assert request.properties == ("density", "enthalpy_of_vaporization")
    assert request.equilibration_time == 50.0
    assert request.gas_leg_time == 1000.0


def test_time_targets_and_budget_do_not_make_another_run():
    def identity(**changes):
        base = {"properties": ("density",), "substance": Substance.parse("CCO")}
        return Request(**{**base, **changes}).identity("abc")

    assert identity(time=5.0, budget=3.0, properties=("hvap",)) == identity()
    assert identity(n_molecules=7) != identity()
    assert identity(timestep=2.0) != identity()


@pytest.mark.parametrize(("temperature", "pressure"), [(0, 1), (-5, 1), (300, 0), (math.inf, 1)])
def test_states_that_are_none(temperature, pressure):
    with pytest.raises(PropertyError, match="above zero"):
        State(temperature, pressure)
