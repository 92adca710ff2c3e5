"""Derivatives of liquid properties with respect to the weights of a model.

For an observable A that is averaged over configurations of energy U(x; theta),

∂⟨A⟩/∂theta = ⟨∂A/∂theta⟩ − β (⟨A ∂U/∂theta⟩ − ⟨A⟩⟨∂U/∂theta⟩)

(Wang, Head-Gordon, Ponder et al., J. Phys. Chem. B 2013, 117, 9956), the derivative of the
reweighted average at fixed configurations. ∂U/∂theta comes from autograd over stored frames,
first with respect to the force field parameters of the molecules, then through the network.
For sensitivity analysis and active learning; not for fitting to experiment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from openff_bytepol.exceptions import ObservablesError
from openff_bytepol.graph import batch_graphs
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ATOM_PARAMETERS, TERM_PARAMETERS, ParameterSet
from openff_bytepol.potentials import energy
from openff_bytepol.properties.frames import Frames
from openff_bytepol.properties.periodic_energy import PeriodicEnergy
from openff_bytepol.units import ATMOSPHERE, BOLTZMANN, GRAM_PER_CM3, KJ_PER_KCAL

_NAMES = (*ATOM_PARAMETERS, *(name for names in TERM_PARAMETERS.values() for name in names))


@dataclass(frozen=True, eq=False)
class FrameDerivatives:
    """Energies of frames and their derivatives with respect to force field parameters.

    Attributes
    ----------
    energies
        kcal/mol; (n_frames,).
    derivatives
        Of the energies; (n_frames, n_values), the parameters of all types flattened one after
        another as by `flatten_parameters`.
    """

    energies: Tensor
    derivatives: Tensor

    def mean_derivative(self, values: Tensor, temperature: float) -> Tensor:
        """−β·cov(A, ∂U/∂theta) of an observable that does not depend on theta; (n_values,)."""
        centred = values - values.mean()
        covariance = centred @ self.derivatives / len(values)
        return -covariance / (BOLTZMANN * temperature)

    def energy_derivative(self, temperature: float, work: Tensor | float = 0.0) -> Tensor:
        """∂⟨U + pV⟩/∂theta = ⟨∂U⟩ − β·cov(U + pV, ∂U); (n_values,).

        Parameters
        ----------
        temperature
            K.
        work
            pV of the frames, kcal/mol; (n_frames,).
        """
        enthalpies = self.energies + work
        return self.derivatives.mean(0) + self.mean_derivative(enthalpies, temperature)


@dataclass(frozen=True, eq=False)
class PropertyGradient:
    """A property and its derivatives.

    Attributes
    ----------
    value
        Over the frames, in ``unit``.
    unit
        That Pint can read.
    parameters
        Derivatives with respect to the parameters of each molecule type, as sets of the same
        shape, in ``unit`` per unit of the parameter.
    weights
        Derivatives with respect to the weights of the network, by name, in ``unit``.
    """

    value: float
    unit: str
    parameters: tuple[ParameterSet, ...]
    weights: dict[str, Tensor]


def liquid_derivatives(
    potential: PeriodicEnergy,
    parameters: Sequence[ParameterSet],
    frames: Frames,
    *,
    on_frame: Callable[[int], None] | None = None,
) -> FrameDerivatives:
    """Energies and derivatives of periodic frames.

    Parameters
    ----------
    potential
        Of the box.
    parameters
        One set per molecule type.
    frames
        With boxes.
    on_frame
        Called with the number of frames done after each.

    Raises
    ------
    ObservablesError
        Without boxes.
    """
    if frames.boxes is None:
        raise ObservablesError("a liquid needs frames with periodic boxes")
    boxes = frames.boxes
    leaves = [_leaf(p) for p in parameters]
    return _derivatives(
        lambda i: potential(leaves, frames.positions[i], boxes[i]), leaves, len(frames), on_frame
    )


def gas_derivatives(
    parameters: ParameterSet,
    frames: Frames,
    *,
    on_frame: Callable[[int], None] | None = None,
) -> FrameDerivatives:
    """Energies and derivatives of one molecule without a box; arguments as `liquid_derivatives`."""
    leaf = _leaf(parameters)
    positions = torch.as_tensor(frames.positions, dtype=torch.float64)
    return _derivatives(
        lambda i: energy(leaf, positions[i]).total.sum(), [leaf], len(frames), on_frame
    )


def density_gradient(
    model: Model,
    molecules: Sequence[Any],
    potential: PeriodicEnergy,
    frames: Frames,
    *,
    temperature: float,
    mass: float,
) -> PropertyGradient:
    """Derivatives of the mean density of a liquid at constant pressure.

    ∂⟨ρ⟩/∂w = −β (⟨ρ ∂U/∂w⟩ − ⟨ρ⟩⟨∂U/∂w⟩)

    Parameters
    ----------
    model
        Whose (mean) parameters the frames were sampled with.
    molecules
        One per molecule type: SMILES, OpenFF ``Molecule`` or RDKit ``Mol``, atoms in the order
        of the box.
    potential
        Of the box.
    frames
        Independent configurations at constant pressure.
    temperature
        K.
    mass
        Of the box, g/mol.

    Returns
    -------
    PropertyGradient
        g/cm³.
    """
    attached = _predict(model, molecules)
    found = liquid_derivatives(potential, attached, frames)
    densities = mass * GRAM_PER_CM3 / torch.as_tensor(frames.volumes)
    slope = found.mean_derivative(densities, temperature)
    return _gradient(model, attached, slope, float(densities.mean()), "g/cm**3")


def vaporization_gradient(
    model: Model,
    molecule: Any,
    potential: PeriodicEnergy,
    liquid: Frames,
    gas: Frames,
    *,
    temperature: float,
    pressure: float = 1.0,
) -> PropertyGradient:
    """Derivatives of the enthalpy of vaporization of a pure liquid.

    ∂ΔH/∂w = ∂⟨U_gas⟩/∂w − ∂⟨U_liq + pV⟩/∂w / N, each by the formula of this module.

    Parameters
    ----------
    model, molecule, potential
        As for `density_gradient`.
    liquid
        Independent configurations of the box at constant pressure.
    gas
        Independent configurations of one molecule without a box.
    temperature
        K.
    pressure
        atm.

    Returns
    -------
    PropertyGradient
        kJ/mol.
    """
    attached = _predict(model, [molecule])
    dense = liquid_derivatives(potential, attached, liquid)
    dilute = gas_derivatives(attached[0], gas)
    work = pressure * ATMOSPHERE * torch.as_tensor(liquid.volumes)
    n = potential.n_molecules
    slope = dilute.energy_derivative(temperature) - dense.energy_derivative(temperature, work) / n
    value = dilute.energies.mean() - (dense.energies + work).mean() / n + BOLTZMANN * temperature
    return _gradient(model, attached, KJ_PER_KCAL * slope, KJ_PER_KCAL * float(value), "kJ/mol")


def flatten_parameters(parameters: Sequence[ParameterSet]) -> Tensor:
    """All float parameters of several sets, one after another; (n_values,)."""
    return torch.cat([getattr(p, name).reshape(-1) for p in parameters for name in _NAMES])


def _predict(model: Model, molecules: Sequence[Any]) -> list[ParameterSet]:
    """Parameters that remember the weights, means over the ensemble, float64 on the CPU."""
    training = model.training
    model.eval()
    try:
        device = next(model.parameters()).device
        graph = batch_graphs([model.build_graph(molecule) for molecule in molecules])
        parameters = model(graph.to(device)).mean().to("cpu", torch.float64)
    finally:
        model.train(training)
    pieces: list[ParameterSet] = parameters.split()
    return pieces


def _leaf(parameters: ParameterSet) -> ParameterSet:
    """Copy whose parameters are variables of their own."""
    leaves: dict[str, Any] = {
        name: getattr(parameters, name).detach().clone().requires_grad_(True) for name in _NAMES
    }
    return replace(parameters, **leaves)


def _derivatives(
    evaluate: Callable[[int], Tensor],
    leaves: Sequence[ParameterSet],
    n_frames: int,
    on_frame: Callable[[int], None] | None,
) -> FrameDerivatives:
    variables = [getattr(leaf, name) for leaf in leaves for name in _NAMES]
    energies, rows = [], []
    for index in range(n_frames):
        value = evaluate(index)
        slopes = torch.autograd.grad(value, variables, allow_unused=True)
        filled = [
            torch.zeros_like(variable) if slope is None else slope
            for slope, variable in zip(slopes, variables, strict=True)
        ]
        rows.append(torch.cat([slope.reshape(-1) for slope in filled]))
        energies.append(value.detach())
        if on_frame is not None:
            on_frame(index + 1)
    return FrameDerivatives(torch.stack(energies), torch.stack(rows))


def _gradient(
    model: Model, attached: Sequence[ParameterSet], slope: Tensor, value: float, unit: str
) -> PropertyGradient:
    """Through the network from derivatives with respect to its parameters."""
    names, variables = zip(*model.named_parameters(), strict=True)
    scalar = flatten_parameters(attached) @ slope
    found = torch.autograd.grad(scalar, variables, allow_unused=True)
    weights = {
        name: torch.zeros_like(variable) if gradient is None else gradient
        for name, variable, gradient in zip(names, variables, found, strict=True)
    }
    return PropertyGradient(value, unit, tuple(_unflatten(attached, slope)), weights)


def _unflatten(like: Sequence[ParameterSet], values: Tensor) -> list[ParameterSet]:
    sets, start = [], 0
    for parameters in like:
        pieces: dict[str, Any] = {}
        for name in _NAMES:
            shape = getattr(parameters, name).shape
            pieces[name] = values[start : start + shape.numel()].reshape(shape)
            start += shape.numel()
        sets.append(replace(parameters, **pieces))
    return sets
