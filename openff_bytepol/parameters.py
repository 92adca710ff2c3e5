"""The complete force field of one or more molecules.

`ParameterSet` is the hub of the package: networks and file readers make it, and
energies, OpenMM systems, SMIRNOFF collections and exports read only it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Final

import torch
from torch import Tensor

from openff_bytepol.exceptions import ParameterError
from openff_bytepol.settings import NonbondedSettings
from openff_bytepol.topology import PairLists, find_pairs

ATOM_PARAMETERS: Final = {
    "charges": "e",
    "polarizabilities": "Å³",
    "dampings": "Å³",
    "c6": "kcal/mol·Å⁶",
    "radii": "Å",
    "epsilons": "kcal/mol",
    "lambdas": "",
    "ct_epsilons": "kcal/mol·Å⁴",
    "ct_lambdas": "",
}
"""Per-atom parameters and their units."""

TERM_PARAMETERS: Final = {
    "bonds": {"bond_k": "kcal/mol/Å²", "bond_r0": "Å"},
    "angles": {"angle_k": "kcal/mol/rad²", "angle_theta0": "rad"},
    "propers": {"proper_k": "kcal/mol"},
    "impropers": {"improper_k": "kcal/mol"},
}
"""Index field of each bonded term, with its parameters and their units."""

PROPER_PERIODICITIES: Final = (1, 2, 3, 4)
"""Column n - 1 of ``proper_k`` is k·[1 + cos(n·phi - delta)], delta = 0 (n odd) or pi (n even)."""

_FLOATS: Final = (
    *ATOM_PARAMETERS,
    *(name for parameters in TERM_PARAMETERS.values() for name in parameters),
)
_INDICES: Final = ("atomic_numbers", "molecule_index", *TERM_PARAMETERS)


@dataclass(frozen=True, kw_only=True, eq=False)
class ParameterSet:
    """Parameters of one molecule, or of several placed one after another.

    Float tensors may carry a leading ensemble axis (``n_members``) and may require
    gradients. Index tensors are int64.

    Attributes
    ----------
    atomic_numbers
        Shape (n_atoms,).
    molecule_index
        Which molecule each atom belongs to, 0, 0, …, 1, …; shape (n_atoms,).
    charges
        Partial charges q, e; (n_atoms,).
    polarizabilities
        Isotropic atomic polarizabilities alpha, Å³; (n_atoms,).
    dampings
        Thole volumes d, Å³: damping is 1 - exp(-a·r³/sqrt(d_i·d_j)); (n_atoms,).
    c6
        Dispersion coefficients, kcal/mol·Å⁶; (n_atoms,).
    radii
        Van der Waals radii R, used as (R_i + R_j)/2, Å; (n_atoms,).
    epsilons, lambdas
        Repulsion 6·eps·exp[lambda·(1 - r/R)], kcal/mol and dimensionless; (n_atoms,).
    ct_epsilons, ct_lambdas
        Charge transfer -eps·r⁻⁴·exp[-(lambda·r/R)³], kcal/mol·Å⁴ and dimensionless; (n_atoms,).
    bonds, bond_k, bond_r0
        k/2·(r - r0)², kcal/mol/Å² and Å; (n_bonds, 2), (n_bonds,), (n_bonds,).
    angles, angle_k, angle_theta0
        k/2·(theta - theta0)², centre in the middle, kcal/mol/rad² and rad.
    propers, proper_k
        Atoms (n_propers, 4) and k for n = 1…4 (n_propers, 4), kcal/mol.
    impropers, improper_k
        k·[1 + cos(2·phi - pi)] with phi the dihedral of the four atoms as listed,
        central atom first; (n_impropers, 4), (n_impropers,), kcal/mol.
    settings
        Scale factors and constants of the functional form.
    """

    atomic_numbers: Tensor
    molecule_index: Tensor
    charges: Tensor
    polarizabilities: Tensor
    dampings: Tensor
    c6: Tensor
    radii: Tensor
    epsilons: Tensor
    lambdas: Tensor
    ct_epsilons: Tensor
    ct_lambdas: Tensor
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
    settings: NonbondedSettings

    def __post_init__(self) -> None:
        n_atoms = self.n_atoms
        for name in ATOM_PARAMETERS:
            self._check_length(name, -1, n_atoms)
        for index, names in TERM_PARAMETERS.items():
            for name in names:
                axis = -2 if name == "proper_k" else -1
                self._check_length(name, axis, len(getattr(self, index)))

    def _check_length(self, name: str, axis: int, expected: int) -> None:
        shape = tuple(getattr(self, name).shape)
        if len(shape) < -axis or shape[axis] != expected:
            raise ParameterError(
                f"{name} has shape {shape}; {expected} values are needed on axis {axis}"
            )

    @property
    def n_atoms(self) -> int:
        return len(self.atomic_numbers)

    @property
    def n_molecules(self) -> int:
        return int(self.molecule_index[-1]) + 1 if self.n_atoms else 0

    @property
    def n_members(self) -> int | None:
        """Size of the ensemble axis, or None where there is none."""
        return int(self.charges.shape[0]) if self.charges.dim() == 2 else None

    @cached_property
    def pairs(self) -> PairLists:
        """Atom pairs one to four bonds apart, on the device of the indices."""
        pairs = find_pairs(self.bonds, self.n_atoms)
        return PairLists(*(p.to(self.bonds.device) for p in pairs))

    def _map_floats(self, function: Any) -> ParameterSet:
        return replace(self, **{name: function(getattr(self, name)) for name in _FLOATS})

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> ParameterSet:
        """Copy on another device or in another float type; indices stay int64."""
        moved = self._map_floats(lambda value: value.to(device=device, dtype=dtype))
        return replace(moved, **{name: getattr(self, name).to(device) for name in _INDICES})

    def detach(self) -> ParameterSet:
        """Copy that shares memory and carries no gradients."""
        return self._map_floats(Tensor.detach)

    def member(self, index: int) -> ParameterSet:
        """One member of an ensemble."""
        if self.n_members is None:
            raise ParameterError("these parameters have no ensemble axis")
        return self._map_floats(lambda value: value[index])

    def mean(self) -> ParameterSet:
        """Mean over the ensemble axis; itself where there is none."""
        if self.n_members is None:
            return self
        return self._map_floats(lambda value: value.mean(dim=0))

    @staticmethod
    def concatenate(sets: Sequence[ParameterSet]) -> ParameterSet:
        """Place molecules one after another, atom and molecule indices shifted.

        Raises
        ------
        ParameterError
            If the list is empty or settings differ.
        """
        if not sets:
            raise ParameterError("nothing to concatenate")
        if any(s.settings != sets[0].settings for s in sets):
            raise ParameterError("parameter sets with different settings cannot be combined")
        values: dict[str, Any] = {"settings": sets[0].settings}
        atom_shifts = _shifts([s.n_atoms for s in sets])
        molecule_shifts = _shifts([s.n_molecules for s in sets])
        for name in _FLOATS:
            axis = -2 if name == "proper_k" else -1
            values[name] = torch.cat([getattr(s, name) for s in sets], dim=axis)
        values["atomic_numbers"] = torch.cat([s.atomic_numbers for s in sets])
        values["molecule_index"] = torch.cat(
            [s.molecule_index + shift for s, shift in zip(sets, molecule_shifts, strict=True)]
        )
        for name in TERM_PARAMETERS:
            values[name] = torch.cat(
                [getattr(s, name) + shift for s, shift in zip(sets, atom_shifts, strict=True)]
            )
        return ParameterSet(**values)

    def split(self) -> list[ParameterSet]:
        """One set per molecule: the inverse of `concatenate`."""
        counts = torch.bincount(self.molecule_index, minlength=self.n_molecules).tolist()
        shifts = _shifts(counts)
        pieces: list[dict[str, Any]] = [
            {
                "settings": self.settings,
                "atomic_numbers": self.atomic_numbers[shift : shift + count],
                "molecule_index": torch.zeros_like(self.molecule_index[shift : shift + count]),
                **{n: getattr(self, n)[..., shift : shift + count] for n in ATOM_PARAMETERS},
            }
            for shift, count in zip(shifts, counts, strict=True)
        ]
        for index, names in TERM_PARAMETERS.items():
            terms = getattr(self, index)
            owner = self.molecule_index[terms[:, 0]]
            sizes = torch.bincount(owner, minlength=self.n_molecules).tolist()
            order = torch.argsort(owner, stable=True)
            for piece, rows, shift in zip(pieces, torch.split(order, sizes), shifts, strict=True):
                piece[index] = terms[rows] - shift
                for name in names:
                    axis = -2 if name == "proper_k" else -1
                    piece[name] = getattr(self, name).index_select(axis, rows)
        return [ParameterSet(**piece) for piece in pieces]

    def permute(self, order: Sequence[int]) -> ParameterSet:
        """Renumber atoms: new atom ``i`` is old atom ``order[i]``.

        Only for a single molecule. Terms keep their order and direction.
        """
        if self.n_molecules > 1:
            raise ParameterError("only the atoms of a single molecule can be renumbered")
        chosen = torch.as_tensor(order, dtype=torch.int64, device=self.bonds.device)
        if not torch.equal(chosen.sort().values, torch.arange(self.n_atoms, device=chosen.device)):
            raise ParameterError("order is not a permutation of the atoms")
        new_index = torch.argsort(chosen)
        values: dict[str, Any] = {n: getattr(self, n)[..., chosen] for n in ATOM_PARAMETERS}
        values |= {n: new_index[getattr(self, n)] for n in TERM_PARAMETERS}
        return replace(self, atomic_numbers=self.atomic_numbers[chosen], **values)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, in internal units; the inverse of `from_dict`."""
        values: dict[str, Any] = {
            field.name: getattr(self, field.name).tolist()
            for field in fields(self)
            if field.name != "settings"
        }
        values["settings"] = self.settings.model_dump()
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any], dtype: torch.dtype = torch.float64) -> ParameterSet:
        """Read what `to_dict` wrote.

        Raises
        ------
        ParameterError
            If a field is missing or unknown.
        """
        expected = {field.name for field in fields(cls)}
        if set(values) != expected:
            wrong = sorted(set(values) ^ expected)
            raise ParameterError(f"missing or unknown parameter fields: {', '.join(wrong)}")
        widths = {"bonds": 2, "angles": 3, "propers": 4, "impropers": 4}
        tensors: dict[str, Any] = {
            name: torch.tensor(values[name], dtype=torch.int64) for name in _INDICES
        }
        for name, width in widths.items():
            tensors[name] = tensors[name].reshape(-1, width)
        tensors |= {name: torch.tensor(values[name], dtype=dtype) for name in _FLOATS}
        if tensors["proper_k"].numel() == 0:
            shape = (*tensors["charges"].shape[:-1], 0, len(PROPER_PERIODICITIES))
            tensors["proper_k"] = tensors["proper_k"].reshape(shape)
        return cls(settings=NonbondedSettings(**values["settings"]), **tensors)


def _shifts(counts: Sequence[int]) -> list[int]:
    shifts = [0]
    for count in counts[:-1]:
        shifts.append(shifts[-1] + count)
    return shifts
