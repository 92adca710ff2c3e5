"""Forty argon atoms, the smallest liquid that an estimate can be made of, and a salt."""

from __future__ import annotations

from pathlib import Path

from openff_bytepol.properties.state import State

ARGON = str(Path(__file__).parent / "argon.offxml")
SALT = str(Path(__file__).parent / "salt.offxml")
STATE = State(87.3)
SMALL = {
    "n_molecules": 40,
    "time": 1.0,
    "equilibration": 1.0,
    "gas_time": 0.5,
    "interval": 0.02,
    "trajectory": 0.1,
    "timestep": 5.0,
    "platform": "Reference",
    "seed": 1,
    "report": False,
}
