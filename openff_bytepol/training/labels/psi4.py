"""SAPT0 of a dimer by Psi4, as a separate program with an input file.

Parrish et al., J. Chem. Theory Comput. 13, 3185 (2017),
https://doi.org/10.1021/acs.jctc.7b00174. Any version that has ``energy('sapt0')`` will do;
Debian's 1.3.2 is what this was run with.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from openff_bytepol.exceptions import EngineError, MissingDependencyError
from openff_bytepol.qm import Fragment
from openff_bytepol.units import energy_in_kcal

_TERMS: Final = {
    "elst": "Electrostatics",
    "exch": "Exchange",
    "ind": "Induction",
    "disp": "Dispersion",
    "total": "Total SAPT0",
}
_INPUT: Final = """memory {memory} GB
molecule dimer {{
{first}
--
{second}
units angstrom
no_reorient
no_com
symmetry c1
}}
set {{
  basis {basis}
  scf_type df
  freeze_core true
}}
energy('sapt0')
"""


@cache
def version() -> str:
    """Version of the Psi4 on PATH.

    Raises
    ------
    MissingDependencyError
        If there is none.
    """
    if shutil.which("psi4") is None:
        raise MissingDependencyError("SAPT0 labels need the program psi4 (apt install psi4)")
    with tempfile.TemporaryDirectory() as folder:  # it leaves a timer.dat where it runs
        done = subprocess.run(
            ["psi4", "--version"], capture_output=True, text=True, check=False, cwd=folder
        )
    return done.stdout.strip() or "unknown"


def input_text(first: Fragment, second: Fragment, basis: str, memory_gb: float) -> str:
    """Input file of one SAPT0 calculation."""
    blocks = []
    for fragment in (first, second):
        atoms = [
            f"{symbol} {x:.8f} {y:.8f} {z:.8f}"
            for symbol, (x, y, z) in zip(fragment.symbols, fragment.coordinates, strict=True)
        ]
        blocks.append("\n".join([f"{fragment.charge} 1", *atoms]))
    return _INPUT.format(memory=memory_gb, basis=basis, first=blocks[0], second=blocks[1])


def sapt0(
    first: Fragment, second: Fragment, basis: str, memory_gb: float = 2.0
) -> dict[str, float]:
    """Components and total of one dimer on one core.

    Parameters
    ----------
    first, second
        The two molecules in place.
    basis
        As Psi4 names it.
    memory_gb
        Memory for Psi4.

    Returns
    -------
    dict
        ``elst``, ``exch``, ``ind`` (with delta-HF), ``disp`` and ``total``, kcal/mol.

    Raises
    ------
    MissingDependencyError
        If Psi4 is not on PATH.
    EngineError
        If it fails.
    """
    version()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "input.dat").write_text(input_text(first, second, basis, memory_gb))
        done = subprocess.run(
            ["psi4", "-n", "1", "-s", folder, "input.dat", "output.dat"],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        output = Path(folder) / "output.dat"
        written = output.read_text() if output.is_file() else ""
    try:
        return parse(written)
    except EngineError as error:
        last = (done.stderr or written or done.stdout).strip().splitlines()[-1:]
        raise EngineError(f"psi4 failed: {' '.join(last) or error}") from error


def parse(output: str) -> dict[str, float]:
    """Energies of an output file, kcal/mol.

    Raises
    ------
    EngineError
        If a term is missing.
    """
    found = {}
    for name, title in _TERMS.items():
        match = re.search(rf"^\s*{title}\s+(-?\d+\.\d+) \[mEh\]", output, re.MULTILINE)
        if match is None:
            raise EngineError(f"no '{title}' in the output of psi4")
        found[name] = float(match.group(1)) * energy_in_kcal("millihartree")
    return found
