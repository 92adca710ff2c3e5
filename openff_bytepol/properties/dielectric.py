"""Static and high-frequency dielectric constants."""

from __future__ import annotations

import math

import numpy as np

from openff_bytepol.exceptions import PropertyError
from openff_bytepol.properties.observables import Floats
from openff_bytepol.properties.results import PropertyEstimate
from openff_bytepol.properties.statistics import Runs, as_runs, bootstrap, estimate, mean
from openff_bytepol.units import BOLTZMANN, COULOMB

_FACTOR = 4.0 * math.pi * COULOMB


def dielectric_constant(runs: Runs, *, high_frequency: float | None = None) -> PropertyEstimate:
    """Static dielectric constant from the fluctuations of the total dipole moment.

    ε = ε_∞ + (⟨M²⟩ − ⟨M⟩²) / (3 ε₀ ⟨V⟩ kT)

    M holds charges and induced dipoles. The boundary at infinity is a conductor ("tin foil"),
    as in every particle-mesh Ewald sum without a surface term. Induced dipoles that follow
    the nuclei at once do not fluctuate by themselves; what an external field would add to
    them at fixed nuclei is ε_∞ − 1, see `high_frequency_dielectric_constant`.

    Source: Neumann, Mol. Phys. 1983, 50, 841; for polarizable models Sprik, J. Chem.
    Phys. 1991, 95, 6762.

    Parameters
    ----------
    runs
        Production with dipoles, at constant volume or pressure.
    high_frequency
        ε_∞; by default from the polarizabilities of the runs, and 1 without any.

    Returns
    -------
    PropertyEstimate
        Dimensionless.

    Raises
    ------
    PropertyError
        If molecules are charged: their dipole depends on the origin.
    ObservablesError, SamplingError
        Without dipoles or boxes, or with fewer than four frames.
    """
    runs = as_runs(runs)
    if any(charge != 0.0 for charge in runs[0].charges):
        raise PropertyError(
            "the static dielectric constant of a liquid with ions does not follow from its total "
            "dipole; use the conductivity, or a liquid without ions"
        )
    fast = high_frequency
    if fast is None:
        fast = high_frequency_dielectric_constant(runs)
    scale = _FACTOR / (3.0 * BOLTZMANN * runs[0].temperature)

    def analyse(data: dict[str, Floats]) -> float:
        variance = data["dipoles"].var(axis=0).sum()
        return float(fast + scale * variance / data["volumes"].mean())

    data = [{"dipoles": run.require("dipoles"), "volumes": run.volumes} for run in runs]
    result = bootstrap(data, analyse)
    axes = [mean([d["dipoles"][:, axis] for d in data]) for axis in range(3)]
    warnings = [
        f"the mean dipole along {name} is {m.value:.3g} ± {m.error:.2g} e·Å, not 0: simulate longer"
        for name, m in zip("xyz", axes, strict=True)
        if abs(m.value) > 4.0 * m.error > 0.0
    ]
    moments = np.concatenate([d["dipoles"] for d in data])
    volume = np.concatenate([d["volumes"] for d in data]).mean()
    squared = float((moments**2).sum(axis=1).mean())
    return estimate(
        "dielectric_constant",
        result,
        "dimensionless",
        runs,
        "dipole fluctuations, conducting boundary; error by block bootstrap",
        warnings=warnings,
        details={
            "high_frequency_dielectric_constant": fast,
            "without_subtracting_the_mean_dipole": fast + scale * squared / float(volume),
        },
    )


def high_frequency_dielectric_constant(runs: Runs) -> float:
    """Electronic part of the dielectric constant, from Clausius and Mossotti.

    (ε_∞ − 1) / (ε_∞ + 2) = (4π/3) Σ_i N_i α_i / ⟨V⟩

    α_i are isotropic molecular polarizabilities (the mutual induction of atoms within a
    molecule included), Å³.

    Raises
    ------
    PropertyError
        If polarizabilities are so large that there is no solution.
    ObservablesError
        Without boxes.
    """
    runs = as_runs(runs)
    alphas = runs[0].polarizabilities
    if alphas is None:
        return 1.0
    volume = float(np.concatenate([run.volumes for run in runs]).mean())
    return clausius_mossotti(float(np.dot(runs[0].counts, alphas)), volume)


def clausius_mossotti(polarizability: float, volume: float) -> float:
    """Dielectric constant of polarizable molecules, as `high_frequency_dielectric_constant`.

    Parameters
    ----------
    polarizability
        Sum over all molecules, Å³.
    volume
        Å³.

    Raises
    ------
    PropertyError
        If polarizabilities are so large that there is no solution.
    """
    x = 4.0 * math.pi / 3.0 * polarizability / volume
    if x >= 1.0:
        raise PropertyError(
            f"a polarizability of {polarizability:g} Å³ in {volume:g} Å³ has no dielectric constant"
        )
    return (1.0 + 2.0 * x) / (1.0 - x)
