"""Enthalpy of vaporization from a liquid and a gas leg."""

from __future__ import annotations

import math

from openff_bytepol.exceptions import PropertyError
from openff_bytepol.properties.density import require_pressure
from openff_bytepol.properties.results import PropertyEstimate
from openff_bytepol.properties.statistics import Mean, Runs, as_runs, drift_warning, estimate, mean
from openff_bytepol.units import ATMOSPHERE, BOLTZMANN, KJ_PER_KCAL


def enthalpy_of_vaporization(liquid: Runs, gas: Runs) -> PropertyEstimate:
    """Enthalpy of vaporization to the ideal gas.

    ΔH_vap = ⟨U_gas⟩ − ⟨U_liq⟩/N + RT − p⟨V_liq⟩/N

    Potential energies U hold the polarization energy of each phase; the gas obeys pV = RT;
    kinetic energies of equal temperatures cancel in classical mechanics. No correction for the
    quantum nature of vibrations is added (for water it is about −0.06 kcal/mol: Horn et al.,
    J. Chem. Phys. 2004, 120, 9665).

    Source: Jorgensen et al., J. Am. Chem. Soc. 1996, 118, 11225; Wang and Hou, J. Chem. Theory
    Comput. 2011, 7, 2151.

    Parameters
    ----------
    liquid
        Production of N equal molecules at constant pressure.
    gas
        Production of one such molecule without a box, at the same temperature.

    Returns
    -------
    PropertyEstimate
        kJ/mol.

    Raises
    ------
    PropertyError
        If the legs are of different molecules or temperatures, or the liquid has several
        components.
    SamplingError
        If a leg has fewer than four frames.
    """
    liquid, gas = as_runs(liquid), as_runs(gas)
    first, vapour = liquid[0], gas[0]
    if len(first.names) != 1 or vapour.names != first.names or vapour.n_molecules != 1:
        raise PropertyError(
            f"enthalpy of vaporization needs a pure liquid and one molecule of it, not "
            f"{first.names} and {vapour.n_molecules} of {vapour.names}"
        )
    if vapour.boxes is not None:
        raise PropertyError("the gas leg must have no periodic box")
    if abs(vapour.temperature - first.temperature) > 1e-6:
        raise PropertyError(
            f"the liquid is at {first.temperature:g} K and the gas at {vapour.temperature:g} K"
        )
    pressure = require_pressure(liquid, "enthalpy of vaporization") * ATMOSPHERE
    n = first.n_molecules
    condensed = [(run.potential_energies + pressure * run.volumes) / n for run in liquid]
    isolated = [run.potential_energies for run in gas]
    below, above = mean(condensed), mean(isolated)
    value = above.value - below.value + BOLTZMANN * first.temperature
    result = Mean(
        value * KJ_PER_KCAL,
        math.hypot(above.error, below.error) * KJ_PER_KCAL,
        min(above.n_effective, below.n_effective),
    )
    return estimate(
        "enthalpy_of_vaporization",
        result,
        "kJ/mol",
        liquid + gas,
        "difference of means with an ideal gas; errors from statistical inefficiencies",
        warnings=drift_warning(condensed, "energy of the liquid")
        + drift_warning(isolated, "energy of the gas"),
        details={
            "gas_energy_kj_per_mol": above.value * KJ_PER_KCAL,
            "gas_energy_error_kj_per_mol": above.error * KJ_PER_KCAL,
            "liquid_enthalpy_kj_per_mol": below.value * KJ_PER_KCAL,
            "liquid_enthalpy_error_kj_per_mol": below.error * KJ_PER_KCAL,
        },
    )
