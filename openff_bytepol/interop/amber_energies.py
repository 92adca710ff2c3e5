"""Single-point energies by AMBER's sander, term by term."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from openff_bytepol.interop.amber import coordinates_text
from openff_bytepol.interop.amber_mdin import single_point_settings
from openff_bytepol.interop.amber_prmtop import CHARGE_UNIT, topology_text
from openff_bytepol.interop.energies import EnergyReport, collect_terms
from openff_bytepol.interop.ewald import ewald_settings
from openff_bytepol.interop.executables import find_sander, run_engine
from openff_bytepol.interop.fixed_charge import FixedChargeSystem
from openff_bytepol.interop.from_interchange import fixed_charge_system
from openff_bytepol.units import COULOMB, KJ_PER_KCAL

if TYPE_CHECKING:
    from openff.interchange import Interchange

_CRASH: Final = (
    "sander is known to do so with few molecules in a box shorter than about three cutoffs; "
    "use a larger box, or none"
)
_TERMS: Final = {
    "E_bon": "bonds",
    "E_angle": "angles",
    "E_dih": "torsions",
    "E_14vdw": "lennard_jones_14",
    "E_14el": "coulomb_14",
    "E_vdw": "lennard_jones",
    "E_el": "coulomb",
}


def amber_energy(
    interchange: Interchange | FixedChargeSystem, *, ewald_tolerance: float = 1e-6
) -> EnergyReport:
    """Energy by AMBER's sander of the files that `export_amber` writes.

    PME has the same screening, mesh and spline order as in `openmm_energy`. Lennard-Jones
    energies end at the cutoff, without a switching function.

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
    system = (
        interchange
        if isinstance(interchange, FixedChargeSystem)
        else fixed_charge_system(interchange)
    )
    ewald = None
    if system.box is not None:
        ewald = ewald_settings(system.box, system.cutoff, ewald_tolerance)
    reports = []
    with tempfile.TemporaryDirectory(prefix="bytepol-amber-") as name:
        prefix = Path(name) / "run"
        Path(f"{prefix}.prmtop").write_text(topology_text(system))
        Path(f"{prefix}.inpcrd").write_text(coordinates_text(system))
        for corrected in (False, True)[: 1 if ewald is None else 2]:
            settings = single_point_settings(system, ewald, dispersion_correction=corrected)
            Path(f"{prefix}_energy.in").write_text(settings)
            reports.append(_energy(sander, prefix))
    terms = dict(reports[0].terms)
    if ewald is not None:
        whole = reports[1].terms["lennard_jones"]
        terms["dispersion_correction"] = whole - terms["lennard_jones"]
    return EnergyReport(reports[0].engine, terms)


def amber_file_energy(prefix: str | Path) -> EnergyReport:
    """Energy by AMBER's sander of files as `export_amber` wrote them.

    Parameters
    ----------
    prefix
        That of ``PREFIX.prmtop``, ``PREFIX.inpcrd`` and ``PREFIX_energy.in``.

    Returns
    -------
    EnergyReport
        As `amber_energy`, but in a box with the dispersion correction in ``lennard_jones``.

    Raises
    ------
    MissingDependencyError
        If sander is not installed.
    EngineError
        If it fails, for instance because a file is missing.
    """
    return _energy(find_sander(), Path(prefix).resolve())


def _energy(sander: str, prefix: Path) -> EnergyReport:
    with tempfile.TemporaryDirectory(prefix="bytepol-amber-") as name:
        folder = Path(name)
        inputs = ["-i", f"{prefix}_energy.in", "-p", f"{prefix}.prmtop", "-c", f"{prefix}.inpcrd"]
        outputs = ["-o", "run.out", "-e", "run.mden", "-r", "run.rst"]
        log = folder / "run.out"
        run_engine([sander, "-O", *inputs, *outputs], folder, log=log, remedy=_CRASH)
        found = _read_mden((folder / "run.mden").read_text())
        version = re.search(r"Amber (\S+) SANDER", (folder / "run.out").read_text())
    terms = {k: KJ_PER_KCAL * value for k, value in collect_terms(_TERMS, found).items()}
    for term in ("coulomb", "coulomb_14"):
        terms[term] *= COULOMB / CHARGE_UNIT**2
    return EnergyReport(f"AMBER {version[1]} sander" if version else "AMBER sander", terms)


def _read_mden(text: str) -> dict[str, float]:
    """The last record of sander's energy file, by the names in its header."""
    rows = [line.split() for line in text.splitlines()]
    size = next(i for i, row in enumerate(rows[1:], start=1) if row[0] == "L0")
    names = [name for row in rows[:size] for name in row[1:]]
    values = [float(value) for row in rows[-size:] for value in row[1:]]
    return dict(zip(names, values, strict=True))
