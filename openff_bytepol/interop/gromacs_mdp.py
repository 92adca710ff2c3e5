"""Run settings (.mdp) for GROMACS that keep to the force field's nonbonded settings.

Options: https://manual.gromacs.org/current/user-guide/mdp-options.html
"""

from __future__ import annotations

from typing import Final

from openff_bytepol.interop.ewald import SPLINE_ORDER, Ewald, ewald_settings
from openff_bytepol.interop.fixed_charge import FixedChargeSystem, Floats
from openff_bytepol.units import NM_PER_ANGSTROM

_Settings = dict[str, object]

_SINGLE_POINT: Final[_Settings] = {
    "integrator": "md",
    "nsteps": 0,
    "nstcalcenergy": 1,
    "nstenergy": 1,
    "continuation": "yes",
}
_MINIMISE: Final[_Settings] = {
    "integrator": "steep",
    "nsteps": 5000,
    "emtol": 100.0,
    "emstep": 0.01,
}
_DYNAMICS: Final[_Settings] = {
    "integrator": "sd",
    "nsteps": 100_000,
    "tc-grps": "System",
    "tau-t": 1.0,
    "ref-t": 298.15,
    "nstenergy": 500,
    "nstlog": 500,
    "nstxout-compressed": 1000,
}
_NVT: Final[_Settings] = {"gen-vel": "yes", "gen-temp": 298.15, "continuation": "no"}
_NPT: Final[_Settings] = {
    "gen-vel": "no",
    "continuation": "yes",
    "pcoupl": "C-rescale",
    "pcoupltype": "isotropic",
    "tau-p": 2.0,
    "ref-p": 1.0,
    "compressibility": 1e-4,
}


def run_settings(system: FixedChargeSystem, box: Floats) -> dict[str, str]:
    """Text of the settings for a single point (energy), min, nvt and npt."""
    ewald = ewald_settings(box, system.cutoff)
    periodic = _periodic(system) | {"fourierspacing": 0.12, "pme-order": 4, "ewald-rtol": 1e-5}
    rigid = any(len(molecule.constraints.atoms) for molecule in system.types)
    dynamics = _DYNAMICS | {"dt": 0.002 if rigid else 0.001}
    return {
        "energy": single_point_settings(system, ewald, switched=True),
        "min": _text("Energy minimisation", _MINIMISE | periodic),
        "nvt": _text("Constant volume and temperature", dynamics | _NVT | periodic),
        "npt": _text("Constant pressure and temperature", dynamics | _NPT | periodic),
    }


def single_point_settings(system: FixedChargeSystem, ewald: Ewald, *, switched: bool) -> str:
    """Settings for one energy with the given PME screening and mesh."""
    nx, ny, nz = ewald.mesh
    mesh: _Settings = {
        "ewald-rtol": f"{ewald.direct_tolerance(system.cutoff):.16e}",
        "pme-order": SPLINE_ORDER,
        "fourier-nx": nx,
        "fourier-ny": ny,
        "fourier-nz": nz,
    }
    mesh["rlist"] = f"{system.cutoff * NM_PER_ANGSTROM:.6f}"
    periodic = _periodic(system, switched=switched)
    return _text("Single-point energy", _SINGLE_POINT | periodic | _EXACT_LIST | mesh)


def vacuum_settings(cutoff: float) -> str:
    """Settings for one energy of molecules in a box too large for periodicity to matter.

    Every pair is inside ``cutoff`` (Å), and the reaction field into which GROMACS turns
    a plain cutoff is switched off by epsilon 1 and no modifier.
    """
    radius = cutoff * NM_PER_ANGSTROM
    return _text(
        "Single-point energy in vacuum",
        _SINGLE_POINT
        | _EXACT_LIST
        | {
            "pbc": "xyz",
            "cutoff-scheme": "Verlet",
            "coulombtype": "Cut-off",
            "coulomb-modifier": "None",
            "epsilon-rf": 1,
            "rcoulomb": f"{radius:.6f}",
            "vdwtype": "Cut-off",
            "vdw-modifier": "None",
            "rvdw": f"{radius:.6f}",
            "rlist": f"{radius:.6f}",
            "DispCorr": "no",
            "constraints": "none",
        },
    )


_EXACT_LIST: Final[_Settings] = {"nstlist": 1, "verlet-buffer-tolerance": -1}


def _periodic(system: FixedChargeSystem, *, switched: bool = True) -> _Settings:
    radius = f"{system.cutoff * NM_PER_ANGSTROM:.6f}"
    settings: _Settings = {
        "pbc": "xyz",
        "cutoff-scheme": "Verlet",
        "coulombtype": "PME",
        "coulomb-modifier": "None",
        "rcoulomb": radius,
        "vdwtype": "Cut-off",
        "vdw-modifier": "None",
        "rvdw": radius,
        "DispCorr": "EnerPres",
        "constraints": "none",
    }
    if switched and system.is_switched:
        settings["vdw-modifier"] = "Potential-switch"
        settings["rvdw-switch"] = f"{system.switch_distance * NM_PER_ANGSTROM:.6f}"
    return settings


def _text(title: str, settings: _Settings) -> str:
    lines = [f"; {title}, written by openff-bytepol"]
    lines += [f"{key:<24s} = {value}" for key, value in settings.items()]
    return "\n".join(lines) + "\n"
