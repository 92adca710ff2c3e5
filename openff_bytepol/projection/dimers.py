"""Rigid dimer curves of the polarizable model and its projection, for reports and tests."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from openff_bytepol.exceptions import ParameterError
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import energy
from openff_bytepol.projection.conformers import make_conformer
from openff_bytepol.projection.energies import energy_fixed_charge
from openff_bytepol.projection.fixed_charge import FixedChargeParameters
from openff_bytepol.projection.source import Source, flat_molecule

Floats = NDArray[np.float64]

CONTACTS: Final[Floats] = np.linspace(1.5, 6.0, 37)
"""Shortest distances between atoms of the two molecules, Å."""

_ORIENTATIONS: Final = 24
_SEED: Final = 7


class Monomer(NamedTuple):
    """One molecule in both force fields, in a rigid geometry (n_atoms, 3), Å."""

    polarizable: ParameterSet
    fixed_charge: FixedChargeParameters
    xyz: Floats


class DimerCurves(NamedTuple):
    """Interaction energies of two rigid molecules, kcal/mol; (n_orientations, n_contacts)."""

    polarizable: Floats
    fixed_charge: Floats

    @property
    def strongest(self) -> int:
        """Orientation with the lowest polarizable minimum."""
        return int(self.polarizable.min(axis=1).argmin())

    def minimum(self, name: str) -> tuple[float, float]:
        """Contact distance (Å) and energy (kcal/mol) at the minimum of the strongest one."""
        curve = getattr(self, name)[self.strongest]
        lowest = int(curve.argmin())
        return float(CONTACTS[lowest]), float(curve[lowest])

    def rmsd(self, window: float = 0.0) -> float:
        """Root-mean-square difference where the polarizable energy is below the window."""
        inside = self.polarizable < window
        if not inside.any():
            return float("nan")
        return float(np.sqrt(np.mean((self.fixed_charge - self.polarizable)[inside] ** 2)))


def make_monomer(
    parameters: ParameterSet, molecule: Any, fixed_charge: FixedChargeParameters
) -> Monomer:
    """Put a molecule into the geometry that the projection generates first.

    Raises
    ------
    ParameterError
        If no geometry can be generated.
    """
    parameters = parameters.mean().detach().to("cpu", torch.float64)
    mol = flat_molecule(parameters, molecule)
    source = Source.read(parameters, mol)
    xyz = make_conformer(source, mol)
    if xyz is None:
        raise ParameterError(f"no geometry could be generated for molecule '{source.smiles}'")
    return Monomer(parameters, fixed_charge, xyz[np.argsort(source.order)])


def dimer_curves(first: Monomer, second: Monomer) -> DimerCurves:
    """Scan the distance of two molecules in quasi-random orientations."""
    sizes = len(first.xyz), len(second.xyz)
    generator = np.random.default_rng(_SEED)
    rotations = Rotation.random(2 * _ORIENTATIONS, rng=generator).as_matrix()
    geometries = np.empty((_ORIENTATIONS, len(CONTACTS), sum(sizes), 3))
    for n in range(_ORIENTATIONS):
        a = first.xyz @ rotations[2 * n].T
        b = second.xyz @ rotations[2 * n + 1].T
        geometries[n, :, : sizes[0]] = a
        shifts = np.array([_separation(a, b, contact) for contact in CONTACTS])
        geometries[n, :, sizes[0] :] = b
        geometries[n, :, sizes[0] :, 0] += shifts[:, None]
    flat = torch.from_numpy(geometries.reshape(-1, sum(sizes), 3))
    both = ParameterSet.concatenate([first.polarizable, second.polarizable])
    both_fixed = FixedChargeParameters.concatenate([first.fixed_charge, second.fixed_charge])
    polarizable = energy(both, flat).total[:, 0]
    fixed = energy_fixed_charge(both_fixed, flat).total
    for monomer in (first, second):
        alone = torch.from_numpy(monomer.xyz)
        polarizable = polarizable - energy(monomer.polarizable, alone).total
        fixed = fixed - energy_fixed_charge(monomer.fixed_charge, alone).total
    shape = geometries.shape[:2]
    return DimerCurves(polarizable.numpy().reshape(shape), fixed.numpy().reshape(shape))


def _separation(a: Floats, b: Floats, contact: float) -> float:
    """Shift of b along x at which the closest pair of atoms is at the contact distance."""
    difference = b[None] - a[:, None]
    across = (difference[..., 1:] ** 2).sum(axis=-1)
    reach = contact**2 - across
    meets = reach > 0.0
    if not meets.any():
        return 0.0
    return float((np.sqrt(reach[meets]) - difference[..., 0][meets]).max())
