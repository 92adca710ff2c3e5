"""Input files (mdin) for AMBER's sander that keep to the force field's nonbonded settings.

Options: AMBER reference manual, chapter "sander" (https://ambermd.org/Manuals.php).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from openff_bytepol.interop.amber_terms import check_constraints
from openff_bytepol.interop.ewald import SPLINE_ORDER, Ewald, ewald_settings
from openff_bytepol.interop.fixed_charge import FixedChargeSystem, Floats

_Settings = dict[str, object]

_NO_CUTOFF: Final = 9999.0
"""Å"""

_SKIN: Final = 2.0
"""Å"""

_MINIMISE: Final[_Settings] = {"imin": 1, "maxcyc": 5000, "ncyc": 1000, "ntpr": 100}
_DYNAMICS: Final[_Settings] = {
    "imin": 0,
    "nstlim": 100_000,
    "ntt": 3,
    "gamma_ln": 1.0,
    "temp0": 298.15,
    "ig": -1,
    "ntpr": 500,
    "ntwx": 1000,
    "ntwr": 10_000,
}
_START: Final[_Settings] = {"irest": 0, "ntx": 1, "tempi": 298.15}
_CONTINUE: Final[_Settings] = {"irest": 1, "ntx": 5}
_NPT: Final[_Settings] = {"ntb": 2, "ntp": 1, "barostat": 2, "pres0": 1.0}
_SINGLE_POINT: Final[_Settings] = {
    "imin": 0,
    "irest": 0,
    "ntx": 1,
    "nstlim": 1,
    "dt": 1e-12,
    "tempi": 0.0,
    "ntt": 0,
    "ntpr": 1,
    "ntwe": 1,
}
"""One vanishing step of dynamics, since only dynamics writes energies with ten digits."""


def run_settings(system: FixedChargeSystem) -> dict[str, str]:
    """Text of the input for a single point (energy), min, nvt and, in a box, npt."""
    nonbonded = _nonbonded(system)
    rigid = check_constraints(system)
    shake: _Settings = {"ntc": 2, "ntf": 2} if rigid else {"ntc": 1, "ntf": 1}
    dynamics = _DYNAMICS | shake | {"dt": 0.002 if rigid else 0.001}
    tasks = {
        "min": ("Energy minimisation", _MINIMISE | nonbonded | {"ntc": 1, "ntf": 1}),
        "nvt": ("Constant volume and temperature", dynamics | _START | nonbonded),
    }
    if system.box is None:
        texts = {name: _text(*task) for name, task in tasks.items()}
        return {"energy": single_point_settings(system, None)} | texts
    tasks["npt"] = ("Constant pressure and temperature", dynamics | _CONTINUE | nonbonded | _NPT)
    pair_list = _namelist("ewald", _pair_list(system, system.box))
    energy = single_point_settings(system, ewald_settings(system.box, system.cutoff))
    return {"energy": energy} | {name: _text(*task) + pair_list for name, task in tasks.items()}


def single_point_settings(
    system: FixedChargeSystem, ewald: Ewald | None, *, dispersion_correction: bool = True
) -> str:
    """Input for one energy, with the given PME screening and mesh in a box."""
    settings = _SINGLE_POINT | _nonbonded(system) | _energy_terms(system)
    if system.box is None or ewald is None:
        return _text("Single-point energy in vacuum", settings)
    nx, ny, nz = ewald.mesh
    mesh: _Settings = {
        "ew_coeff": f"{ewald.alpha:.15g}",
        "nfft1": nx,
        "nfft2": ny,
        "nfft3": nz,
        "order": SPLINE_ORDER,
        "eedmeth": 3,
        "vdwmeth": int(dispersion_correction),
    }
    mesh |= _pair_list(system, system.box)
    return _text("Single-point energy", settings) + _namelist("ewald", mesh)


def _pair_list(system: FixedChargeSystem, box: Floats) -> _Settings:
    """Skin of the pair list, which with the cutoff must fit in half the box."""
    widths = 1.0 / np.linalg.norm(np.linalg.inv(box), axis=0)
    skin = min(_SKIN, 0.999 * (widths.min() / 2.0 - system.cutoff))
    return {"skinnb": f"{skin:.4f}"}


def _energy_terms(system: FixedChargeSystem) -> _Settings:
    """No constraint moves an atom, but constrained bonds carry no energy."""
    return {"ntc": 1, "ntf": 2 if check_constraints(system) else 1}


def _nonbonded(system: FixedChargeSystem) -> _Settings:
    if system.box is None:
        return {"ntb": 0, "igb": 0, "cut": _NO_CUTOFF}
    return {"ntb": 1, "cut": f"{system.cutoff:.6f}"}


def _text(title: str, settings: _Settings) -> str:
    return f"{title}, written by openff-bytepol\n" + _namelist("cntrl", settings)


def _namelist(name: str, settings: _Settings) -> str:
    lines = [f"  {key} = {value}," for key, value in settings.items()]
    return "\n".join([f" &{name}", *lines, " /"]) + "\n"
