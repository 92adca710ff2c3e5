"""Interaction energies of clusters, split as energy decomposition analysis splits them.

Only pairs of different molecules enter, so no large intramolecular energies cancel.
Source: ByteFF-Pol, arXiv:2508.08575, with ALMO-EDA's frozen/polarization division.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from torch import Tensor

from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials.energies import DEFAULT_SOLVER, own_field, pair_energies
from openff_bytepol.potentials.induction import respond
from openff_bytepol.potentials.inputs import dipole_response, prepare, scale_14, sum_by
from openff_bytepol.potentials.pairs import Pairs
from openff_bytepol.potentials.response import Response, charge_field, dipole_field
from openff_bytepol.potentials.solvers import SolverOptions
from openff_bytepol.units import COULOMB


@dataclass(frozen=True, kw_only=True)
class InteractionComponents:
    """Interaction energy of each cluster by component, kcal/mol.

    Every field has shape (n_systems,) or (n_conformers, n_systems), with an ensemble
    axis in front if the parameters have one.

    Attributes
    ----------
    elec
        Charges and the dipoles that each molecule induces in itself, all frozen.
    pauli
        Repulsion.
    pol
        Induction energy beyond that of the frozen dipoles; never positive.
    disp
        Dispersion.
    ct
        Charge transfer.
    """

    elec: Tensor
    pauli: Tensor
    pol: Tensor
    disp: Tensor
    ct: Tensor

    @property
    def total(self) -> Tensor:
        """Energy of the cluster minus the energies of its molecules at the same geometry."""
        return self.elec + self.pauli + self.pol + self.disp + self.ct

    def as_dict(self) -> dict[str, Tensor]:
        """Component name → energies."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def interaction_components(
    parameters: ParameterSet,
    coordinates: Tensor,
    system_index: Tensor | None = None,
    *,
    pairs: Pairs | None = None,
    solver: SolverOptions = DEFAULT_SOLVER,
    published_split: bool = False,
) -> InteractionComponents:
    """ELEC, PAULI, POL, DISP and CT of clusters of rigid molecules.

    With F and T the field of charges and the dipole tensor between molecules, and m the
    dipoles of the separate molecules, ELEC = sum of q_i·q_j/r - m·F + m·T·m/2 and
    POL = -R·A⁻¹·R/2 with R = F - T·m, the field that the frozen dipoles do not yet answer.
    Differentiable to any order with respect to coordinates and parameters.

    Parameters
    ----------
    parameters, coordinates, system_index, pairs, solver
        As for `energy`; ``parameters.molecule_index`` says which atoms form a molecule.
    published_split
        Move between ELEC and POL what the first release of ByteFF-Pol moves, which uses
        lambda3 in place of lambda5 within molecules. Only to reproduce its numbers: the
        difference is intramolecular, so ELEC then does not vanish at infinite distance.

    Raises
    ------
    ParameterError, ConvergenceError, PolarizationCatastropheError
        As `energy`.
    """
    parameters, xyz, pairs = prepare(parameters, coordinates, system_index, pairs)
    response, distances = dipole_response(parameters, xyz, pairs)
    frozen, field, unanswered = _frozen_dipoles(parameters, response, pairs, solver)
    frozen_energy = -0.5 * COULOMB * (frozen * (field + unanswered)).sum(-2)
    elec = sum_by(frozen_energy, pairs.atom_system, pairs.n_systems)
    pol, _ = respond(response, unanswered, pairs, solver)
    if published_split:
        shift = _published_shift(parameters, response, distances, frozen, pairs)
        elec, pol = elec + shift, pol - shift
    additive = pair_energies(parameters, distances, pairs, pairs.between)
    return InteractionComponents(
        elec=elec + additive["permanent"],
        pauli=additive["repulsion"],
        pol=pol,
        disp=additive["dispersion"],
        ct=additive["charge_transfer"],
    )


def polarization_energies(
    parameters: ParameterSet,
    coordinates: Tensor,
    system_index: Tensor | None = None,
    *,
    pairs: Pairs | None = None,
    solver: SolverOptions = DEFAULT_SOLVER,
) -> Tensor:
    """POL of `interaction_components` alone, the one component that is not a sum over pairs.

    Parameters
    ----------
    parameters, coordinates, system_index, pairs, solver
        As for `interaction_components`.

    Returns
    -------
    Tensor
        kcal/mol; the shape of the components.

    Raises
    ------
    ParameterError, ConvergenceError, PolarizationCatastropheError
        As `energy`.
    """
    parameters, xyz, pairs = prepare(parameters, coordinates, system_index, pairs)
    response, _ = dipole_response(parameters, xyz, pairs)
    *_, unanswered = _frozen_dipoles(parameters, response, pairs, solver)
    return respond(response, unanswered, pairs, solver)[0]


def _frozen_dipoles(
    parameters: ParameterSet, response: Response, pairs: Pairs, solver: SolverOptions
) -> tuple[Tensor, Tensor, Tensor]:
    """Dipoles of the separate molecules, the field of charges between molecules, and the field
    that these dipoles do not yet answer; (..., 3, n_atoms) each, e·Å and e/Å².
    """
    inside, outside = response.part(pairs.within), response.part(pairs.between)
    own = slice(pairs.interacting.start, pairs.within.stop)
    field_within = own_field(parameters, response, pairs, own)
    _, frozen = respond(inside, field_within, pairs, solver, within_molecules=True)
    field = charge_field(parameters.charges, outside)
    return frozen, field, field + dipole_field(frozen, outside)


def _published_shift(
    parameters: ParameterSet,
    response: Response,
    distances: Tensor,
    dipoles: Tensor,
    pairs: Pairs,
) -> Tensor:
    own = slice(pairs.interacting.start, pairs.within.stop)
    part, r = response.part(own), distances[..., own]
    along_first, along_second = (
        (dipoles.index_select(-1, atoms) * part.vectors).sum(-2)
        for atoms in (part.first, part.second)
    )
    difference = part.c5 - 3.0 * part.c3 / r.square()
    factor = parameters.settings.induction_14
    scale = scale_14(len(part.first), pairs.n_14, factor, like=r)
    energy = -COULOMB * scale * difference * along_first * along_second
    return sum_by(energy, pairs.system[own], pairs.n_systems)
