"""Observables of model systems whose properties are known."""

from __future__ import annotations

from typing import Any

import numpy as np

from openff_bytepol.properties.observables import Observables


def make_run(n_frames: int, n_molecules: int = 1, **changes: Any) -> Observables:
    """A pure substance at 300 K and 1 atm in a box of 1000 Å³; everything can be changed."""
    values: dict[str, Any] = {
        "names": ("[Ar]",),
        "molar_masses": (39.948,),
        "charges": (0.0,),
        "component_index": np.zeros(n_molecules, dtype=np.int64),
        "degrees_of_freedom": 3 * n_molecules,
        "temperature": 300.0,
        "pressure": 1.0,
        "times": np.arange(n_frames, dtype=np.float64),
        "potential_energies": np.zeros(n_frames),
        "kinetic_energies": np.zeros(n_frames),
        "boxes": np.tile(10.0 * np.eye(3), (n_frames, 1, 1)),
    }
    return Observables(**(values | changes))


def cubes(volumes: np.ndarray) -> np.ndarray:
    """Cubic box vectors, (n_frames, 3, 3)."""
    return np.cbrt(volumes)[:, None, None] * np.eye(3)
