"""Density and enthalpy of vaporization of other force fields, from stored runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from openff_bytepol.exceptions import ForceFieldError, PropertyError
from openff_bytepol.models import load_model
from openff_bytepol.nn.model import Model
from openff_bytepol.properties.catalogue import canonical_names
from openff_bytepol.properties.force_fields import POLARIZABLE_SECTION, Parameters
from openff_bytepol.properties.gradients import (
    PropertyGradient,
    density_gradient,
    vaporization_gradient,
)
from openff_bytepol.properties.observables import Floats
from openff_bytepol.properties.periodic_energy import PeriodicEnergy
from openff_bytepol.properties.results import PropertyEstimate
from openff_bytepol.properties.reweighting import (
    MINIMUM_EFFECTIVE,
    ensemble_uncertainty,
    mbar_mean,
    member_energies,
)
from openff_bytepol.properties.statistics import Mean
from openff_bytepol.properties.stored import StoredFrames, StoredRun, check_same_liquid
from openff_bytepol.units import ATMOSPHERE, BOLTZMANN, GRAM_PER_CM3, KJ_PER_KCAL, NM_PER_ANGSTROM

if TYPE_CHECKING:
    import openmm

DENSITY: Final = "density"
VAPORIZATION: Final = "enthalpy_of_vaporization"
TRANSFERABLE: Final = (DENSITY, VAPORIZATION)
_UNITS: Final = {DENSITY: "g/cm**3", VAPORIZATION: "kJ/mol"}


def transferable(names: Sequence[str], runs: Sequence[StoredRun]) -> tuple[str, ...]:
    """Properties without aliases that stored frames can give.

    Raises
    ------
    PropertyError
        If there is another, or one needs a gas that was not simulated.
    """
    chosen = canonical_names(names)
    for name in chosen:
        if name not in TRANSFERABLE:
            raise PropertyError(
                f"{name} cannot be reweighted from stored frames; {', '.join(TRANSFERABLE)} can"
            )
        if name == VAPORIZATION and any(run.gas is None for run in runs):
            raise PropertyError(
                "the enthalpy of vaporization needs a trajectory of the gas: estimate "
                "--property hvap in the same folder first"
            )
    return chosen


def reweighted(
    runs: Sequence[StoredRun],
    target: Parameters,
    names: Sequence[str],
    *,
    platform: str | None = None,
    minimum: float = MINIMUM_EFFECTIVE,
) -> dict[str, PropertyEstimate]:
    """Properties of a force field from runs of one or several others, by MBAR.

    Constrained distances stay those of the runs.

    Parameters
    ----------
    runs
        Of one liquid in one state.
    target
        Force field asked for.
    names
        `density`, `enthalpy_of_vaporization`.
    platform
        OpenMM platform.
    minimum
        Effective samples below which a result is refused.

    Raises
    ------
    PropertyError
        If the runs do not belong together, or a property cannot be had from them.
    SamplingError
        If too few effective samples are left.
    ForceFieldError, ObservablesError
        If the target does not describe the molecules, or no energy is finite.
    """
    check_same_liquid(runs)
    chosen = transferable(names, runs)
    temperature, pressure = runs[0].temperature, runs[0].pressure * ATMOSPHERE
    legs = [run.liquid for run in runs]
    energies, counts = _all_energies(legs, target, platform)
    volumes = np.concatenate([leg.frames.volumes for leg in legs])
    found = {}

    def average(values: Floats, table: Floats, numbers: Sequence[int]) -> Mean:
        return mbar_mean(values, table, numbers, len(runs), temperature, minimum=minimum)

    for name in chosen:
        if name == DENSITY:
            result = average(legs[0].mass * GRAM_PER_CM3 / volumes, energies, counts)
        else:
            n = legs[0].box.n_molecules
            gases = [run.gas for run in runs if run.gas is not None]
            table, numbers = _all_energies(gases, target, platform)
            above = average(table[-1], table, numbers)
            below = average((energies[-1] + pressure * volumes) / n, energies, counts)
            result = Mean(
                KJ_PER_KCAL * (above.value - below.value + BOLTZMANN * temperature),
                KJ_PER_KCAL * math.hypot(above.error, below.error),
                min(above.n_effective, below.n_effective),
            )
        found[name] = PropertyEstimate(
            name=name,
            value=result.value,
            uncertainty=result.error,
            unit=_UNITS[name],
            n_effective=result.n_effective,
            equilibration_time=0.0,
            method=f"MBAR from {len(runs)} stored runs; asymptotic error",
            details={"frames": sum(counts), "runs": [str(run.folder) for run in runs]},
        )
    return found


def ensemble_spread(
    run: StoredRun,
    force_field: Parameters,
    names: Sequence[str],
    *,
    platform: str | None = None,
    minimum: float = MINIMUM_EFFECTIVE,
) -> dict[str, PropertyEstimate]:
    """Properties with every member of a model's ensemble from one run, and their spread.

    Parameters
    ----------
    run
        Simulated with ``force_field``.
    force_field
        Polarizable, of a model with several members.
    names, platform, minimum
        As `reweighted`.

    Raises
    ------
    PropertyError, ForceFieldError
        If the run is of another force field, or that has no ensemble.
    SamplingError
        If a member has too few effective samples.
    """
    chosen = transferable(names, [run])
    model = model_of(run, force_field)
    temperature, pressure = run.temperature, run.pressure * ATMOSPHERE
    volumes = run.liquid.frames.volumes
    energies = _member_energies(run.liquid, model, platform)
    found = {}

    def spread(unit: str, values: Floats, table: Floats) -> PropertyEstimate:
        return ensemble_uncertainty(name, unit, values, table, temperature, minimum=minimum)

    for name in chosen:
        if name == DENSITY:
            values = run.liquid.mass * GRAM_PER_CM3 / volumes
            found[name] = spread(_UNITS[name], values, energies)
            continue
        n = run.liquid.box.n_molecules
        below = spread("kcal/mol", (energies[:-1] + pressure * volumes) / n, energies)
        gas = _gas(run)
        table = _member_energies(gas, model, platform)
        above = spread("kcal/mol", table[:-1], table)
        heats = np.array(above.details["members"]) - np.array(below.details["members"])
        members = KJ_PER_KCAL * (heats + BOLTZMANN * temperature)
        found[name] = PropertyEstimate(
            name=name,
            value=float(members.mean()),
            uncertainty=float(members.std(ddof=1)),
            unit=_UNITS[name],
            n_effective=min(above.n_effective, below.n_effective),
            equilibration_time=0.0,
            method=below.method,
            details={"members": members.tolist()},
        )
    return found


def gradients(
    run: StoredRun, force_field: Parameters, names: Sequence[str]
) -> dict[str, PropertyGradient]:
    """Derivatives of properties with respect to the weights of the network behind a run.

    Parameters
    ----------
    run
        Simulated with ``force_field``.
    force_field
        Polarizable.
    names
        `density`, `enthalpy_of_vaporization`.

    Raises
    ------
    PropertyError, ForceFieldError
        If the run is of another force field, or that is not polarizable.
    """
    chosen = transferable(names, [run])
    model = model_of(run, force_field)
    molecules = run.liquid.molecules()
    cutoff, switch = _cutoff(run.liquid)
    potential = PeriodicEnergy(
        model.predict(molecules), run.liquid.placements(), cutoff=cutoff, switch_distance=switch
    )
    makers: dict[str, Callable[[], PropertyGradient]] = {
        DENSITY: lambda: density_gradient(
            model,
            molecules,
            potential,
            run.liquid.frames,
            temperature=run.temperature,
            mass=run.liquid.mass,
        ),
        VAPORIZATION: lambda: vaporization_gradient(
            model,
            molecules[0],
            potential,
            run.liquid.frames,
            _gas(run).frames,
            temperature=run.temperature,
            pressure=run.pressure,
        ),
    }
    return {name: makers[name]() for name in chosen}


def model_of(run: StoredRun, force_field: Parameters) -> Model:
    """Model behind a polarizable run.

    Raises
    ------
    ForceFieldError
        If the force field is not polarizable.
    PropertyError
        If the run was simulated with another.
    """
    if not force_field.is_polarizable:
        raise ForceFieldError(f"{force_field.name} is not polarizable; this needs a network")
    if run.force_field_sha256 != force_field.sha256:
        raise PropertyError(
            f"{run.folder} was not simulated with {force_field.name} as it is now; give the force "
            "field of the run"
        )
    handler = force_field.force_field.get_parameter_handler(POLARIZABLE_SECTION)
    return load_model(handler.model, expected_sha256=handler.sha256)


def _gas(run: StoredRun) -> StoredFrames:
    if run.gas is None:
        raise PropertyError(f"{run.folder} holds no trajectory of the gas")
    return run.gas


def _all_energies(
    legs: Sequence[StoredFrames], target: Parameters, platform: str | None
) -> tuple[Floats, list[int]]:
    """Of all frames with the force field of every run and, last, the target; and counts."""
    systems = [leg.own_system() for leg in legs] + [legs[0].system(target)]
    if len({_constrained(system) for system in systems}) > 1:
        raise PropertyError(
            "force fields with and without constraints, or with other ones, move in different "
            "spaces; reweight between those that constrain the same distances"
        )
    rows = [np.concatenate([leg.energies(s, platform) for leg in legs]) for s in systems]
    return np.array(rows), [*(len(leg.frames) for leg in legs), 0]


def _constrained(system: openmm.System) -> frozenset[tuple[int, int]]:
    """Pairs of particles held at a distance."""
    rows = [system.getConstraintParameters(i)[:2] for i in range(system.getNumConstraints())]
    return frozenset((min(pair), max(pair)) for pair in rows)


def _member_energies(leg: StoredFrames, model: Model, platform: str | None) -> Floats:
    cutoff, switch = _cutoff(leg)
    return member_energies(
        model.predict_members(leg.molecules()),
        leg.placements(),
        leg.frames,
        platform=platform,
        cutoff=cutoff,
        switch_distance=switch,
    )


def _cutoff(leg: StoredFrames) -> tuple[float, float | None]:
    """Cutoff and switching distance of the run, Å."""
    import openmm

    for force in leg.own_system().getForces():
        if isinstance(force, openmm.CustomNonbondedForce):
            cutoff = float(force.getCutoffDistance()._value) / NM_PER_ANGSTROM
            if not force.getUseSwitchingFunction():
                return cutoff, None
            return cutoff, float(force.getSwitchingDistance()._value) / NM_PER_ANGSTROM
    raise ForceFieldError(f"the system in {leg.home} holds no polarizable force field")
