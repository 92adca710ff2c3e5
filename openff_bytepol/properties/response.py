"""Thermal expansion, compressibility and heat capacity from fluctuations.

Source: Allen and Tildesley, Computer Simulation of Liquids, 2nd ed., Oxford 2017, section 2.5.
Kinetic energies do not correlate with anything at constant pressure, so that only potential
energies enter, and the kinetic part of heat capacities is known exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from openff_bytepol.properties.density import require_pressure
from openff_bytepol.properties.observables import Floats
from openff_bytepol.properties.results import PropertyEstimate
from openff_bytepol.properties.statistics import Runs, as_runs, bootstrap, drift_warning, estimate
from openff_bytepol.units import (
    ATMOSPHERE,
    ATMOSPHERE_IN_PASCAL,
    BOLTZMANN,
    KJ_PER_KCAL,
    WAVENUMBER_IN_KCAL,
)

_METHOD: Final = "fluctuations; error by block bootstrap"


def thermal_expansion(runs: Runs) -> PropertyEstimate:
    """Thermal expansion coefficient, α = (⟨V H⟩ − ⟨V⟩⟨H⟩) / (kT² ⟨V⟩) with H = U + pV.

    Parameters
    ----------
    runs
        Production at constant pressure.

    Returns
    -------
    PropertyEstimate
        1/K.

    Raises
    ------
    PropertyError
        At constant volume.
    SamplingError
        With fewer than four frames.
    """
    runs = as_runs(runs)
    pressure = require_pressure(runs, "thermal expansion") * ATMOSPHERE
    kt2 = BOLTZMANN * runs[0].temperature ** 2

    def analyse(data: dict[str, Floats]) -> float:
        covariance = np.cov(data["volumes"], data["enthalpies"], ddof=0)[0, 1]
        return float(covariance / (kt2 * data["volumes"].mean()))

    data = [
        {"volumes": run.volumes, "enthalpies": run.potential_energies + pressure * run.volumes}
        for run in runs
    ]
    return estimate(
        "thermal_expansion",
        bootstrap(data, analyse),
        "1/K",
        runs,
        _METHOD,
        warnings=drift_warning([d["volumes"] for d in data], "volume"),
    )


def isothermal_compressibility(runs: Runs) -> PropertyEstimate:
    """Isothermal compressibility, κ = (⟨V²⟩ − ⟨V⟩²) / (kT ⟨V⟩).

    Parameters
    ----------
    runs
        Production at constant pressure.

    Returns
    -------
    PropertyEstimate
        1/GPa.

    Raises
    ------
    PropertyError
        At constant volume.
    SamplingError
        With fewer than four frames.
    """
    runs = as_runs(runs)
    require_pressure(runs, "isothermal compressibility")
    kt = BOLTZMANN * runs[0].temperature
    per_gpa = ATMOSPHERE * 1e9 / ATMOSPHERE_IN_PASCAL

    def analyse(data: dict[str, Floats]) -> float:
        return float(data["volumes"].var() / (kt * data["volumes"].mean()) * per_gpa)

    data = [{"volumes": run.volumes} for run in runs]
    return estimate(
        "isothermal_compressibility",
        bootstrap(data, analyse),
        "1/GPa",
        runs,
        _METHOD,
        warnings=drift_warning([d["volumes"] for d in data], "volume"),
    )


def heat_capacity(
    runs: Runs, *, wavenumbers: Sequence[Sequence[float] | Floats] | None = None
) -> PropertyEstimate:
    """Molar heat capacity: c_p of runs at constant pressure, c_V at constant volume.

    N c = (⟨H²⟩ − ⟨H⟩²) / kT² + f k / 2, with H = U + pV (U at constant volume) and f degrees of
    freedom.

    Classical vibrations have k each, whatever their frequency; real ones far less. Given the
    wavenumbers of the molecules' vibrations, the difference between quantum and classical
    harmonic oscillators is added (Berens et al., J. Chem. Phys. 1983, 79, 2375), see
    `harmonic_correction`. Give it those that are not frozen by constraints.

    Parameters
    ----------
    runs
        Production.
    wavenumbers
        Of the vibrations of one molecule of each component, 1/cm.

    Returns
    -------
    PropertyEstimate
        J/mol/K, per mole of molecules; with the correction in its details.

    Raises
    ------
    SamplingError
        With fewer than four frames.
    """
    runs = as_runs(runs)
    first = runs[0]
    pressure = 0.0 if first.pressure is None else first.pressure * ATMOSPHERE
    per_mole = 1000.0 * KJ_PER_KCAL / first.n_molecules
    kinetic = 0.5 * first.degrees_of_freedom * BOLTZMANN * per_mole
    correction, method = 0.0, _METHOD
    warnings = ["classical: vibrations count k each, far more than in reality"]
    if wavenumbers is not None:
        warnings = []
        method += "; quantum correction of harmonic vibrations in vacuum included"
        correction = sum(
            fraction * harmonic_correction(values, first.temperature)
            for fraction, values in zip(first.mole_fractions, wavenumbers, strict=True)
        )

    def analyse(data: dict[str, Floats]) -> float:
        fluctuation = data["enthalpies"].var() / (BOLTZMANN * first.temperature**2)
        return float(fluctuation * per_mole + kinetic + correction)

    enthalpies = [
        run.potential_energies + (pressure * run.volumes if pressure else 0.0) for run in runs
    ]
    constant = "volume" if first.pressure is None else "pressure"
    return estimate(
        f"heat_capacity_at_constant_{constant}",
        bootstrap([{"enthalpies": values} for values in enthalpies], analyse),
        "J/mol/K",
        runs,
        method,
        warnings=warnings + drift_warning(enthalpies, "enthalpy"),
        details={
            "wavenumbers_per_cm": [] if wavenumbers is None else [list(w) for w in wavenumbers],
            "quantum_correction_J_per_mol_K": correction,
            "kinetic_part_J_per_mol_K": kinetic,
        },
    )


def harmonic_correction(wavenumbers: Sequence[float] | Floats, temperature: float) -> float:
    """Heat capacity of quantum less that of classical harmonic oscillators.

    R Σ_i [x² eˣ / (eˣ − 1)² − 1] with x = hcν̃_i / kT.

    Parameters
    ----------
    wavenumbers
        1/cm, positive.
    temperature
        K.

    Returns
    -------
    float
        J/mol/K; between −R per vibration and 0.
    """
    x = np.asarray(wavenumbers) * WAVENUMBER_IN_KCAL / (BOLTZMANN * temperature)
    half = 0.5 * x
    quantum = (half / np.sinh(np.minimum(half, 300.0))) ** 2
    return float((quantum - 1.0).sum() * BOLTZMANN * 1000.0 * KJ_PER_KCAL)
