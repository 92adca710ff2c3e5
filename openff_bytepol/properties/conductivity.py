"""Ionic conductivity, Onsager coefficients and transference numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from openff_bytepol.exceptions import PropertyError
from openff_bytepol.properties.einstein import (
    SEGMENTS,
    Regime,
    curve_details,
    linear_regime,
    mean_squared_displacement,
    relative_centers,
    segments,
)
from openff_bytepol.properties.observables import Floats, Observables
from openff_bytepol.properties.results import PropertyEstimate
from openff_bytepol.properties.statistics import Mean, Runs, as_runs, estimate, jackknife
from openff_bytepol.units import BOLTZMANN, SIEMENS_PER_METER


@dataclass(frozen=True)
class _Motion:
    """Slopes of displacements of the ions, one row per segment, Å²/ps.

    Attributes
    ----------
    ions
        Components with a charge.
    charges
        Of one ion each, e.
    own
        Of single ions, summed over the ions of a component; (n_segments, n_ions).
    collective
        Of the sums of the positions of all ions of two components, (n_segments, n_ions, n_ions).
    curve
        Charge-weighted mean squared displacement of single ions, e²Å²; (n_lags,).
    regime
        In which slopes are taken, found on that curve.
    factor
        1/(6 V kT) in S/m.
    """

    ions: tuple[int, ...]
    charges: Floats
    own: Floats
    collective: Floats
    curve: Floats
    regime: Regime
    factor: float

    def result(
        self,
        name: str,
        samples: Floats,
        runs: tuple[Observables, ...],
        method: str,
        **details: Any,
    ) -> PropertyEstimate:
        """Mean over segments, in S/m, of e²Å²/ps."""
        found = jackknife(samples * self.factor, float)
        windows = sum(len(run) for run in runs) / self.regime.stop
        return estimate(
            name,
            Mean(found.value, found.error, windows),
            "S/m",
            runs,
            f"{method}; error from {len(samples)} segments",
            details=details | curve_details(self.curve, self.regime),
        )


def nernst_einstein_conductivity(runs: Runs, *, n_segments: int = SEGMENTS) -> PropertyEstimate:
    """Conductivity of ions that move independently, σ_NE = Σ_i N_i z_i² e² D_i / (V kT).

    D_i are those of the box, without a finite-size correction.

    Parameters
    ----------
    runs
        Production with unwrapped centres, best at constant volume.
    n_segments
        Into how many pieces the data are cut; errors are from the spread between them.

    Returns
    -------
    PropertyEstimate
        S/m. ``n_effective`` counts independent time windows.

    Raises
    ------
    PropertyError
        Without ions, or in a box that is not neutral.
    SamplingError
        If ions do not move diffusively within half a segment.
    """
    runs = as_runs(runs)
    motion = _motion(runs, n_segments)
    samples = motion.own @ motion.charges**2
    return motion.result("nernst_einstein_conductivity", samples, runs, "Nernst-Einstein")


def conductivity(runs: Runs, *, n_segments: int = SEGMENTS) -> PropertyEstimate:
    """Ionic conductivity with all correlations between ions (Einstein-Helfand).

    σ = lim d/dt ⟨|Σ_k z_k e [r_k(t) − r_k(0)]|²⟩ / (6 V kT) = Σ_ij z_i z_j L_ij

    with Onsager coefficients L_ij of the components i and j (Fong et al., Macromolecules 2021,
    54, 2575), in the frame of the centre of mass. Slopes are taken where single ions move
    diffusively. ``details`` hold L_ij, the ratio to `nernst_einstein_conductivity`
    ("ionicity": 1 if ions move independently, below 1 with ion pairs) and its error.

    Source: Helfand, Phys. Rev. 1960, 119, 1. Arguments and errors as
    `nernst_einstein_conductivity`.

    Returns
    -------
    PropertyEstimate
        S/m.
    """
    runs = as_runs(runs)
    motion = _motion(runs, n_segments)
    z = motion.charges
    samples = np.einsum("sij,i,j->s", motion.collective, z, z)
    both = np.stack([samples, motion.own @ z**2], axis=1)
    ionicity = jackknife(both, lambda pair: float(pair[0] / pair[1]))
    onsager = motion.collective.mean(axis=0) * motion.factor
    return motion.result(
        "conductivity",
        samples,
        runs,
        "Einstein-Helfand",
        ions=[runs[0].names[i] for i in motion.ions],
        onsager_coefficients_S_per_m_e2=onsager.tolist(),
        nernst_einstein_S_per_m=float(both[:, 1].mean() * motion.factor),
        ionicity=ionicity.value,
        ionicity_error=ionicity.error,
    )


def transference_numbers(runs: Runs, *, n_segments: int = SEGMENTS) -> dict[str, PropertyEstimate]:
    """Share of the current that each kind of ion carries, t_i = Σ_j z_i z_j L_ij / σ.

    In the frame of the centre of mass; they sum to 1. Those of correlated ions may be
    negative or above 1. Source and arguments as `conductivity`.

    Returns
    -------
    dict
        By name of the component; dimensionless.
    """
    runs = as_runs(runs)
    motion = _motion(runs, n_segments)
    z = motion.charges
    shares = np.einsum("sij,i,j->si", motion.collective, z, z)
    windows = sum(len(run) for run in runs) / motion.regime.stop
    results = {}
    for row, index in enumerate(motion.ions):
        found = jackknife(shares, lambda s, row=row: float(s[row] / s.sum()))  # type: ignore[misc]
        results[runs[0].names[index]] = estimate(
            "transference_number",
            Mean(found.value, found.error, windows),
            "dimensionless",
            runs,
            f"Onsager coefficients; error from {len(shares)} segments",
            details={"component": runs[0].names[index]},
        )
    return results


def _motion(runs: tuple[Observables, ...], n_segments: int) -> _Motion:
    first = runs[0]
    ions = tuple(i for i, charge in enumerate(first.charges) if charge and first.counts[i])
    if not ions:
        raise PropertyError(f"no ions among {first.names}; there is no ionic conductivity")
    total = float(np.dot(first.counts, first.charges))
    if abs(total) > 1e-6:
        raise PropertyError(
            f"the box has a charge of {total:+g} e; conductivity needs a neutral one"
        )
    charges = np.array([first.charges[i] for i in ions])
    own, collective = [], []
    for piece in segments(runs, n_segments):
        centers = relative_centers(piece)
        groups = [centers[:, first.component_index == i] for i in ions]
        own.append([mean_squared_displacement(group) * group.shape[1] for group in groups])
        collective.append(_collective([group.sum(axis=1) for group in groups]))
    own_curves = np.array(own)
    curve = np.einsum("sit,i->t", own_curves, charges**2) / len(own_curves)
    regime = linear_regime(curve, first.interval)
    volume = float(np.concatenate([run.volumes for run in runs]).mean())
    return _Motion(
        ions,
        charges,
        np.apply_along_axis(regime.slope, -1, own_curves),
        np.apply_along_axis(regime.slope, -1, np.array(collective)),
        curve,
        regime,
        SIEMENS_PER_METER / (6.0 * volume * BOLTZMANN * first.temperature),
    )


def _collective(sums: list[Floats]) -> Floats:
    """⟨ΔA·ΔB⟩ of all pairs of collective positions (n_frames, 3), by polarization."""
    squares = [mean_squared_displacement(a[:, None]) for a in sums]
    curves = np.empty((len(sums), len(sums), len(squares[0])))
    for i, a in enumerate(sums):
        for j, b in enumerate(sums[: i + 1]):
            both = mean_squared_displacement((a + b)[:, None])
            curves[i, j] = curves[j, i] = 0.5 * (both - squares[i] - squares[j])
    return curves
