"""Fit of the nonbonded parameters of one molecule, a dozen numbers, to any loss.

Atoms that the molecule's symmetry makes equivalent share their parameters. For each class of
them a charge and the logarithms of epsilons and lambdas may move, and a volume ratio v that
polarizabilities, Thole volumes, C6 and radii follow as in the network (Tkatchenko and Scheffler,
https://doi.org/10.1103/PhysRevLett.102.073005; radii: Fedorov et al.,
https://doi.org/10.1103/PhysRevLett.121.183401). Polarizabilities and Thole volumes have a factor of
their own where those of the network have one.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

import torch
from torch import Tensor

from openff_bytepol.exceptions import NonFiniteLossError, PolarizationCatastropheError
from openff_bytepol.parameters import ATOM_PARAMETERS, ParameterSet

logger = logging.getLogger(__name__)

AtomValues: TypeAlias = dict[str, Tensor]
"""`ATOM_PARAMETERS` of one molecule by name; (n_atoms,) each."""

LinAlgError: type[RuntimeError] = torch.linalg.LinAlgError  # type: ignore[attr-defined]

VOLUME_POWERS: Final = {"polarizabilities": 4 / 3, "dampings": 4 / 3, "c6": 2.0, "radii": 4 / 21}
"""Powers of the volume ratio that parameters follow."""
OWN: Final = "own polarizabilities"
UNITS: Final = {
    "charges": 0.1, "volumes": 0.2, OWN: 0.3, "epsilons": 1.0, "lambdas": 0.4,
    "ct_epsilons": 1.0, "ct_lambdas": 0.4,
}  # fmt: skip
"""What one unit of a variable means, e for charges and a logarithm for the others: energies
depend on some much more than on others."""
RESTRAINT: Final = 1e-3
"""Loss of a variable one unit from its start, so that what no dimer decides stays there."""
LOGGED: Final = 10
"""How many times the loss is logged on the way."""


class Fit(NamedTuple):
    """Best parameters that were found."""

    values: AtomValues
    before: float
    """Loss of the values to start from."""
    after: float


class FreeParameters:
    """Nonbonded parameters of a molecule as functions of few variables.

    Parameters
    ----------
    start
        One molecule without an ensemble axis, float64; equivalent atoms have equal parameters.
    classes
        Class of each atom, numbered from 0; (n_atoms,).
    held
        Parameter (an epsilon or lambda) → atomic number → value that its atoms keep.
    own_polarizability
        Whether polarizabilities may depart from what the volume makes of them.
    """

    def __init__(
        self,
        start: ParameterSet,
        classes: Tensor,
        held: Mapping[str, Mapping[int, float]] = MappingProxyType({}),
        *,
        own_polarizability: bool = False,
    ) -> None:
        self._start = {name: getattr(start, name).detach() for name in ATOM_PARAMETERS}
        self._classes = classes
        self._held = {
            name: torch.tensor([values.get(int(z), math.nan) for z in start.atomic_numbers])
            for name, values in held.items()
        }
        n_classes = int(classes.max()) + 1
        self.variables = {
            name: torch.zeros(n_classes, dtype=torch.float64, requires_grad=True)
            for name in UNITS
            if own_polarizability or name != OWN
        }

    def values(self) -> AtomValues:
        """Parameters; charges add up to what those to start from add up to."""
        moved = {name: UNITS[name] * x[self._classes] for name, x in self.variables.items()}
        values = {"charges": self._start["charges"] + moved["charges"] - moved["charges"].mean()}
        for name in ATOM_PARAMETERS:
            if name in VOLUME_POWERS:
                factor = VOLUME_POWERS[name] * moved["volumes"]
                if OWN in moved and name in ("polarizabilities", "dampings"):
                    factor = factor + moved[OWN]
                values[name] = self._start[name] * factor.exp()
            elif name != "charges":
                values[name] = self._start[name] * moved[name].exp()
        for name, kept in self._held.items():
            values[name] = torch.where(kept.isnan(), values[name], kept.double())
        return values

    def restraint(self) -> Tensor:
        """`RESTRAINT` times the sum of squares of all variables; ()."""
        return RESTRAINT * torch.stack([x.square().sum() for x in self.variables.values()]).sum()


def fit(
    free: FreeParameters,
    loss: Callable[[Mapping[str, Tensor]], Tensor],
    *,
    steps: int,
) -> Fit:
    """Minimise a loss with L-BFGS (Liu and Nocedal, https://doi.org/10.1007/BF01589116).

    Ends early, with the best that was found, where induced dipoles lose their minimum or the
    loss is not finite.

    Parameters
    ----------
    free
        Variables, changed in place.
    loss
        `AtomValues` → loss, ().
    steps
        Evaluations of the loss at most.

    Raises
    ------
    PolarizationCatastropheError, NonFiniteLossError
        If the values to start from have no loss.
    """
    optimizer = torch.optim.LBFGS(
        list(free.variables.values()),
        max_iter=steps,
        max_eval=steps,
        history_size=20,
        tolerance_change=1e-7,
        line_search_fn="strong_wolfe",
    )
    found: list[Fit] = []

    def closure() -> Tensor:
        optimizer.zero_grad()
        fitted, objective = _evaluate(free, loss)
        found.append(fitted)
        if len(found) % max(1, steps // LOGGED) == 1:
            logger.info("evaluation %d: loss %.4f", len(found), fitted.after)
        return objective

    try:
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    except (PolarizationCatastropheError, NonFiniteLossError, LinAlgError) as error:
        if not found:
            raise
        logger.warning("stopped after %d evaluations: %s", len(found), error)
    return min(found, key=lambda one: one.after)._replace(before=found[0].after)


def _evaluate(
    free: FreeParameters, loss: Callable[[Mapping[str, Tensor]], Tensor]
) -> tuple[Fit, Tensor]:
    """Present values with their loss, and the objective, whose gradient goes to the variables."""
    values = free.values()
    found = loss(values)
    value = float(found.detach())
    if not math.isfinite(value):
        raise NonFiniteLossError("the loss is not finite; look for NaN in the data")
    objective = found + free.restraint()
    objective.backward()  # type: ignore[no-untyped-call]
    return Fit({name: v.detach() for name, v in values.items()}, value, value), objective.detach()
