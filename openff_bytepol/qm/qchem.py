"""ALMO-EDA with Q-Chem's EDA2: input files written, output files read.

For users who have Q-Chem; the published labels of ByteFF-Pol were made so. The layout of
input and output follows the Q-Chem 6 manual, section "Second-generation ALMO-EDA".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from openff_bytepol.exceptions import DataError
from openff_bytepol.qm.fragments import Fragment
from openff_bytepol.qm.levels import Level
from openff_bytepol.qm.results import EnergyDecomposition
from openff_bytepol.units import HARTREE_IN_KCAL

_METHODS: Final = {
    "hf": "HF",
    "pbe0": "PBE0",
    "wb97m-v": "wB97M-V",
    "wb97x-v": "wB97X-V",
    "b97m-v": "B97M-V",
    "wb97x-d3bj": "wB97X-D3BJ",
    "wb97m-d3bj": "wB97M-D3BJ",
}

_QCHEM_KJ_PER_HARTREE: Final = 2625.531
_FACTOR: Final = HARTREE_IN_KCAL / _QCHEM_KJ_PER_HARTREE
"""Q-Chem's kJ/mol → kcal/mol."""

_NUMBER = r"(-?\d+\.\d+)"
_TERMS: Final = {
    "electrostatics": rf"E_elec\s+\(ELEC\)\s+\(kJ/mol\)\s*=\s*{_NUMBER}",
    "pauli": rf"E_pauli\s+\(PAULI\)\s+\(kJ/mol\)\s*=\s*{_NUMBER}",
    "dispersion": rf"E_disp\s+\(DISP\)\s+\(kJ/mol\)\s*=\s*{_NUMBER}",
    "classical_electrostatics": rf"E_cls_elec\s+\(CLS ELEC\)\s+\(kJ/mol\)\s*=\s*{_NUMBER}",
    "polarization": rf"\bPOLARIZATION\s+{_NUMBER}",
    "charge_transfer": rf"\bCHARGE TRANSFER\s+{_NUMBER}",
    "total": rf"^\s*TOTAL\s+{_NUMBER}\s+\(PRP",
}
"""Term → its line; all in kJ/mol. Simplified lists at the end of the output are the last."""


def write_input(fragments: Sequence[Fragment], level: Level, path: Path) -> None:
    """Write a Q-Chem EDA2 job.

    Parameters
    ----------
    fragments
        Two or more.
    level
        Method and basis; integrals are exact, as Q-Chem's EDA2 needs them.
    path
        Input file; never overwritten.

    Raises
    ------
    DataError
        If Q-Chem's name of the method is not known here or there are too few fragments.
    FileExistsError
        If the file exists.
    """
    method = _METHODS.get(level.method)
    if method is None or level.basis is None or len(fragments) < 2:
        raise DataError(
            f"level '{level.name}': EDA2 inputs need two fragments, a basis set and a method of "
            f"{', '.join(_METHODS)}"
        )
    lines = ["$molecule", f"{sum(f.charge for f in fragments)} 1"]
    for fragment in fragments:
        lines += ["--", f"{fragment.charge} 1"]
        lines += [
            f"{symbol:<2} {x:16.10f} {y:16.10f} {z:16.10f}"
            for symbol, (x, y, z) in zip(fragment.symbols, fragment.coordinates, strict=True)
        ]
    settings = {
        "JOBTYPE": "eda",
        "EDA2": "1",
        "METHOD": method,
        "BASIS": level.basis,
        "XC_GRID": "{:06d}{:06d}".format(*level.grid),
        "NL_GRID": "{:06d}{:06d}".format(*level.nonlocal_grid),
        "MAX_SCF_CYCLES": "200",
        "SCF_CONVERGENCE": "8",
        "THRESH": "14",
        "SYMMETRY": "FALSE",
        "SYM_IGNORE": "TRUE",
        "MEM_TOTAL": "16000",
    }
    lines += ["$end", "", "$rem", *(f"{k:<16} {v}" for k, v in settings.items()), "$end", ""]
    with path.open("x", encoding="ascii") as handle:
        handle.write("\n".join(lines))


def read_output(path: Path, level: Level) -> EnergyDecomposition:
    """Terms of a finished EDA2 job.

    Q-Chem converts with 2625.531 kJ/mol per hartree; energies here use CODATA's 2625.500.

    Raises
    ------
    DataError
        If the job did not finish, a term is missing, or the terms do not add up.
    """
    text = path.read_text("utf-8", errors="replace")
    if "Thank you very much for using Q-Chem" not in text:
        raise DataError(f"{path}: Q-Chem did not finish; look for its error at the end")
    terms = {}
    for name, pattern in _TERMS.items():
        found = re.findall(pattern, text, re.MULTILINE)
        if not found:
            raise DataError(f"{path}: no line of {name}; was the job EDA2 = 1?")
        terms[name] = float(found[-1]) * _FACTOR
    fragments = tuple(
        float(x) for x in re.findall(rf"^\s*\d+\s+{_NUMBER}\s*$", _fragment_table(text), re.M)
    )
    system = sum(fragments) + terms["total"] / HARTREE_IN_KCAL
    version = re.search(r"Q-Chem (\d[\d.]*)", text)
    return EnergyDecomposition.from_dict(
        {
            **terms,
            "superposition_error": 0.0,
            "fragment_energies": fragments,
            "system_energy": system,
            "program": "qchem",
            "version": version.group(1).rstrip(".") if version else "",
            "method": level.method,
            "basis": level.basis or "",
        }
    )


def _fragment_table(text: str) -> str:
    _, _, table = text.partition("Fragment Energies (Ha):")
    return table.partition("---")[0]
