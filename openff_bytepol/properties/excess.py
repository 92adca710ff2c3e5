"""Excess properties of mixtures over their pure components.

Source: Allen and Tildesley, Computer Simulation of Liquids, 2nd ed., Oxford 2017; definitions
as in Prausnitz, Lichtenthaler and de Azevedo, Molecular Thermodynamics, 3rd ed., chapter 6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from openff_bytepol.exceptions import PropertyError
from openff_bytepol.properties.density import require_pressure
from openff_bytepol.properties.observables import Floats, Observables
from openff_bytepol.properties.results import PropertyEstimate
from openff_bytepol.properties.statistics import Mean, Runs, as_runs, drift_warning, estimate, mean
from openff_bytepol.units import ATMOSPHERE, GRAM_PER_CM3, KJ_PER_KCAL

_CM3_PER_MOL = 1.0 / GRAM_PER_CM3
"""cm³/mol in one Å³ per molecule."""


def excess_molar_volume(mixture: Runs, pure: Sequence[Runs]) -> PropertyEstimate:
    """Excess molar volume, V^E = ⟨V⟩/N − Σ_i x_i ⟨V_i⟩/N_i.

    Parameters
    ----------
    mixture
        Production of the mixture at constant pressure.
    pure
        Production of each pure component, in the order of the mixture's names.

    Returns
    -------
    PropertyEstimate
        cm³/mol.

    Raises
    ------
    PropertyError
        If components, temperatures or pressures differ, or at constant volume.
    """
    mixed, components = _check(mixture, pure, "excess molar volume")
    return _excess(
        "excess_molar_volume",
        "cm**3/mol",
        [mixed, *components],
        lambda run: run.volumes * _CM3_PER_MOL,
    )


def enthalpy_of_mixing(mixture: Runs, pure: Sequence[Runs]) -> PropertyEstimate:
    """Molar enthalpy of mixing, ΔH = ⟨H⟩/N − Σ_i x_i ⟨H_i⟩/N_i with H = U + pV.

    Kinetic energies cancel. Arguments and errors as `excess_molar_volume`.

    Returns
    -------
    PropertyEstimate
        kJ/mol.
    """
    mixed, components = _check(mixture, pure, "enthalpy of mixing")
    pressure = require_pressure(mixed, "enthalpy of mixing") * ATMOSPHERE
    return _excess(
        "enthalpy_of_mixing",
        "kJ/mol",
        [mixed, *components],
        lambda run: (run.potential_energies + pressure * run.volumes) * KJ_PER_KCAL,
    )


def excess_density(mixture: Runs, pure: Sequence[Runs]) -> PropertyEstimate:
    """Density less that of an ideal mixture, ρ − Σ_i x_i M_i / Σ_i x_i V_i.

    V_i are molar volumes of the pure components. Arguments and errors as
    `excess_molar_volume`.

    Returns
    -------
    PropertyEstimate
        g/cm³.
    """
    mixed, components = _check(mixture, pure, "excess density")
    fractions, masses = mixed[0].mole_fractions, mixed[0].molar_masses
    own = mean([run.mass * GRAM_PER_CM3 / run.volumes for run in mixed])
    parts = [mean([run.volumes / run.n_molecules for run in runs]) for runs in components]
    volume = sum(x * part.value for x, part in zip(fractions, parts, strict=True))
    mass = sum(x * m for x, m in zip(fractions, masses, strict=True))
    ideal = mass * GRAM_PER_CM3 / volume
    relative = math.hypot(*(x * p.error for x, p in zip(fractions, parts, strict=True))) / volume
    result = Mean(
        own.value - ideal,
        math.hypot(own.error, ideal * relative),
        min(part.n_effective for part in (own, *parts)),
    )
    return estimate(
        "excess_density",
        result,
        "g/cm**3",
        mixed + tuple(run for runs in components for run in runs),
        "difference of means; errors from statistical inefficiencies",
        details={"ideal_density_g_per_cm3": ideal},
    )


def _check(
    mixture: Runs, pure: Sequence[Runs], name: str
) -> tuple[tuple[Observables, ...], list[tuple[Observables, ...]]]:
    mixed, components = as_runs(mixture), [as_runs(runs) for runs in pure]
    require_pressure(mixed, name)
    first = mixed[0]
    if [runs[0].names for runs in components] != [(n,) for n in first.names]:
        raise PropertyError(
            f"{name} of {first.names} needs one pure liquid of each, in this order; got "
            f"{[runs[0].names for runs in components]}"
        )
    for runs in components:
        if (runs[0].temperature, runs[0].pressure) != (first.temperature, first.pressure):
            raise PropertyError(f"{name}: {runs[0].names[0]} is at another temperature or pressure")
    return mixed, components


def _excess(
    name: str,
    unit: str,
    liquids: Sequence[tuple[Observables, ...]],
    extensive: Callable[[Observables], Floats],
) -> PropertyEstimate:
    """Molar value of the first liquid, the mixture, less those of the others."""
    mixed = liquids[0]
    weights = [1.0, *(-x for x in mixed[0].mole_fractions)]
    series = [[extensive(run) / run.n_molecules for run in runs] for runs in liquids]
    means = [mean(values) for values in series]
    result = Mean(
        sum(w * m.value for w, m in zip(weights, means, strict=True)),
        math.hypot(*(w * m.error for w, m in zip(weights, means, strict=True))),
        min(m.n_effective for m in means),
    )
    labels = ["the mixture", *mixed[0].names]
    return estimate(
        name,
        result,
        unit,
        tuple(run for runs in liquids for run in runs),
        "difference of means; errors from statistical inefficiencies",
        warnings=[
            w for v, label in zip(series, labels, strict=True) for w in drift_warning(v, label)
        ],
        details={
            "mole_fractions": mixed[0].mole_fractions,
            "molar_values": [m.value for m in means],
        },
    )
