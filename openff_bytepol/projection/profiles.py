"""Torsion profiles of the polarizable model and its projection, for reports and tests."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import energy
from openff_bytepol.projection.conformers import make_conformer
from openff_bytepol.projection.energies import energy_fixed_charge
from openff_bytepol.projection.fixed_charge import FixedChargeParameters
from openff_bytepol.projection.mean_field import gas_response
from openff_bytepol.projection.rotors import Rotor, find_rotors, turn
from openff_bytepol.projection.scan import ANGLES, RotorScan
from openff_bytepol.projection.source import Source, flat_molecule
from openff_bytepol.projection.torsions import scan_state

Floats = NDArray[np.float64]

PROFILE_ANGLES: Final[Floats] = np.arange(24.0) * (2.0 * np.pi / 24.0)
_SWEEPS: Final = 2


class TorsionProfile(NamedTuple):
    """Energies of one rigid rotation, kcal/mol, each (n_angles,), by force field.

    Attributes
    ----------
    bond
        Atoms of the axis, in the order of the molecule.
    polarizable
        Relative to the minimum.
    fixed_charge
        Name of a projection → energies, shifted to the polarizable ones.
    accessible
        Where both models are within the window above their minima.
    """

    bond: tuple[int, int]
    polarizable: Floats
    fixed_charge: dict[str, Floats]
    accessible: NDArray[np.bool_]

    def rmsd(self, name: str) -> float:
        """Root-mean-square difference of a projection over accessible angles, kcal/mol."""
        difference = (self.fixed_charge[name] - self.polarizable)[self.accessible]
        return float(np.sqrt(np.mean(difference**2)))


def torsion_profiles(
    parameters: ParameterSet,
    molecule: Any,
    projections: dict[str, FixedChargeParameters],
    *,
    seed: int = 1,
    window: float = 6.0,
) -> list[TorsionProfile]:
    """Rigid rotations about every rotatable bond of a low-energy conformer.

    The conformer is not one that the projection saw: it comes from other random numbers, and
    every rotor is turned to the minimum of its scan.

    Parameters
    ----------
    parameters
        Of one molecule.
    molecule
        The same molecule, atoms in the same order.
    projections
        Of these parameters, by name.
    seed
        Of the conformer.
    window
        Energy above the minimum up to which geometries count as accessible, kcal/mol.
    """
    mol = flat_molecule(parameters, molecule)
    source = Source.read(parameters, mol)
    xyz = make_conformer(source, mol, seed)
    rotors = [] if xyz is None else find_rotors(source, xyz)
    if xyz is None or not rotors:
        return []
    xyz = _settle(source, rotors, xyz)
    back = np.argsort(source.order)
    profiles = []
    for rotor in rotors:
        turned = np.array([turn([rotor], xyz, np.array([a])) for a in PROFILE_ANGLES])
        coordinates = torch.from_numpy(turned[:, back])
        polarizable = energy(parameters.to(dtype=torch.float64), coordinates).total[:, 0].numpy()
        energies = {
            name: energy_fixed_charge(fixed, coordinates).total.numpy()
            for name, fixed in projections.items()
        }
        first = source.order[list(rotor.axis)].tolist()
        profiles.append(_profile((first[0], first[1]), polarizable, energies, window))
    return profiles


def _profile(
    bond: tuple[int, int], polarizable: Floats, energies: dict[str, Floats], window: float
) -> TorsionProfile:
    polarizable = polarizable - polarizable.min()
    accessible = polarizable < window
    for values in energies.values():
        accessible &= values - values.min() < window
    if not accessible.any():
        accessible = polarizable < window
    shifted = {
        name: values - (values - polarizable)[accessible].mean()
        for name, values in energies.items()
    }
    return TorsionProfile(bond, polarizable, shifted, accessible)


def _settle(source: Source, rotors: list[Rotor], xyz: Floats) -> Floats:
    """Turn one rotor after another to the lowest angle of its scan."""
    scan = RotorScan(source, rotors)
    for _ in range(_SWEEPS):
        for n in range(len(rotors)):
            state = scan_state(source, rotors, scan, xyz, gas_response(source, xyz))
            lowest = (state.nonbonded + state.torsions)[n].argmin()
            angles = np.zeros(len(rotors))
            angles[n] = ANGLES[lowest]
            xyz = turn(rotors, xyz, angles)
    return xyz
