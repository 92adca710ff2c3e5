"""AMBER files of a fixed-charge system: topology, coordinates and sander input."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from openff_bytepol.exceptions import ExportError
from openff_bytepol.interop.amber_mdin import run_settings
from openff_bytepol.interop.amber_prmtop import topology_text
from openff_bytepol.interop.fixed_charge import FixedChargeSystem, Floats
from openff_bytepol.interop.from_interchange import fixed_charge_system
from openff_bytepol.interop.outputs import write_files

if TYPE_CHECKING:
    from openff.interchange import Interchange

_LARGEST_COORDINATE: Final = 999.0
"""Å; beyond it the columns of an inpcrd file run together."""

WIDEST_ANGLE: Final = math.acos(-0.999)
"""rad; sander and pmemd compute wider angles as if they were this wide."""


def export_amber(
    interchange: Interchange, prefix: str | Path, *, overwrite: bool = False
) -> list[Path]:
    """Write AMBER files of the fixed-charge part of an Interchange.

    Written are ``PREFIX.prmtop``, ``PREFIX.inpcrd`` and sander input for a single point,
    minimisation, NVT and, in a box, NPT: ``PREFIX_energy.in``, ``PREFIX_min.in``,
    ``PREFIX_nvt.in``, ``PREFIX_npt.in``. All files appear or none. Warnings
    announce what AMBER computes in its own way: it has no switching function for
    Lennard-Jones energies, and takes angles wider than arccos(-0.999) = 177.4° as that wide.

    Parameters
    ----------
    interchange
        With positions, and a box unless the molecules are in vacuum.
    prefix
        Path without extension.
    overwrite
        Replace files that exist.

    Returns
    -------
    list of Path
        The files, topology first.

    Raises
    ------
    ExportError
        If the Interchange holds what AMBER files cannot.
    CutoffError
        If the cutoff is longer than half the shortest box edge.
    OutputExistsError
        If a file exists and ``overwrite`` is false.
    """
    system = fixed_charge_system(interchange)
    _announce_differences(system)
    contents = {
        Path(f"{prefix}.prmtop"): topology_text(system),
        Path(f"{prefix}.inpcrd"): coordinates_text(system),
    }
    contents |= {Path(f"{prefix}_{name}.in"): text for name, text in run_settings(system).items()}
    return write_files(contents, overwrite=overwrite)


def coordinates_text(system: FixedChargeSystem) -> str:
    """The inpcrd file, with positions and box in Å and degrees.

    Raises
    ------
    ExportError
        If a coordinate is too large for its column.
    """
    if np.abs(system.positions).max(initial=0.0) > _LARGEST_COORDINATE:
        raise ExportError(
            f"a coordinate exceeds {_LARGEST_COORDINATE:g} Å, more than an inpcrd file holds; "
            "move the molecules into the box"
        )
    lines = ["openff-bytepol", f"{system.n_atoms:6d}{0.0:15.7E}"]
    cells = [f"{value:12.7f}" for value in system.positions.reshape(-1)]
    lines += ["".join(cells[start : start + 6]) for start in range(0, len(cells), 6)]
    if system.box is not None:
        lines.append("".join(f"{value:12.7f}" for value in _lengths_and_angles(system.box)))
    return "\n".join(lines) + "\n"


def _lengths_and_angles(box: Floats) -> list[float]:
    lengths = np.linalg.norm(box, axis=1)
    unit = box / lengths[:, None]
    cosines = [unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]]
    return [*lengths, *np.degrees(np.arccos(cosines))]


def _announce_differences(system: FixedChargeSystem) -> None:
    """Warn of what AMBER computes in its own way."""
    if system.box is not None and system.is_switched:
        warnings.warn(
            "AMBER has no switching function for Lennard-Jones energies: it truncates them at "
            f"{system.cutoff:g} Å, where OpenMM and GROMACS switch them off from "
            f"{system.switch_distance:g} Å on",
            stacklevel=3,
        )
    linear = [t.name for t in system.types if (t.angles.values[:, 1] > WIDEST_ANGLE).any()]
    if linear:
        warnings.warn(
            f"AMBER computes angles beyond {math.degrees(WIDEST_ANGLE):.1f}° as if they were that "
            f"wide, so the linear groups of {', '.join(linear)} bend more freely there than in "
            "OpenMM and GROMACS",
            stacklevel=3,
        )
