"""Averages and fluctuation formulas on systems that can be solved exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from openff_bytepol.exceptions import ObservablesError, PropertyError
from openff_bytepol.properties.density import density
from openff_bytepol.properties.dielectric import dielectric_constant
from openff_bytepol.properties.excess import (
    enthalpy_of_mixing,
    excess_density,
    excess_molar_volume,
)
from openff_bytepol.properties.response import (
    harmonic_correction,
    heat_capacity,
    isothermal_compressibility,
    thermal_expansion,
)
from openff_bytepol.properties.vaporization import enthalpy_of_vaporization
from openff_bytepol.units import (
    ATMOSPHERE,
    ATMOSPHERE_IN_PASCAL,
    AVOGADRO,
    BOLTZMANN,
    DEBYE_IN_E_ANGSTROM,
    KJ_PER_KCAL,
)
from tests.properties.systems import cubes, make_run

KT = BOLTZMANN * 300.0
R = 8.31446261815324


def near(estimate, expected):
    """Within four standard errors, which themselves are small."""
    assert 0.0 < estimate.uncertainty < 0.1 * abs(expected)
    assert abs(estimate.value - expected) < 4.0 * estimate.uncertainty


@pytest.fixture(scope="module")
def ideal_gas():
    """Volumes of N particles at constant pressure: density V^N·exp(-pV/kT)."""
    n = 50
    random = np.random.default_rng(7)
    volumes = random.gamma(n + 1, KT / ATMOSPHERE, size=20000)
    return make_run(20000, n, boxes=cubes(volumes))


def test_ideal_gas(ideal_gas):
    # ⟨1/V⟩ = p/(N kT), so that the mean density is that of the equation of state
    pascal = ATMOSPHERE_IN_PASCAL
    near(density(ideal_gas), 1e-6 * 39.948 * pascal / (R * 300.0))
    near(isothermal_compressibility(ideal_gas), 1e9 / pascal)
    near(thermal_expansion(ideal_gas), 1.0 / 300.0)
    near(heat_capacity(ideal_gas), (2.5 + 1.0 / 50) * R)


def test_harmonic_crystal_obeys_dulong_and_petit():
    n = 40
    energies = np.random.default_rng(8).gamma(1.5 * n, KT, size=20000)
    run = make_run(20000, n, potential_energies=energies, pressure=None)
    estimate = heat_capacity(run)
    near(estimate, 3.0 * R)
    assert "classical" in estimate.warnings[0]
    assert estimate.name == "heat_capacity_at_constant_volume"


def test_quantum_correction_of_vibrations():
    assert harmonic_correction([1e-3], 300.0) == pytest.approx(0.0, abs=1e-9)
    assert harmonic_correction([1e5, 1e6], 300.0) == pytest.approx(-2 * R)
    # Einstein function at x = hν/kT = 1: 0.92067
    wavenumber = 300.0 * 1.380649e-23 / (6.62607015e-34 * 2.99792458e10)
    assert harmonic_correction([wavenumber], 300.0) == pytest.approx(R * (0.920674 - 1), rel=1e-4)
    run = make_run(2000, 2, potential_energies=np.random.default_rng(1).normal(size=2000))
    corrected = heat_capacity(run, wavenumbers=[[1e6]])
    assert corrected.value == pytest.approx(heat_capacity(run).value - R)


def test_dielectric_constant_of_independent_dipoles():
    # Langevin-Debye: ε - 1 = ρ μ²/(3 ε0 kT)
    n, moment, volume = 30, 2.0 * DEBYE_IN_E_ANGSTROM, 1000.0
    random = np.random.default_rng(3)
    directions = random.normal(size=(20000, n, 3))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    run = make_run(20000, n, dipoles=moment * directions.sum(axis=1))
    coulomb_meter = 2.0 * 3.33564095e-30
    expected = 1.0 + (n / volume * 1e30) * coulomb_meter**2 / (
        3.0 * 8.8541878128e-12 * 1.380649e-23 * 300.0
    )
    near(dielectric_constant(run), expected)
    alpha = 1.5
    x = 4 * np.pi / 3 * n * alpha / volume
    fast = (1 + 2 * x) / (1 - x)
    near(dielectric_constant(replace(run, polarizabilities=(alpha,))), expected + fast - 1.0)
    with pytest.raises(PropertyError, match="ions"):
        dielectric_constant(replace(run, charges=(1.0,)))
    with pytest.raises(ObservablesError, match="dipoles"):
        dielectric_constant(replace(run, dipoles=None))
    shifted = dielectric_constant(replace(run, dipoles=run.dipoles + 1.0))
    assert any("not 0" in w for w in shifted.warnings)


def test_enthalpy_of_vaporization():
    random = np.random.default_rng(5)
    n = 100
    liquid = make_run(2000, n, potential_energies=-800.0 + random.normal(size=2000))
    gas = make_run(
        2000,
        boxes=None,
        pressure=None,
        potential_energies=2.0 + random.normal(size=2000),
    )
    estimate = enthalpy_of_vaporization(liquid, gas)
    work = ATMOSPHERE_IN_PASCAL * 1000e-30 * AVOGADRO / 1000.0 / n
    expected = (2.0 + 8.0) * KJ_PER_KCAL + R * 0.3 - work
    near(estimate, expected)
    assert estimate.uncertainty == pytest.approx(KJ_PER_KCAL / np.sqrt(2000), rel=0.1)
    with pytest.raises(PropertyError, match="310 K"):
        enthalpy_of_vaporization(liquid, replace(gas, temperature=310.0))
    with pytest.raises(PropertyError, match="pure liquid"):
        enthalpy_of_vaporization(gas, liquid)


def test_mixtures():
    random = np.random.default_rng(6)

    def liquid(names, counts, volume, energy):
        n = sum(counts)
        return make_run(
            1000,
            n,
            names=names,
            molar_masses=(20.0, 40.0)[: len(names)] if names[0] == "A" else (40.0,),
            charges=(0.0,) * len(names),
            component_index=np.repeat(np.arange(len(names)), counts),
            boxes=cubes(n * volume + random.normal(size=1000)),
            potential_energies=n * energy + random.normal(size=1000),
        )

    a, b = liquid(("A",), (100,), 30.0, -8.0), liquid(("B",), (50,), 60.0, -10.0)
    mixture = liquid(("A", "B"), (60, 20), 36.5, -8.9)
    volume = excess_molar_volume(mixture, [a, b])
    assert volume.value == pytest.approx((36.5 - 37.5) * AVOGADRO * 1e-24, abs=1e-3)
    assert abs(volume.value + AVOGADRO * 1e-24) < 4 * volume.uncertainty
    assert enthalpy_of_mixing(mixture, [a, b]).value == pytest.approx(-0.4 * KJ_PER_KCAL, abs=5e-3)
    excess = excess_density(mixture, [a, b])
    expected = density(mixture).value - 25.0 / (37.5 * AVOGADRO * 1e-24)
    assert excess.value == pytest.approx(expected, abs=1e-4)
    with pytest.raises(PropertyError, match="in this order"):
        excess_molar_volume(mixture, [b, a])
    with pytest.raises(PropertyError, match="constant pressure"):
        excess_molar_volume(replace(mixture, pressure=None), [a, b])


def test_averages_need_constant_pressure(ideal_gas):
    fixed = replace(ideal_gas, pressure=None)
    for function in (density, thermal_expansion, isothermal_compressibility):
        with pytest.raises(PropertyError, match="constant pressure"):
            function(fixed)
    with pytest.raises(ObservablesError, match="temperature"):
        density([ideal_gas, replace(ideal_gas, temperature=310.0)])


def test_replicas_shrink_the_error(ideal_gas):
    one, four = density(ideal_gas[:5000]), density([ideal_gas[i::4] for i in range(4)])
    assert four.uncertainty == pytest.approx(0.5 * one.uncertainty, rel=0.6)
    assert four.n_effective > 3 * one.n_effective
