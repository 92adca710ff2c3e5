"""Radial distribution functions, coordination numbers and ion pairs of molecular centres."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import argrelextrema

from openff_bytepol.exceptions import MissingDependencyError, PropertyError
from openff_bytepol.properties.observables import Floats, Ints, Observables
from openff_bytepol.properties.results import PropertyEstimate
from openff_bytepol.properties.statistics import Mean, Runs, as_runs, estimate, jackknife, mean
from openff_bytepol.units import NM_PER_ANGSTROM

if TYPE_CHECKING:
    import mdtraj

_BLOCKS: Final = 5
_MOST_DISTANCES: Final = 5_000_000
"""Computed at a time, for memory."""
_SMOOTHING: Final = 0.15
_RANGE: Final = 0.5
"""Å: g(r) is smoothed with this deviation; a minimum is lowest within this range either side."""


@dataclass(frozen=True, eq=False)
class RadialDistribution:
    """Distribution of distances between two kinds of particles.

    Attributes
    ----------
    distances
        Centres of the bins, Å; (n_bins,).
    values
        g(r), 1 far away; (n_blocks, n_bins), one row per block of frames.
    partners
        Mean number of partners per particle up to the end of every bin; (n_blocks, n_bins).
    """

    distances: Floats
    values: Floats
    partners: Floats

    @property
    def mean(self) -> Floats:
        """g(r) over all blocks; (n_bins,)."""
        return np.asarray(self.values.mean(axis=0))

    @property
    def errors(self) -> Floats:
        """Standard errors from the spread between blocks; (n_bins,)."""
        return np.asarray(self.values.std(axis=0, ddof=1) / math.sqrt(len(self.values)))

    @property
    def first_minimum(self) -> float:
        """First minimum beyond the first peak of at least half the greatest height, Å.

        Raises
        ------
        PropertyError
            If there is none within the range.
        """
        width = self.distances[1] - self.distances[0]
        smooth = gaussian_filter1d(self.mean, _SMOOTHING / width)
        order = max(1, round(_RANGE / width))
        minima = argrelextrema(smooth, np.less_equal, order=order)[0]
        maxima = argrelextrema(smooth, np.greater_equal, order=order)[0]
        peak = int(maxima[smooth[maxima] > 0.5 * smooth.max()][0])
        minima = minima[(minima > peak) & (minima < len(smooth) - order)]
        if len(minima) == 0:
            raise PropertyError("g(r) has no minimum beyond its first peak: no coordination shell")
        return float(self.distances[minima[0]])


def radial_distribution(
    runs: Runs,
    first: int = 0,
    second: int = 0,
    *,
    maximum: float | None = None,
    bin_width: float = 0.1,
) -> RadialDistribution:
    """g(r) = ⟨n(r)⟩ / (4π r² dr ρ) between centres of mass of molecules of two components.

    Source: Allen and Tildesley, Computer Simulation of Liquids, 2nd ed., Oxford 2017, section
    2.6; distances with periodic images by MDTraj.

    Parameters
    ----------
    runs
        Production with centres and boxes.
    first, second
        Components.
    maximum
        Å; half the shortest box edge by default.
    bin_width
        Å.

    Raises
    ------
    PropertyError
        If there are no pairs, or too few frames for five blocks.
    ObservablesError
        Without centres or boxes.
    """
    runs = as_runs(runs)
    index = runs[0].component_index
    pairs = _pairs(np.flatnonzero(index == first), np.flatnonzero(index == second))
    trajectories = [_trajectory(run) for run in runs]
    return _distribution(trajectories, pairs, maximum, bin_width)


def atomic_radial_distribution(
    trajectory: mdtraj.Trajectory,
    first: Ints,
    second: Ints,
    *,
    maximum: float | None = None,
    bin_width: float = 0.1,
) -> RadialDistribution:
    """As `radial_distribution`, between atoms of an MDTraj trajectory.

    Pairs within a molecule count too: choose atoms that have none, or read g(r) beyond them.

    Parameters
    ----------
    trajectory
        With periodic boxes.
    first, second
        Indices of atoms, as from ``trajectory.topology.select``.
    maximum, bin_width
        Å.
    """
    return _distribution([trajectory], _pairs(first, second), maximum, bin_width)


def coordination_number(
    runs: Runs, first: int = 0, second: int = 0, *, cutoff: float | None = None
) -> PropertyEstimate:
    """Mean number of molecules ``second`` within a distance of a molecule ``first``.

    Parameters
    ----------
    runs, first, second
        As for `radial_distribution`.
    cutoff
        Å; the first minimum of g(r) by default.

    Returns
    -------
    PropertyEstimate
        Dimensionless.

    Raises
    ------
    PropertyError
        If g(r) has no first minimum and no cutoff is given.
    """
    runs = as_runs(runs)
    distribution = radial_distribution(runs, first, second)
    limit = distribution.first_minimum if cutoff is None else cutoff
    last = int(np.searchsorted(distribution.distances, limit))
    if last >= len(distribution.distances):
        raise PropertyError(f"{limit:g} Å is more than half the box; use a larger one")
    found = jackknife(distribution.partners[:, last], float)
    return estimate(
        "coordination_number",
        Mean(found.value, found.error, float(sum(len(run) for run in runs))),
        "dimensionless",
        runs,
        f"neighbours within {limit:.2f} Å; error from {len(distribution.values)} blocks",
        details={
            "components": [runs[0].names[first], runs[0].names[second]],
            "cutoff_angstrom": limit,
        },
    )


def paired_fraction(
    runs: Runs, first: int, second: int, *, cutoff: float | None = None
) -> PropertyEstimate:
    """Fraction of molecules ``first`` with at least one ``second`` within a distance.

    For a cation and an anion this is the share of ions in contact pairs and aggregates.

    Parameters
    ----------
    runs, first, second, cutoff
        As for `coordination_number`.

    Returns
    -------
    PropertyEstimate
        Dimensionless, 0 to 1.
    """
    runs = as_runs(runs)
    limit = radial_distribution(runs, first, second).first_minimum if cutoff is None else cutoff
    index = runs[0].component_index
    rows, columns = np.flatnonzero(index == first), np.flatnonzero(index == second)
    pairs = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
    series = []
    for run in runs:
        trajectory = _trajectory(run)
        shares = [
            (distances.reshape(-1, len(rows), len(columns)).min(axis=2) < limit).mean(axis=1)
            for distances in _distances(trajectory, pairs)
        ]
        series.append(np.concatenate(shares).astype(np.float64))
    return estimate(
        "paired_fraction",
        mean(series),
        "dimensionless",
        runs,
        f"partner within {limit:.2f} Å; error from the statistical inefficiency",
        details={
            "components": [runs[0].names[first], runs[0].names[second]],
            "cutoff_angstrom": limit,
        },
    )


def _pairs(first: Ints, second: Ints) -> Ints:
    """All ordered pairs of different particles, (n, 2)."""
    pairs = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1).reshape(-1, 2)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    if len(pairs) == 0:
        raise PropertyError("there are no pairs of these components")
    return np.asarray(pairs)


def _distribution(
    trajectories: list[mdtraj.Trajectory], pairs: Ints, maximum: float | None, bin_width: float
) -> RadialDistribution:
    lengths = np.concatenate([t.unitcell_lengths for t in trajectories]) / NM_PER_ANGSTROM
    end = 0.5 * float(lengths.min()) if maximum is None else maximum
    edges = np.arange(0.0, end + 1e-9, bin_width)
    shells = 4.0 / 3.0 * math.pi * np.diff(edges**3)
    pieces = math.ceil(_BLOCKS / len(trajectories))
    n_first = len(np.unique(pairs[:, 0]))
    values, partners = [], []
    for trajectory in trajectories:
        if trajectory.n_frames < pieces:
            raise PropertyError(f"{trajectory.n_frames} frames are too few for {pieces} blocks")
        for frames in np.array_split(np.arange(trajectory.n_frames), pieces):
            block = trajectory[frames]
            counts = np.zeros(len(shells))
            for distances in _distances(block, pairs):
                counts += np.histogram(distances, edges)[0]
            counts /= block.n_frames
            volume = float(block.unitcell_volumes.mean()) / NM_PER_ANGSTROM**3
            values.append(counts * volume / (len(pairs) * shells))
            partners.append(np.cumsum(counts) / n_first)
    centers = np.asarray(0.5 * (edges[1:] + edges[:-1]), dtype=np.float64)
    return RadialDistribution(centers, np.array(values), np.array(partners))


def _distances(trajectory: mdtraj.Trajectory, pairs: Ints) -> Iterator[Floats]:
    """Minimum image distances, Å, in pieces of (n_frames, n_pairs)."""
    import mdtraj

    step = max(1, _MOST_DISTANCES // len(pairs))
    for start in range(0, trajectory.n_frames, step):
        piece = trajectory[start : start + step]
        yield mdtraj.compute_distances(piece, pairs) / NM_PER_ANGSTROM


def _trajectory(run: Observables) -> mdtraj.Trajectory:
    """Centres of mass as a trajectory of one-atom molecules."""
    try:
        import mdtraj
    except ImportError as error:
        raise MissingDependencyError(
            'MDTraj is not installed: pip install "openff-bytepol[properties]"'
        ) from error
    centers, boxes = run.require("centers"), run.require("boxes")
    topology = mdtraj.Topology()
    chain = topology.add_chain()
    for _ in range(run.n_molecules):
        residue = topology.add_residue("M", chain)
        topology.add_atom("M", mdtraj.element.virtual, residue)
    trajectory = mdtraj.Trajectory(centers * NM_PER_ANGSTROM, topology)
    trajectory.unitcell_vectors = boxes * NM_PER_ANGSTROM
    return trajectory
