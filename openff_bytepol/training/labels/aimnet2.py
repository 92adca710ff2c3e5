"""AIMNet2 (ωB97M-D3/def2-TZVPP) energies, forces and charges.

Weights: TorchScript file of the ``Auto3D`` wheel on PyPI (MIT); Anstine, Zubatyuk and
Isayev, Chem. Sci. 16, 10228 (2025), https://doi.org/10.1039/D4SC08572H.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

from openff_bytepol.exceptions import MissingDependencyError
from openff_bytepol.units import EV_IN_KCAL

ELEMENTS: Final = frozenset({1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 33, 34, 35, 53})
_FILE: Final = "models/aimnet2_wb97m-d3_0.jpt"
_ENSEMBLE: Final = "models/aimnet2_wb97m_ens_f.jpt"
_MAX_ATOMS: Final = 800


class Evaluation(NamedTuple):
    """Results for a batch of geometries of one molecule."""

    energies: Tensor
    """kcal/mol, float64, (n,)"""
    forces: Tensor
    """kcal/mol/Å, (n, n_atoms, 3)"""
    charges: Tensor
    """e, (n, n_atoms)"""


@cache
def _network(file: str = _FILE) -> Any:
    spec = find_spec("Auto3D")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError("AIMNet2 weights: pip install --no-deps Auto3D==2.3.1")
    path = Path(next(iter(spec.submodule_search_locations))) / file
    return torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]


def evaluate(coordinates: Tensor, atomic_numbers: Tensor, charge: int) -> Evaluation:
    """Energies, forces and charges of many geometries of one molecule.

    Parameters
    ----------
    coordinates
        (n, n_atoms, 3), Å.
    atomic_numbers
        (n_atoms,).
    charge
        Total charge, e.

    Raises
    ------
    MissingDependencyError
        If the weights are not installed.
    """
    size = max(1, _MAX_ATOMS // len(atomic_numbers))
    parts = [_evaluate(part, atomic_numbers, charge) for part in torch.split(coordinates, size)]
    return Evaluation(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _evaluate(coordinates: Tensor, atomic_numbers: Tensor, charge: int) -> Evaluation:
    positions = coordinates.to(torch.float32).requires_grad_(True)
    output = _network()(_inputs(positions, atomic_numbers, charge))
    (gradient,) = torch.autograd.grad(output["energy"].sum(), positions)
    return Evaluation(
        output["energy"].detach().double() * EV_IN_KCAL,
        -gradient * EV_IN_KCAL,
        output["charges"].detach(),
    )


def _inputs(positions: Tensor, atomic_numbers: Tensor, charge: int) -> dict[str, Tensor]:
    return {
        "coord": positions,
        "numbers": atomic_numbers.expand(len(positions), -1),
        "charge": torch.full((len(positions),), float(charge)),
    }


def deviations(coordinates: Tensor, atomic_numbers: Tensor, charge: int) -> Tensor:
    """How far the networks of AIMNet2's ensemble disagree on the forces, kcal/mol/Å.

    Parameters
    ----------
    coordinates
        (n, n_atoms, 3), Å.
    atomic_numbers
        (n_atoms,).
    charge
        Total charge, e.

    Returns
    -------
    Tensor
        (n,); standard deviation of the force on the worst atom.
    """
    size = max(1, _MAX_ATOMS // len(atomic_numbers))
    network = _network(_ENSEMBLE)
    worst = [
        network(_inputs(part.to(torch.float32), atomic_numbers, charge))["forces_std"]
        .detach()
        .norm(dim=-1)
        .amax(-1)
        for part in torch.split(coordinates, size)
    ]
    return torch.cat(worst) * EV_IN_KCAL


def relax(coordinates: Tensor, atomic_numbers: Tensor, charge: int, steps: int) -> Tensor:
    """A few Barzilai-Borwein steps down the surface, each geometry on its own.

    Stiff modes relax, torsions hardly move. (n, n_atoms, 3), Å.
    """
    positions = coordinates.to(torch.float32)
    rate = torch.full((len(positions), 1, 1), 1e-3)
    previous: tuple[Tensor, Tensor] | None = None
    for _ in range(steps):
        forces = evaluate(positions, atomic_numbers, charge).forces
        if previous is not None:
            moved, change = positions - previous[0], previous[1] - forces
            norm = (moved * moved).sum((1, 2), keepdim=True)
            overlap = (moved * change).sum((1, 2), keepdim=True).abs().clamp(min=1e-9)
            rate = (norm / overlap).clamp(1e-4, 4e-3)
        previous = (positions, forces)
        positions = positions + (rate * forces).clamp(-0.06, 0.06)
    return positions


def dipoles(coordinates: Tensor, charges: Tensor) -> Tensor:
    """Dipole moments of charges about the mean position of the atoms, e·Å; (n, 3).

    Against CCSD(T) dipoles of small molecules (Dip146) AIMNet2's charges are off by
    0.13 D on average.
    """
    centred = coordinates - coordinates.mean(1, keepdim=True)
    return (charges.to(coordinates.dtype).unsqueeze(-1) * centred).sum(1)
