"""Single-point energies by GROMACS, term by term."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from openff_bytepol.exceptions import EngineError
from openff_bytepol.interop.energies import EnergyReport, collect_terms
from openff_bytepol.interop.ewald import ewald_settings
from openff_bytepol.interop.executables import find_gromacs, run_engine
from openff_bytepol.interop.fixed_charge import FixedChargeSystem
from openff_bytepol.interop.from_interchange import fixed_charge_system
from openff_bytepol.interop.gromacs import coordinates_text, topology_text
from openff_bytepol.interop.gromacs_mdp import single_point_settings, vacuum_settings

if TYPE_CHECKING:
    from openff.interchange import Interchange

_TERMS: Final = {
    "Bond": "bonds",
    "Angle": "angles",
    "Proper Dih.": "torsions",
    "Per. Imp. Dih.": "torsions",
    "LJ-14": "lennard_jones_14",
    "Coulomb-14": "coulomb_14",
    "LJ (SR)": "lennard_jones",
    "Coulomb (SR)": "coulomb",
    "Coul. recip.": "coulomb",
    "Disper. corr.": "dispersion_correction",
}
_DECIMALS: Final = 12
"""Of the coordinates in nm, so that an energy does not feel their rounding."""


def gromacs_energy(
    interchange: Interchange | FixedChargeSystem,
    *,
    switched: bool = True,
    ewald_tolerance: float = 1e-6,
) -> EnergyReport:
    """Energy by GROMACS of the topology that `export_gromacs` writes.

    PME has the same screening, mesh and spline order as in `openmm_energy`, so that both
    compute the same sum. Without a box, the molecules are put into one too large for
    periodicity to matter.

    Parameters
    ----------
    interchange
        With positions; with a box where the system is periodic.
    switched
        Apply the force field's switching function to the Lennard-Jones energy.
    ewald_tolerance
        Decides PME screening and mesh, as in `ewald_settings`.

    Returns
    -------
    EnergyReport
        Its ``engine`` says whether GROMACS ran in double (``gmx_d``, preferred where it is
        installed) or mixed precision.

    Raises
    ------
    MissingDependencyError
        If GROMACS is not installed.
    EngineError
        If it fails.
    ExportError, CutoffError
        As `export_gromacs`.
    """
    gmx = find_gromacs()
    system = (
        interchange
        if isinstance(interchange, FixedChargeSystem)
        else fixed_charge_system(interchange)
    )
    if system.box is None:
        system, cutoff = _boxed(system)
        settings = vacuum_settings(cutoff)
    else:
        ewald = ewald_settings(system.box, system.cutoff, ewald_tolerance)
        settings = single_point_settings(system, ewald, switched=switched)
    with tempfile.TemporaryDirectory(prefix="bytepol-gromacs-") as name:
        prefix = Path(name) / "run"
        Path(f"{prefix}.top").write_text(topology_text(system))
        Path(f"{prefix}.gro").write_text(coordinates_text(system, _DECIMALS))
        Path(f"{prefix}_energy.mdp").write_text(settings)
        return _energy(gmx, prefix, net_charge=abs(system.total_charge) > 1e-3)


def gromacs_file_energy(prefix: str | Path) -> EnergyReport:
    """Energy by GROMACS of files as `export_gromacs` wrote them.

    Parameters
    ----------
    prefix
        That of ``PREFIX.top``, ``PREFIX.gro`` and ``PREFIX_energy.mdp``.

    Returns
    -------
    EnergyReport

    Raises
    ------
    MissingDependencyError
        If GROMACS is not installed.
    EngineError
        If it fails, for instance because a file is missing.
    """
    return _energy(find_gromacs(), Path(prefix).resolve(), net_charge=True)


def _energy(gmx: str, prefix: Path, *, net_charge: bool) -> EnergyReport:
    """Run one energy; of the warnings of grompp, only that of a net charge is allowed."""
    with tempfile.TemporaryDirectory(prefix="bytepol-gromacs-") as name:
        folder = Path(name)
        inputs = ["-f", f"{prefix}_energy.mdp", "-c", f"{prefix}.gro", "-p", f"{prefix}.top"]
        allowed = ["-maxwarn", str(int(net_charge))]
        run_engine([gmx, "grompp", *inputs, "-o", "run.tpr", *allowed], folder)
        run_engine([gmx, "mdrun", "-s", "run.tpr", "-e", "run.edr", "-nt", "1"], folder)
        choices = "\n".join(str(number) for number in range(1, 100)) + "\n0\n"
        run_engine([gmx, "energy", "-f", "run.edr", "-o", "run.xvg", "-dp"], folder, choices)
        found = _read_xvg((folder / "run.xvg").read_text())
    terms = collect_terms(_TERMS, found)
    potential = found["Potential"]
    if abs(sum(terms.values()) - potential) > 1e-2 + 1e-5 * abs(potential):
        raise EngineError(f"GROMACS has energy terms of another kind: {found}")
    return EnergyReport(_version(gmx), terms)


def _boxed(system: FixedChargeSystem) -> tuple[FixedChargeSystem, float]:
    """The system in a cubic box, and a cutoff (Å) that every pair is inside of."""
    positions = system.positions - system.positions.min(axis=0)
    cutoff = float(np.linalg.norm(positions.max(axis=0))) + 5.0
    box = np.eye(3) * (2.0 * cutoff + 5.0)
    return replace(system, positions=positions, box=box), cutoff


def _version(gmx: str) -> str:
    text = subprocess.run([gmx, "--version"], capture_output=True, text=True, check=True).stdout
    fields = dict(re.findall(r"^(GROMACS version|Precision):\s+(\S+)", text, re.MULTILINE))
    return f"GROMACS {fields['GROMACS version']} ({fields['Precision']} precision)"


def _read_xvg(text: str) -> dict[str, float]:
    names = re.findall(r'^@ s\d+ legend "(.*)"$', text, re.MULTILINE)
    values = [float(value) for value in text.strip().splitlines()[-1].split()[1:]]
    return dict(zip(names, values, strict=True))
