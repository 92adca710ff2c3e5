"""Molecules and boxes published with ByteFF-Pol, as systems."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from openmm import app, unit

from openff_bytepol.interop.byteff_pol_files import read_byteff_pol_files
from openff_bytepol.parameters import ParameterSet

FOLDER = Path("reference/byteff_pol_published")


@cache
def molecule(data: Path, name: str) -> ParameterSet:
    return read_byteff_pol_files(data / FOLDER / name / f"{name}.itp")


def structure(data: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Positions and box edges, Å."""
    gro = app.GromacsGroFile(str(data / FOLDER / name))
    vectors = gro.getPeriodicBoxVectors().value_in_unit(unit.angstrom)
    return np.array(gro.positions.value_in_unit(unit.angstrom)), np.diag(np.array(vectors))


def contiguous(kinds: list[int], sizes: list[int]) -> list[tuple[int, range]]:
    """Placements of molecules one after another."""
    placements, start = [], 0
    for kind in kinds:
        placements.append((kind, range(start, start + sizes[kind])))
        start += sizes[kind]
    return placements


def electrolyte(data: Path) -> tuple[list[ParameterSet], np.ndarray]:
    """EC, DMC, acetone, Li⁺ and PF6⁻ near each other, and their positions in Å."""
    names = ["EC", "DMC", "ACT", "LI", "PF6"]
    shifts = [[0, 0, 0], [0, -4.2, 1], [0, 5, 0.5], [2.9, 1.8, 1.5], [5.5, 3, -1]]
    positions = []
    for name, shift in zip(names, shifts, strict=True):
        file = "gas.gro" if name == "ACT" else f"{name}/{name}.gro"
        lines = (data / FOLDER / file).read_text().splitlines()[2:]
        count = molecule(data, name).n_atoms
        x = 10 * np.array([[float(word) for word in line.split()[-6:-3]] for line in lines[:count]])
        positions.append(x - x.mean(0) + shift)
    return [molecule(data, name) for name in names], np.concatenate(positions)


def as_tensor(positions: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(positions, dtype=torch.float64)
