"""Energies, forces and dipoles of molecules, clusters and batches of them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials.angles import angle_energy
from openff_bytepol.potentials.bonds import bond_energy
from openff_bytepol.potentials.charge_transfer import charge_transfer_energy
from openff_bytepol.potentials.coulomb import coulomb_energy
from openff_bytepol.potentials.dispersion import dispersion_energy
from openff_bytepol.potentials.geometry import bond_angles, dihedral_cosines, norms, pair_vectors
from openff_bytepol.potentials.induction import respond
from openff_bytepol.potentials.inputs import dipole_response, prepare, scale_14, sum_by
from openff_bytepol.potentials.mixing import arithmetic, geometric, product
from openff_bytepol.potentials.pairs import Pairs
from openff_bytepol.potentials.repulsion import repulsion_energy
from openff_bytepol.potentials.response import Response, charge_field
from openff_bytepol.potentials.solvers import SolverOptions
from openff_bytepol.potentials.torsions import improper_energy, proper_energy

DEFAULT_SOLVER = SolverOptions()


@dataclass(frozen=True, kw_only=True)
class EnergyComponents:
    """Energy of each system, term by term, kcal/mol.

    Every field has shape (n_systems,) or (n_conformers, n_systems), with an ensemble
    axis in front if the parameters have one.
    """

    bonds: Tensor
    angles: Tensor
    propers: Tensor
    impropers: Tensor
    repulsion: Tensor
    dispersion: Tensor
    charge_transfer: Tensor
    permanent: Tensor
    induction: Tensor

    @property
    def total(self) -> Tensor:
        """Sum of all terms."""
        return sum(self.as_dict().values(), start=torch.zeros_like(self.induction))

    def as_dict(self) -> dict[str, Tensor]:
        """Term name → energies."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def detach(self) -> EnergyComponents:
        """Copy that shares memory and carries no gradients."""
        return EnergyComponents(**{k: v.detach() for k, v in self.as_dict().items()})


def energy(
    parameters: ParameterSet,
    coordinates: Tensor,
    system_index: Tensor | None = None,
    *,
    pairs: Pairs | None = None,
    solver: SolverOptions = DEFAULT_SOLVER,
) -> EnergyComponents:
    """Potential energy without cutoff or periodic images.

    Differentiable to any order with respect to coordinates and parameters.

    Parameters
    ----------
    parameters
        Of one molecule, a cluster, or a batch placed one after another.
    coordinates
        Å; (n_atoms, 3) or (n_conformers, n_atoms, 3), the float type of the parameters.
    system_index
        System of each atom: different systems do not interact; (n_atoms,). One system by
        default.
    pairs
        Made beforehand by `Pairs.from_parameters`, instead of ``system_index``.
    solver
        How induced dipoles are found.

    Returns
    -------
    EnergyComponents
        kcal/mol; (n_systems,) or (n_conformers, n_systems).

    Raises
    ------
    ParameterError
        If the arguments do not fit together.
    ConvergenceError
        If conjugate gradients did not converge.
    PolarizationCatastropheError
        If induced dipoles have no minimum.
    """
    return _evaluate(*prepare(parameters, coordinates, system_index, pairs), solver)


def forces(
    parameters: ParameterSet,
    coordinates: Tensor,
    system_index: Tensor | None = None,
    *,
    pairs: Pairs | None = None,
    solver: SolverOptions = DEFAULT_SOLVER,
    create_graph: bool = False,
) -> Tensor:
    """Forces -dE/dx on all atoms; arguments and errors as `energy_and_forces`.

    Returns
    -------
    Tensor
        kcal/mol/Å; the shape of the coordinates, after the ensemble axis if there is one.
    """
    return energy_and_forces(
        parameters,
        coordinates,
        system_index,
        pairs=pairs,
        solver=solver,
        create_graph=create_graph,
    )[1]


def energy_and_forces(
    parameters: ParameterSet,
    coordinates: Tensor,
    system_index: Tensor | None = None,
    *,
    pairs: Pairs | None = None,
    solver: SolverOptions = DEFAULT_SOLVER,
    create_graph: bool = False,
) -> tuple[EnergyComponents, Tensor]:
    """Energies and forces of one pass.

    Parameters
    ----------
    parameters, coordinates, system_index, pairs, solver
        As for `energy`.
    create_graph
        Keep both results differentiable with respect to parameters and coordinates, as
        force matching needs. By default they carry no gradients.

    Returns
    -------
    components
        kcal/mol, as from `energy`.
    forces
        kcal/mol/Å; the shape of the coordinates, after the ensemble axis if there is one.

    Raises
    ------
    ParameterError, ConvergenceError, PolarizationCatastropheError
        As `energy`.
    """
    if not create_graph:
        parameters, coordinates = parameters.detach(), coordinates.detach()
    n_members = parameters.n_members
    parameters, xyz, pairs = prepare(parameters, coordinates, system_index, pairs)
    if n_members is not None:
        xyz = xyz.expand(n_members, *xyz.shape)
    if not xyz.requires_grad:
        xyz = xyz.clone().requires_grad_(True)
    with torch.enable_grad():
        components = _evaluate(parameters, xyz, pairs, solver)
        total = components.total.sum()
        gradient = torch.autograd.grad(total, xyz, create_graph=create_graph)[0]
    forces = -gradient.transpose(-1, -2)
    return (components if create_graph else components.detach()), forces


def induced_dipoles(
    parameters: ParameterSet,
    coordinates: Tensor,
    system_index: Tensor | None = None,
    *,
    pairs: Pairs | None = None,
    solver: SolverOptions = DEFAULT_SOLVER,
) -> Tensor:
    """Induced dipoles of all atoms; arguments and errors as `energy`.

    Returns
    -------
    Tensor
        e·Å; the shape of the coordinates, after the ensemble axis if there is one.
    """
    parameters, xyz, pairs = prepare(parameters, coordinates, system_index, pairs)
    response, _ = dipole_response(parameters, xyz, pairs)
    field = own_field(parameters, response, pairs, pairs.interacting)
    return respond(response, field, pairs, solver)[1].transpose(-1, -2)


def pair_energies(
    parameters: ParameterSet, distances: Tensor, pairs: Pairs, part: slice
) -> dict[str, Tensor]:
    """Pairwise additive energies of each system over a part of the pairs.

    Parameters
    ----------
    parameters
        Of all atoms.
    distances
        Of all pairs, Å; (..., n_pairs).
    pairs
        All pairs.
    part
        `Pairs.interacting` or `Pairs.between`.

    Returns
    -------
    dict
        ``repulsion``, ``dispersion``, ``charge_transfer`` and ``permanent``, kcal/mol;
        (..., n_systems).
    """
    settings = parameters.settings
    first, second, system = pairs.first[part], pairs.second[part], pairs.system[part]
    r = distances[..., part]
    n_14 = pairs.n_14 if part == pairs.interacting else 0
    radius = arithmetic(parameters.radii, first, second)
    repulsion = repulsion_energy(
        r,
        geometric(parameters.epsilons, first, second),
        geometric(parameters.lambdas, first, second),
        radius,
        settings.repulsion_s12,
    )
    dispersion = dispersion_energy(
        r,
        geometric(parameters.c6, first, second),
        radius,
        settings.dispersion_damping,
        settings.dispersion_c8,
    )
    permanent = coulomb_energy(r, product(parameters.charges, first, second))
    far = max(pairs.beyond_15.start - part.start, 0)
    charge_transfer = charge_transfer_energy(
        r[..., far:],
        geometric(parameters.ct_epsilons, first[far:], second[far:]),
        geometric(parameters.ct_lambdas, first[far:], second[far:]),
        radius[..., far:],
    )
    vdw = scale_14(len(first), n_14, settings.vdw_14, like=r)
    charge = scale_14(len(first), n_14, settings.charge_14, like=r)
    size = pairs.n_systems
    return {
        "repulsion": sum_by(vdw * repulsion, system, size),
        "dispersion": sum_by(vdw * dispersion, system, size),
        "charge_transfer": sum_by(charge_transfer, system[far:], size),
        "permanent": sum_by(charge * permanent, system, size),
    }


def own_field(parameters: ParameterSet, response: Response, pairs: Pairs, part: slice) -> Tensor:
    """Field of the charges at the atoms, scaled on 1-4 pairs.

    Parameters
    ----------
    parameters
        Of all atoms.
    response
        Of all pairs.
    pairs
        All pairs.
    part
        A slice that begins where `Pairs.interacting` begins.

    Returns
    -------
    Tensor
        e/Å²; (..., 3, n_atoms).
    """
    chosen = response.part(part)
    factor = parameters.settings.induction_14
    scale = scale_14(len(chosen.first), pairs.n_14, factor, like=chosen.c3)
    return charge_field(parameters.charges, chosen, scale)


def _evaluate(
    parameters: ParameterSet, xyz: Tensor, pairs: Pairs, solver: SolverOptions
) -> EnergyComponents:
    response, distances = dipole_response(parameters, xyz, pairs)
    field = own_field(parameters, response, pairs, pairs.interacting)
    induction, _ = respond(response, field, pairs, solver)
    nonbonded = pair_energies(parameters, distances, pairs, pairs.interacting)
    bonded = _bonded(parameters, xyz, pairs)
    return EnergyComponents(**bonded, **nonbonded, induction=induction)


def _bonded(parameters: ParameterSet, xyz: Tensor, pairs: Pairs) -> dict[str, Tensor]:
    p = parameters
    lengths = norms(pair_vectors(xyz, p.bonds[:, 0], p.bonds[:, 1]))
    values = {
        "bonds": bond_energy(lengths, p.bond_k, p.bond_r0),
        "angles": angle_energy(bond_angles(xyz, p.angles), p.angle_k, p.angle_theta0),
        "propers": proper_energy(dihedral_cosines(xyz, p.propers), p.proper_k),
        "impropers": improper_energy(dihedral_cosines(xyz, p.impropers), p.improper_k),
    }
    return {
        name: sum_by(value, pairs.atom_system[getattr(p, name)[:, 0]], pairs.n_systems)
        for name, value in values.items()
    }
