"""Fit of the nonbonded parameters of one molecule, a dozen numbers, to any loss.

Atoms that the molecule's symmetry makes equivalent share their parameters. For each class of
them a charge and the logarithms of epsilons and lambdas may move, and a volume ratio v that
polarizabilities, Thole volumes, C6 and radii follow as in the network (Tkatchenko and Scheffler,
https://doi.org/10.1103/PhysRevLett.102.073005; radii: Fedorov et al.,
https://doi.org/10.1103/PhysRevLett.121.183401).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
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
UNITS: Final = {
    "charges": 0.2, "volumes": 0.4, "epsilons": 2.0, "lambdas": 0.8, "ct_epsilons": 2.0,
    "ct_lambdas": 0.8,
}  # fmt: skip
"""What one unit of a variable means, e for charges and a logarithm for the others: energies
depend on some much more than on others, and Adam moves all by the same step."""
RESTRAINT: Final = 4e-3
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
    """

    def __init__(self, start: ParameterSet, classes: Tensor) -> None:
        self._start = {name: getattr(start, name).detach() for name in ATOM_PARAMETERS}
        self._classes = classes
        n_classes = int(classes.max()) + 1
        self.variables = {
            name: torch.zeros(n_classes, dtype=torch.float64, requires_grad=True) for name in UNITS
        }

    def values(self) -> AtomValues:
        """Parameters; charges add up to what those to start from add up to."""
        moved = {name: UNITS[name] * x[self._classes] for name, x in self.variables.items()}
        values = {"charges": self._start["charges"] + moved["charges"] - moved["charges"].mean()}
        for name in ATOM_PARAMETERS:
            if name in VOLUME_POWERS:
                values[name] = self._start[name] * (VOLUME_POWERS[name] * moved["volumes"]).exp()
            elif name != "charges":
                values[name] = self._start[name] * moved[name].exp()
        return values

    def restraint(self) -> Tensor:
        """`RESTRAINT` times the sum of squares of all variables; ()."""
        return RESTRAINT * torch.stack([x.square().sum() for x in self.variables.values()]).sum()


def fit(
    free: FreeParameters,
    loss: Callable[[Mapping[str, Tensor]], Tensor],
    *,
    steps: int,
    learning_rate: float,
) -> Fit:
    """Minimise a loss with Adam and a one-cycle schedule of the step.

    Ends early, with the best that was found, where induced dipoles lose their minimum or the
    loss is not finite.

    Parameters
    ----------
    free
        Variables, changed in place.
    loss
        `AtomValues` → loss, ().
    steps
        Of Adam.
    learning_rate
        Largest step, in `UNITS`.

    Raises
    ------
    PolarizationCatastropheError, NonFiniteLossError
        If the values to start from have no loss.
    """
    optimizer = torch.optim.Adam(free.variables.values(), lr=learning_rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    best = _evaluate(free, loss)
    before = best.after
    for step in range(1, steps + 1):
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        try:
            found = _evaluate(free, loss)
        except (PolarizationCatastropheError, NonFiniteLossError, LinAlgError) as error:
            logger.warning("stopped after %d of %d steps: %s", step, steps, error)
            break
        best = min(best, found, key=lambda one: one.after)
        if step % max(1, steps // LOGGED) == 0:
            logger.info("step %d of %d: loss %.4f", step, steps, found.after)
    return best._replace(before=before)


def _evaluate(free: FreeParameters, loss: Callable[[Mapping[str, Tensor]], Tensor]) -> Fit:
    """Present values with their loss, whose gradient goes to the variables."""
    values = free.values()
    found = loss(values)
    value = float(found.detach())
    if not math.isfinite(value):
        raise NonFiniteLossError("the loss is not finite; look for NaN in the data")
    (found + free.restraint()).backward()  # type: ignore[no-untyped-call]
    return Fit({name: v.detach() for name, v in values.items()}, value, value)
