"""Parameters of a fixed-charge force field that AMBER, GROMACS and OpenMM share exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Final

import torch
from torch import Tensor

from openff_bytepol.exceptions import ParameterError
from openff_bytepol.parameters import TERM_PARAMETERS, ParameterSet
from openff_bytepol.topology import PairLists, find_pairs

CHARGE_14: Final = 1.0 / 1.2
"""Factor on charge-charge energies of 1-4 pairs (AMBER's SCEE = 1.2)."""

VDW_14: Final = 0.5
"""Factor on Lennard-Jones energies of 1-4 pairs (AMBER's SCNB = 2)."""

_ATOM_PARAMETERS: Final = ("charges", "sigmas", "epsilons")
_FLOATS: Final = (
    *_ATOM_PARAMETERS,
    *(name for parameters in TERM_PARAMETERS.values() for name in parameters),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class FixedChargeParameters:
    """Point charges, Lennard-Jones and bonded terms of one or several molecules.

    The nonbonded energy of a pair is 4·eps·[(sigma/r)¹² - (sigma/r)⁶] + q_i·q_j/r with
    Lorentz-Berthelot mixing; 1-2 and 1-3 pairs do not interact, 1-4 pairs are scaled.

    Attributes
    ----------
    atomic_numbers
        int64, (n_atoms,).
    charges
        e; (n_atoms,).
    sigmas, epsilons
        Å and kcal/mol; (n_atoms,).
    bonds, bond_k, bond_r0, angles, angle_k, angle_theta0, propers, proper_k, impropers, improper_k
        As in `openff_bytepol.parameters.ParameterSet`.
    charge_14, vdw_14
        Factors on the energies of 1-4 pairs.
    """

    atomic_numbers: Tensor
    charges: Tensor
    sigmas: Tensor
    epsilons: Tensor
    bonds: Tensor
    bond_k: Tensor
    bond_r0: Tensor
    angles: Tensor
    angle_k: Tensor
    angle_theta0: Tensor
    propers: Tensor
    proper_k: Tensor
    impropers: Tensor
    improper_k: Tensor
    charge_14: float = CHARGE_14
    vdw_14: float = VDW_14

    def __post_init__(self) -> None:
        for name in _ATOM_PARAMETERS:
            self._check_length(name, self.n_atoms)
        for index, names in TERM_PARAMETERS.items():
            for name in names:
                self._check_length(name, len(getattr(self, index)))

    def _check_length(self, name: str, expected: int) -> None:
        if len(getattr(self, name)) != expected:
            raise ParameterError(
                f"{name} has {len(getattr(self, name))} rows; {expected} are needed"
            )

    @classmethod
    def from_source(
        cls,
        source: ParameterSet,
        *,
        charges: Tensor,
        sigmas: Tensor,
        epsilons: Tensor,
        proper_k: Tensor,
    ) -> FixedChargeParameters:
        """Copy every other bonded term of a polarizable parameter set, in float64."""
        bonded = {
            name: getattr(source, name).detach().to(torch.float64)
            for parameters in TERM_PARAMETERS.values()
            for name in parameters
        }
        indices = {name: getattr(source, name) for name in ("atomic_numbers", *TERM_PARAMETERS)}
        values = indices | bonded | {"proper_k": proper_k}
        return cls(charges=charges, sigmas=sigmas, epsilons=epsilons, **values)

    @property
    def n_atoms(self) -> int:
        return len(self.atomic_numbers)

    @cached_property
    def pairs(self) -> PairLists:
        """Atom pairs one to four bonds apart, on the device of the indices."""
        pairs = find_pairs(self.bonds, self.n_atoms)
        return PairLists(*(p.to(self.bonds.device) for p in pairs))

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> FixedChargeParameters:
        """Copy on another device or in another float type; indices stay int64."""
        floats = {name: getattr(self, name).to(device=device, dtype=dtype) for name in _FLOATS}
        indices = {
            name: getattr(self, name).to(device) for name in ("atomic_numbers", *TERM_PARAMETERS)
        }
        return replace(self, **floats, **indices)

    @staticmethod
    def concatenate(sets: Sequence[FixedChargeParameters]) -> FixedChargeParameters:
        """Place molecules one after another, atom indices shifted.

        Raises
        ------
        ParameterError
            If the list is empty or 1-4 factors differ.
        """
        if not sets:
            raise ParameterError("nothing to concatenate")
        factors = {(s.charge_14, s.vdw_14) for s in sets}
        if len(factors) > 1:
            raise ParameterError("fixed-charge parameters with different 1-4 factors cannot mix")
        counts = torch.tensor([0, *(s.n_atoms for s in sets)])
        shifts = counts.cumsum(0).tolist()
        values: dict[str, Any] = {
            name: torch.cat([getattr(s, name) for s in sets])
            for name in ("atomic_numbers", *_FLOATS)
        }
        for name in TERM_PARAMETERS:
            shifted = [getattr(s, name) + n for s, n in zip(sets, shifts, strict=False)]
            values[name] = torch.cat(shifted)
        return replace(sets[0], **values)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, in internal units."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {k: v.tolist() if isinstance(v, Tensor) else v for k, v in values.items()}
