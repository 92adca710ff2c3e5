"""CSV files of measurements as data sets of Evaluator."""

from __future__ import annotations

import pytest

pytest.importorskip("openff.evaluator", reason="OpenFF Evaluator is not installed")

from openff.evaluator.properties import Density, EnthalpyOfVaporization
from openff.evaluator.substances import ExactAmount, MoleFraction

from openff_bytepol.exceptions import DataError, PropertyError
from openff_bytepol.properties.dataset import common_liquids
from openff_bytepol.properties.evaluator import IonicConductivity, data_set

HEADER = "smiles,property,value,unit,uncertainty,source\n"


def written(folder, *lines):
    path = folder / "measured.csv"
    path.write_text(HEADER + "\n".join(lines) + "\n")
    return path


def test_common_liquids():
    rows = common_liquids()
    found = data_set(rows)
    assert len(found) == len(rows)
    first = found.properties[0]
    assert (type(first), first.id) == (Density, "1")
    assert first.value.m_as("gram / milliliter") == pytest.approx(rows[0].value)
    assert first.uncertainty.magnitude == 0.0
    assert first.source.reference == rows[0].source
    assert first.thermodynamic_state.temperature.m_as("kelvin") == 298.15


def test_units_and_mixtures(tmp_path):
    path = written(
        tmp_path,
        "O,hvap,10.5,kcal/mol,0.1,a book",
        "O:0.25 CO:0.75,density,870,kg/m**3,,another",
    )
    hvap, density = data_set(path).properties
    assert isinstance(hvap, EnthalpyOfVaporization)
    assert hvap.value.m_as("kilojoule / mole") == pytest.approx(10.5 * 4.184)
    assert hvap.uncertainty.m_as("kilojoule / mole") == pytest.approx(0.4184)
    assert density.value.m_as("gram / milliliter") == pytest.approx(0.87)
    amounts = density.substance.amounts
    fractions = sorted(next(iter(amount)).value for amount in amounts.values())
    assert fractions == [0.25, 0.75]
    assert all(isinstance(next(iter(a)), MoleFraction) for a in amounts.values())


def test_electrolytes_are_neutral(tmp_path):
    path = written(tmp_path, "O [Na+].[Cl-]:1.0m,conductivity,8.5,S/m,,CRC")
    [conductivity] = data_set(path, n_molecules=555).properties
    assert isinstance(conductivity, IonicConductivity)
    counts = {}
    for component in conductivity.substance.components:
        [amount] = conductivity.substance.get_amounts(component)
        assert isinstance(amount, ExactAmount)
        counts[component.smiles] = amount.value
    assert counts["O"] == 555
    assert counts["[Na+]"] == counts["[Cl-]"] == 10


def test_bad_files(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        data_set(tmp_path / "nothing.csv")
    with pytest.raises(PropertyError, match="Use `bytepol estimate`"):
        data_set(written(tmp_path, "O,heat_capacity,75.3,J/mol/K,,CRC"))
    with pytest.raises(PropertyError, match="has no value"):
        data_set(written(tmp_path, "O,density,,g/cm**3,,"))
