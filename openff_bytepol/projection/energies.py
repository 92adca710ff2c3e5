"""Energy of fixed-charge parameters in PyTorch, without cutoff or periodic images."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from openff_bytepol.exceptions import ParameterError
from openff_bytepol.potentials.angles import angle_energy
from openff_bytepol.potentials.bonds import bond_energy
from openff_bytepol.potentials.coulomb import coulomb_energy
from openff_bytepol.potentials.geometry import bond_angles, dihedral_cosines, norms, pair_vectors
from openff_bytepol.potentials.mixing import arithmetic, geometric, product
from openff_bytepol.potentials.torsions import improper_energy, proper_energy
from openff_bytepol.projection.fixed_charge import FixedChargeParameters


@dataclass(frozen=True, kw_only=True)
class FixedChargeEnergy:
    """Energy term by term, kcal/mol; each of shape () or (n_conformers,)."""

    bonds: Tensor
    angles: Tensor
    propers: Tensor
    impropers: Tensor
    lennard_jones: Tensor
    electrostatics: Tensor

    @property
    def total(self) -> Tensor:
        """Sum of all terms."""
        return sum(self.as_dict().values(), start=torch.zeros_like(self.electrostatics))

    def as_dict(self) -> dict[str, Tensor]:
        """Term name → energies."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def lennard_jones_energy(r: Tensor, epsilon: Tensor, sigma: Tensor) -> Tensor:
    """4·epsilon·[(sigma/r)¹² - (sigma/r)⁶] of each pair.

    Parameters
    ----------
    r
        Distances, Å; (..., n_pairs).
    epsilon
        Well depths, kcal/mol; (n_pairs,).
    sigma
        Å; (n_pairs,).

    Returns
    -------
    Tensor
        kcal/mol; (..., n_pairs).
    """
    sixth = (sigma / r).square()
    sixth = sixth * sixth * sixth
    return 4.0 * epsilon * sixth * (sixth - 1.0)


def energy_fixed_charge(fixed: FixedChargeParameters, coordinates: Tensor) -> FixedChargeEnergy:
    """Potential energy of a molecule or cluster.

    Differentiable with respect to coordinates and parameters.

    Parameters
    ----------
    fixed
        Of one molecule or of several placed one after another, which all interact.
    coordinates
        Å; (n_atoms, 3) or (n_conformers, n_atoms, 3), the float type of the parameters.

    Returns
    -------
    FixedChargeEnergy
        kcal/mol; () or (n_conformers,).

    Raises
    ------
    ParameterError
        If coordinates do not fit the parameters.
    """
    if coordinates.dim() not in (2, 3) or coordinates.shape[-2:] != (fixed.n_atoms, 3):
        raise ParameterError(
            f"coordinates have shape {tuple(coordinates.shape)}; ({fixed.n_atoms}, 3) or "
            f"(n_conformers, {fixed.n_atoms}, 3) is needed"
        )
    if coordinates.dtype != fixed.charges.dtype:
        raise ParameterError(
            f"coordinates are {coordinates.dtype} and parameters {fixed.charges.dtype}; "
            "convert one with .to(dtype=...)"
        )
    xyz = coordinates.transpose(-1, -2)
    lengths = norms(pair_vectors(xyz, fixed.bonds[:, 0], fixed.bonds[:, 1]))
    proper = proper_energy(dihedral_cosines(xyz, fixed.propers), fixed.proper_k)
    improper = improper_energy(dihedral_cosines(xyz, fixed.impropers), fixed.improper_k)
    first, second, charge_scale, vdw_scale = _interacting_pairs(fixed)
    r = norms(pair_vectors(xyz, first, second))
    lennard_jones = lennard_jones_energy(
        r, geometric(fixed.epsilons, first, second), arithmetic(fixed.sigmas, first, second)
    )
    electrostatics = coulomb_energy(r, product(fixed.charges, first, second))
    return FixedChargeEnergy(
        bonds=bond_energy(lengths, fixed.bond_k, fixed.bond_r0).sum(-1),
        angles=angle_energy(bond_angles(xyz, fixed.angles), fixed.angle_k, fixed.angle_theta0).sum(
            -1
        ),
        propers=proper.sum(-1),
        impropers=improper.sum(-1),
        lennard_jones=(vdw_scale * lennard_jones).sum(-1),
        electrostatics=(charge_scale * electrostatics).sum(-1),
    )


def _interacting_pairs(fixed: FixedChargeParameters) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Atoms of all pairs three or more bonds apart, with charge and vdW factors."""
    n_atoms, device, dtype = fixed.n_atoms, fixed.bonds.device, fixed.charges.dtype
    scales = []
    for factor_14 in (fixed.charge_14, fixed.vdw_14):
        scale = torch.ones((n_atoms, n_atoms), dtype=dtype, device=device).triu(1)
        for pairs, factor in zip(fixed.pairs[:3], (0.0, 0.0, factor_14), strict=True):
            scale[pairs[:, 0], pairs[:, 1]] = factor
        scales.append(scale)
    first, second = torch.nonzero(scales[0] + scales[1], as_tuple=True)
    return first, second, scales[0][first, second], scales[1][first, second]
