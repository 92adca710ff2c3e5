"""Shear viscosity from the steady flow of a liquid under a periodic acceleration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from openff_bytepol.exceptions import ObservablesError, SamplingError
from openff_bytepol.properties.observables import Floats, Observables
from openff_bytepol.properties.results import PropertyEstimate
from openff_bytepol.properties.statistics import drift_warning, equilibration, mean
from openff_bytepol.units import (
    BOLTZMANN,
    GRAM_PER_CM3,
    NM_PER_ANGSTROM,
    OPENMM_ENERGY,
    SQUARE_METER_PER_SECOND,
)

_STEADY: Final = 0.2
"""Fraction of a run left out until the flow is steady, at least."""
_HOT: Final = 0.02
"""Rise of the temperature that is worth a warning, relative."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Flow:
    """Response of a liquid to the acceleration A·cos(2πz/L) along x.

    Attributes
    ----------
    times
        ps, from the steady state on; (n_frames,).
    amplitudes
        Of the velocity profile, V in v_x = V·cos(2πz/L), Å/ps; (n_frames,).
    acceleration
        A, Å/ps².
    wavelength
        L, Å.
    density
        g/cm³.
    temperature
        K.
    discarded
        ps before the steady state.
    heating
        Kinetic temperature above that of the thermostat, K; NaN if it was not recorded.
    """

    times: Floats
    amplitudes: Floats
    acceleration: float
    wavelength: float
    density: float
    temperature: float
    discarded: float = 0.0
    heating: float = math.nan


def steady_flow(amplitudes: Floats, *, interval: float, **options: float) -> Flow:
    """Flow without its beginning: a fifth, and what pymbar takes for equilibration.

    Parameters
    ----------
    amplitudes
        From the moment at which the acceleration sets in, Å/ps; (n_frames,).
    interval
        ps between them.
    **options
        Acceleration, wavelength, density and temperature, as of `Flow`.

    Raises
    ------
    SamplingError
        If there are too few frames.
    """
    if len(amplitudes) < 2 / _STEADY:
        raise SamplingError(f"{len(amplitudes)} frames of the flow are too few; simulate longer")
    start = max(int(_STEADY * len(amplitudes)), equilibration(amplitudes))
    return Flow(
        times=interval * np.arange(start, len(amplitudes), dtype=np.float64),
        amplitudes=amplitudes[start:],
        discarded=start * interval,
        **options,
    )


def recorded_flow(run: Observables, acceleration: float) -> Flow:
    """Steady flow of a run that was accelerated from its beginning on.

    Parameters
    ----------
    run
        With amplitudes of the flow, at constant volume.
    acceleration
        Å/ps².

    Raises
    ------
    ObservablesError
        If amplitudes were not recorded.
    SamplingError
        If the run is too short.
    """
    return steady_flow(
        run.require("flow_amplitudes"),
        interval=run.interval,
        acceleration=acceleration,
        wavelength=float(run.require("boxes")[0, 2, 2]),
        density=float(run.mass * GRAM_PER_CM3 / run.volumes.mean()),
        temperature=run.temperature,
        heating=_heating(run),
    )


def _heating_warning(flows: Sequence[Flow]) -> list[str]:
    heating = max(flow.heating for flow in flows)
    if not heating > _HOT * flows[0].temperature:
        return []
    return [f"the flow heats the liquid by {heating:.1f} K; accelerate less"]


def _heating(run: Observables) -> float:
    """Kinetic temperature without that of the flow above that of the thermostat, K."""
    steady = run[int(_STEADY * len(run)) :]
    velocity = steady.require("flow_amplitudes").mean() * NM_PER_ANGSTROM
    flow = 0.25 * run.mass * velocity**2 / OPENMM_ENERGY
    thermal = steady.kinetic_energies.mean() - flow
    return float(2.0 * thermal / (run.degrees_of_freedom * BOLTZMANN) - run.temperature)


def periodic_perturbation_viscosity(flows: Flow | Sequence[Flow]) -> PropertyEstimate:
    """Shear viscosity from the steady flow under a periodic acceleration.

    η = ρ A / (V k²), k = 2π/L

    It is that at the shear rate max |dv_x/dz| = V·k, given in ``details``: repeat it with smaller
    accelerations until it no longer changes, and with longer boxes, since η(k) falls with k.

    Source: Hess, J. Chem. Phys. 2002, 116, 209, https://doi.org/10.1063/1.1421362.

    Parameters
    ----------
    flows
        Steady flow of one run or several replicas with equal A, L and density.

    Returns
    -------
    PropertyEstimate
        mPa·s.

    Raises
    ------
    ObservablesError
        If replicas differ.
    SamplingError
        If the flow does not rise out of the thermal motion.
    """
    several = [flows] if isinstance(flows, Flow) else list(flows)
    if not several:
        raise ObservablesError("no flows to analyse")
    first = several[0]
    for other in several[1:]:
        for name in ("acceleration", "wavelength", "temperature"):
            if getattr(other, name) != getattr(first, name):
                raise ObservablesError(f"flows differ in {name}")
    series = [flow.amplitudes for flow in several]
    velocity = mean(series)
    if velocity.value < 3.0 * velocity.error:
        raise SamplingError(
            f"the flow, {velocity.value:.3g} ± {velocity.error:.2g} Å/ps, is lost in thermal "
            "motion; simulate longer or accelerate more"
        )
    k = 2.0 * math.pi / first.wavelength
    kinematic = first.acceleration / (velocity.value * k**2) * SQUARE_METER_PER_SECOND
    value = kinematic * first.density * 1000.0 * 1000.0  # g/cm³ to kg/m³, Pa·s to mPa·s
    return PropertyEstimate(
        name="viscosity",
        value=value,
        uncertainty=value * velocity.error / velocity.value,
        unit="mPa*s",
        n_effective=velocity.n_effective,
        equilibration_time=max(flow.discarded for flow in several),
        method="periodic perturbation; error from the statistical inefficiency",
        warnings=tuple(drift_warning(series, "flow") + _heating_warning(several)),
        details={
            "heating_K": max(flow.heating for flow in several),
            "acceleration_angstrom_per_ps2": first.acceleration,
            "shear_rate_per_ps": velocity.value * k,
            "wavelength_angstrom": first.wavelength,
        },
    )
