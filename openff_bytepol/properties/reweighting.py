"""Properties of one force field from configurations of another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from openff_bytepol.exceptions import MissingDependencyError, ObservablesError, SamplingError
from openff_bytepol.interop.layout import Placements
from openff_bytepol.interop.openmm_system import create_system
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.properties.frames import Frames, frame_energies
from openff_bytepol.properties.observables import Floats
from openff_bytepol.properties.results import PropertyEstimate
from openff_bytepol.properties.statistics import Mean, statistical_inefficiency
from openff_bytepol.units import BOLTZMANN

MINIMUM_EFFECTIVE: Final = 20.0
"""Fewer independent samples than these are refused."""


def effective_samples(weights: Floats) -> float:
    """(Σ w)² / Σ w², the number of equally weighted samples worth as much (Kish)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def boltzmann_weights(differences: Floats, temperature: float) -> Floats:
    """Weights exp(−ΔU/kT), normalised to a sum of 1.

    Parameters
    ----------
    differences
        Energy of the new less that of the sampled force field, kcal/mol; (n_frames,).
    temperature
        K.
    """
    exponents = -np.asarray(differences) / (BOLTZMANN * temperature)
    weights = np.exp(exponents - exponents.max())
    return np.asarray(weights / weights.sum())


def reweight(
    values: Floats,
    differences: Floats,
    temperature: float,
    *,
    minimum: float = MINIMUM_EFFECTIVE,
) -> Mean:
    """Mean of an observable with another force field, ⟨A e^(−βΔU)⟩ / ⟨e^(−βΔU)⟩.

    Source: Zwanzig, J. Chem. Phys. 1954, 22, 1420. At constant pressure pV cancels.

    Parameters
    ----------
    values
        The observable as the new force field gives it; (n_frames,).
    differences, temperature
        As for `boltzmann_weights`.
    minimum
        Independent samples below which the result is refused.

    Returns
    -------
    Mean
        With the error of a ratio estimator, and the effective samples divided by the statistical
        inefficiency of the values.

    Raises
    ------
    SamplingError
        If fewer independent samples are left than the minimum.
    """
    values = np.asarray(values, dtype=np.float64)
    weights = boltzmann_weights(differences, temperature)
    inefficiency = statistical_inefficiency(values)
    n_effective = effective_samples(weights) / inefficiency
    if n_effective < minimum:
        raise SamplingError(
            f"{n_effective:.1f} effective samples of {len(values)} are left after reweighting, "
            f"fewer than {minimum:g}: the force fields differ too much (energy differences "
            f"spread over {np.std(differences):.3g} kcal/mol); simulate with the other one, or "
            "mix in states between them"
        )
    value = float(weights @ values)
    variance = float((weights**2) @ (values - value) ** 2) * inefficiency
    return Mean(value, math.sqrt(variance), n_effective)


def linear_response(values: Floats, differences: Floats, temperature: float) -> float:
    """First order of reweighting, ⟨A⟩ − β·cov(A, ΔU): no overlap needed, but ΔU small.

    Parameters
    ----------
    values, differences, temperature
        As for `reweight`; the observable must not depend on the force field itself.
    """
    covariance = np.cov(values, differences, ddof=0)[0, 1]
    return float(np.mean(values) - covariance / (BOLTZMANN * temperature))


def mbar_mean(
    values: Floats,
    energies: Floats,
    counts: Sequence[int],
    target: int,
    temperature: float,
    *,
    minimum: float = MINIMUM_EFFECTIVE,
) -> Mean:
    """Mean of an observable with one force field from runs of several, by MBAR.

    Source: Shirts and Chodera, J. Chem. Phys. 2008, 129, 124105, as in pymbar. Frames must
    be independent: thin the runs by their statistical inefficiencies first.

    Parameters
    ----------
    values
        The observable of all frames, run after run; (n_frames,).
    energies
        Of all frames with every force field, kcal/mol, all at one temperature and pressure;
        (n_force_fields, n_frames).
    counts
        Frames from each force field, 0 for those that were not simulated.
    target
        Row of the force field asked for.
    temperature
        K.
    minimum
        Effective samples below which the result is refused.

    Returns
    -------
    Mean
        With the asymptotic error of MBAR.

    Raises
    ------
    ObservablesError
        If shapes do not fit together.
    SamplingError
        If too few effective samples are left.
    MissingDependencyError
        Without pymbar.
    """
    energies = np.asarray(energies, dtype=np.float64)
    if energies.shape != (len(counts), len(values)) or sum(counts) != len(values):
        raise ObservablesError(
            f"energies have shape {energies.shape} for {len(counts)} force fields with "
            f"{sum(counts)} frames and {len(values)} values"
        )
    try:
        from pymbar import MBAR
    except ImportError as error:
        raise MissingDependencyError(
            'pymbar is not installed: pip install "openff-bytepol[properties]"'
        ) from error
    reduced = energies / (BOLTZMANN * temperature)
    mbar: Any = MBAR(reduced - reduced.min(axis=0), np.asarray(counts))
    n_effective = float(mbar.compute_effective_sample_number()[target])
    if n_effective < minimum:
        raise SamplingError(
            f"{n_effective:.1f} effective samples of {len(values)} are left for force field "
            f"{target}, fewer than {minimum:g}: simulate it, or states closer to it"
        )
    values = np.asarray(values, dtype=np.float64)
    if np.ptp(values) <= 1e-12 * max(1.0, np.abs(values).max()):
        return Mean(float(values[0]), 0.0, n_effective)
    try:
        found = mbar.compute_expectations(values)
    except np.linalg.LinAlgError as error:
        raise SamplingError(f"MBAR found no error for force field {target}: {error}") from error
    return Mean(float(found["mu"][target]), float(found["sigma"][target]), n_effective)


def member_energies(
    members: Sequence[ParameterSet],
    placements: Placements,
    frames: Frames,
    *,
    platform: str | None = None,
    **system_options: Any,
) -> Floats:
    """Energies of frames with every member of an ensemble and with their mean.

    Parameters
    ----------
    members
        One set per molecule type with an ensemble axis, from `Model.predict_members`.
    placements
        For every molecule, the index of its type and the particle of each of its atoms.
    frames
        Configurations, of a run with the mean parameters usually.
    platform
        OpenMM platform.
    system_options
        As for `create_system`, such as ``cutoff`` and ``switch_distance``: those of the run.

    Returns
    -------
    Floats
        kcal/mol; (n_members + 1, n_frames), that of the mean parameters last.

    Raises
    ------
    ObservablesError
        If the parameters have no ensemble axis.
    """
    n_members = members[0].n_members
    if n_members is None or any(p.n_members != n_members for p in members):
        raise ObservablesError("parameters without an ensemble axis; use Model.predict_members")
    box = None if frames.boxes is None else frames.boxes[0]
    sets = [[p.member(i) for p in members] for i in range(n_members)]
    sets.append([p.mean() for p in members])
    return np.stack(
        [
            frame_energies(
                create_system(chosen, placements, box=box, **system_options),
                frames,
                platform=platform,
            )
            for chosen in sets
        ]
    )


def ensemble_uncertainty(
    name: str,
    unit: str,
    values: Floats,
    energies: Floats,
    temperature: float,
    *,
    minimum: float = MINIMUM_EFFECTIVE,
    details: Mapping[str, Any] | None = None,
) -> PropertyEstimate:
    """A property of every member of an ensemble from one trajectory, and their spread.

    Parameters
    ----------
    name, unit
        Of the property.
    values
        Observable of each frame, such as its density; (n_frames,), or (n_members, n_frames)
        where it depends on the member.
    energies
        From `member_energies`.
    temperature
        K.
    minimum
        Effective samples below which a member is refused.
    details
        More to keep.

    Returns
    -------
    PropertyEstimate
        The mean over members; its uncertainty is the standard deviation between them, that of
        the model. ``details`` hold the value, error and effective samples of every member,
        and the estimates of first order in the energy differences.

    Raises
    ------
    SamplingError
        If a member has too few effective samples: its distribution was not sampled.
    """
    table = np.broadcast_to(values, (len(energies) - 1, energies.shape[1]))
    differences = energies[:-1] - energies[-1]
    results, refused = [], []
    for index, (row, difference) in enumerate(zip(table, differences, strict=True)):
        try:
            results.append(reweight(row, difference, temperature, minimum=minimum))
        except SamplingError as error:
            refused.append(f"member {index}: {error}")
    if refused:
        raise SamplingError(
            f"{len(refused)} of {len(table)} members cannot be reached by reweighting; {refused[0]}"
        )
    means = np.array([result.value for result in results])
    return PropertyEstimate(
        name=name,
        value=float(means.mean()),
        uncertainty=float(means.std(ddof=1)),
        unit=unit,
        n_effective=min(result.n_effective for result in results),
        equilibration_time=0.0,
        method="spread between ensemble members, each by reweighting one trajectory",
        details={
            "members": means.tolist(),
            "member_errors": [result.error for result in results],
            "member_effective_samples": [result.n_effective for result in results],
            "members_to_first_order": [
                linear_response(row, difference, temperature)
                for row, difference in zip(table, differences, strict=True)
            ],
            **(details or {}),
        },
    )
