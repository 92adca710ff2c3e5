"""A ``python3`` that knows the programs of this package, for compute managers."""

from __future__ import annotations

import runpy
import shlex
import sys
from pathlib import Path


def register() -> None:
    """Add the programs of this package to QCEngine's; again is harmless.

    Raises
    ------
    ImportError
        If QCEngine is not installed.
    """
    import qcengine
    from qcengine.programs.base import register_program, unregister_program

    from active_learning.programs.aimnet2 import AIMNet2Harness
    from active_learning.programs.energy_decomposition import EnergyDecompositionHarness
    from active_learning.programs.monomers import PySCFHarness, TBLiteHarness
    from active_learning.programs.psi4 import OldPsi4Harness

    known = qcengine.list_all_programs()
    ours = (PySCFHarness(), TBLiteHarness(), EnergyDecompositionHarness(), AIMNet2Harness())
    for harness in ours:
        if harness.name not in known:
            register_program(harness)
    old = OldPsi4Harness()
    if old.found():
        unregister_program("psi4")
        register_program(old)


def write_launcher(folder: Path) -> Path:
    """Write an executable ``python3`` to put first on a compute manager's PATH.

    Parameters
    ----------
    folder
        Made if needed; belongs on PATH.

    Returns
    -------
    Path
        ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "python3"
    script.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m active_learning.programs "$@"\n'
    )
    script.chmod(0o755)
    return folder


def main() -> None:
    """Run a Python script, given with its arguments, with the programs registered."""
    register()
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
