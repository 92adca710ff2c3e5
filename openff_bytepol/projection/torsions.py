"""Torsions that give fixed charges the torsion profiles of the polarizable model.

Every rotatable bond is scanned in several states of the others. The difference of the two
models' nonbonded energies along a scan is put into the cosine series of the torsions about
the bond by weighted linear least squares,

    sum_scans sum_angles w·[D - sum_p dk_pn·cos(n·phi_p - delta_n) - c]² + rho·sum_pn dk_pn²,

with a constant c for every scan and equal dk for equivalent torsions. Weights fall off as
exp(-E/E0) with the energy above the scan's minimum and, more slowly, with the minimum's
own energy, where E is the greater of both models' energies: close contacts, in which the
models differ most and no cosine helps, are never visited.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.projection.mean_field import GasResponse
from openff_bytepol.projection.rotors import Rotor, dihedrals, turn
from openff_bytepol.projection.scan import ANGLES, RotorScan
from openff_bytepol.projection.source import Source

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_ANGLE_ENERGY: Final = 1.0
_STATE_ENERGY: Final = 3.0
"""E0 of the weights along a scan and between scans, kcal/mol."""

_PENALTY: Final = 0.1
"""rho, dimensionless."""

_SAMPLING_ENERGY: Final = 1.0
"""kT of the rotor states, kcal/mol."""

_GOLDEN: Final = 0.6180339887498949
_PLASTIC: Final = 0.7548776662466927


class State(NamedTuple):
    """Scans of all rotors that start from one conformer.

    Attributes
    ----------
    nonbonded
        Of the polarizable model, kcal/mol; (n_rotors, n_angles).
    torsions
        Energy of the proper torsions about each rotor, kcal/mol; (n_rotors, n_angles).
    cosines
        cos(n·phi - delta_n) of every proper; (n_propers, n_angles, 4).
    distances
        From `RotorScan.polarizable`.
    """

    nonbonded: Floats
    torsions: Floats
    cosines: Floats
    distances: Floats


def scan_state(
    source: Source, rotors: list[Rotor], scan: RotorScan, xyz: Floats, gas: GasResponse
) -> State:
    """Scan every rotor of a conformer (Å; (n_atoms, 3)) with the polarizable model."""
    nonbonded, distances = scan.polarizable(xyz, gas)
    phi = dihedrals(xyz, source.propers)[:, None] + ANGLES
    c = np.cos(phi)
    square = c * c
    cosines = np.stack([c, 1 - 2 * square, c * (4 * square - 3), 8 * square * (1 - square) - 1], -1)
    energies = np.einsum("pan,pn->pa", cosines, source.proper_k)
    torsions = np.stack([energies[r.propers].sum(axis=0) for r in rotors])
    return State(nonbonded, torsions, cosines, distances)


def next_conformer(rotors: list[Rotor], xyz: Floats, state: State, number: int) -> Floats:
    """Turn every rotor to an angle drawn from the Boltzmann weights of its scan.

    Quasi-random numbers (additive recurrences) decide, so that the result is always the
    same; angles are shifted a little off the grid of the scan.

    Parameters
    ----------
    rotors
        Of the molecule.
    xyz
        Conformer of the state, Å; (n_atoms, 3).
    state
        Its scans.
    number
        How many conformers came before.
    """
    energy = state.nonbonded + state.torsions
    weights = np.exp(-(energy - energy.min(axis=1, keepdims=True)) / _SAMPLING_ENERGY)
    reached = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    place = (number + 1) * _GOLDEN + np.arange(1, len(rotors) + 1) * _PLASTIC
    chosen = (reached > (place % 1.0)[:, None]).argmax(axis=1)
    shift = (place * len(ANGLES)) % 1.0 - 0.5
    return turn(rotors, xyz, ANGLES[chosen] + shift * ANGLES[1])


def fit_torsions(
    source: Source, rotors: list[Rotor], states: list[State], fixed_charge: list[Floats]
) -> Floats:
    """New amplitudes of all proper torsions.

    Parameters
    ----------
    source
        The molecule.
    rotors
        Its rotors.
    states
        Their scans with the polarizable model.
    fixed_charge
        Nonbonded energies of the same scans with fixed charges.

    Returns
    -------
    ndarray
        kcal/mol; (n_propers, 4). Those about other bonds are unchanged.
    """
    classes = _proper_classes(source)
    n_classes = int(classes.max()) + 1
    nonbonded = np.stack([s.nonbonded for s in states])
    difference = nonbonded - np.stack(fixed_charge)
    torsions = np.stack([s.torsions for s in states])
    along, between = _weights(nonbonded + torsions, np.stack(fixed_charge) + torsions)
    cosines = np.stack([s.cosines for s in states])
    normal = np.zeros((n_classes, 4, n_classes, 4))
    target = np.zeros((n_classes, 4))
    count = np.zeros(n_classes)
    periods = np.arange(4)
    for n, rotor in enumerate(rotors):
        present, member = np.unique(classes[rotor.propers], return_inverse=True)
        belongs = np.eye(len(present))[member]
        basis = np.einsum("span,pc->sacn", cosines[:, rotor.propers], belongs)
        basis = basis.reshape(*difference.shape[::2], -1)
        basis -= np.einsum("sa,sab->sb", along[:, n], basis)[:, None]
        d = difference[:, n] - (along[:, n] * difference[:, n]).sum(axis=1, keepdims=True)
        basis = basis.reshape(d.size, -1)
        weighted = basis * (along[:, n] * between[:, n]).reshape(-1, 1)
        block = (basis.T @ weighted).reshape(len(present), 4, len(present), 4)
        normal[np.ix_(present, periods, present, periods)] += block
        target[present] += (weighted.T @ d.ravel()).reshape(-1, 4)
        count[present] += belongs.sum(axis=0)
    penalty = _PENALTY * np.repeat(np.maximum(count, 1.0), 4)
    matrix = normal.reshape(4 * n_classes, -1) + np.diag(penalty)
    change = np.linalg.solve(matrix, target.ravel()).reshape(-1, 4)
    refitted = source.proper_k.copy()
    turned = np.concatenate([r.propers for r in rotors])
    refitted[turned] += change[classes[turned]]
    return refitted


def _weights(polarizable: Floats, fixed_charge: Floats) -> tuple[Floats, Floats]:
    """Weights along each scan (n_states, n_rotors, n_angles) and of scans (…, 1).

    Those along a scan add up to one, and so do those of all scans of a rotor.
    """
    above = [e - e.min(axis=(0, 2), keepdims=True) for e in (polarizable, fixed_charge)]
    energy = np.maximum(*above)
    lowest = energy.min(axis=2, keepdims=True)
    along = np.exp(-(energy - lowest) / _ANGLE_ENERGY)
    between = np.exp(-(lowest - lowest.min(axis=0)) / _STATE_ENERGY)
    return along / along.sum(axis=2, keepdims=True), between / between.sum(axis=0)


def _proper_classes(source: Source) -> Indices:
    """Class of each proper: those of its atoms, read in either direction."""
    classes = source.classes[0][source.propers]
    powers = (int(classes.max()) + 1) ** np.arange(4)
    codes = np.minimum(classes @ powers, classes[:, ::-1] @ powers)
    return np.unique(codes, return_inverse=True)[1].ravel()
