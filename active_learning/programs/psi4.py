"""Psi4 before 1.4, such as Debian's 1.3.2, as QCEngine program ``psi4``.

QCEngine speaks a newer schema to Psi4 than these versions know. Psi4
(https://doi.org/10.1063/5.0006002) 1.4 and later keep QCEngine's own harness.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from qcengine.exceptions import InputError, RandomError, UnknownError
from qcengine.programs.model import ProgramHarness

from active_learning.programs.results import atomic_result, fragments_of
from openff_bytepol.exceptions import DataError

if TYPE_CHECKING:
    from qcelemental.models.v2 import AtomicInput, AtomicResult
    from qcengine.config import TaskConfig

    from openff_bytepol.qm import Fragment

VERSION_VARIABLE = "BYTEPOL_PSI4_VERSION"
_FIRST_WITH_QCSCHEMA = (1, 4)
_UNKNOWN: type[Exception] = UnknownError
_WORD = re.compile(r"[A-Za-z0-9_()+*,./-]+")
_GIBIBYTE = 1024**3


def installed_version() -> str:
    """Version of the ``psi4`` on PATH; empty if there is none.

    Compute managers ask once and hand it down in ``BYTEPOL_PSI4_VERSION``.
    """
    if VERSION_VARIABLE in os.environ:
        return os.environ[VERSION_VARIABLE]
    executable = shutil.which("psi4")
    if executable is None:
        return ""
    try:
        with tempfile.TemporaryDirectory() as folder:  # it leaves a timer.dat where it runs
            done = subprocess.run(
                [executable, "--version"],
                capture_output=True, text=True, timeout=120, check=False, cwd=folder,
            )  # fmt: skip
    except subprocess.TimeoutExpired:
        return ""
    found = re.search(r"\d+(\.\d+)+", done.stdout)
    return found.group(0) if found else ""


def is_old(version: str) -> bool:
    """Whether a version of Psi4 needs the harness of this module."""
    return bool(version) and tuple(int(x) for x in version.split(".")[:2]) < _FIRST_WITH_QCSCHEMA


class OldPsi4Harness(ProgramHarness):  # type: ignore[misc]
    """Psi4 in a process of its own, by energy or gradient."""

    _defaults: ClassVar[dict[str, Any]] = {
        "name": "Psi4",
        "scratch": True,
        "thread_safe": False,
        "thread_parallel": True,
        "node_parallel": False,
        "managed_memory": True,
    }

    def found(self, raise_error: bool = False) -> bool:
        """Whether an old Psi4 is on PATH."""
        present = is_old(installed_version())
        if raise_error and not present:
            raise ModuleNotFoundError("no Psi4 before 1.4 on PATH")
        return present

    def get_version(self) -> str:
        """Of the executable."""
        return installed_version()

    def compute(self, input_data: AtomicInput, config: TaskConfig) -> AtomicResult:
        """Run Psi4 in a scratch folder.

        Raises
        ------
        qcengine.exceptions.InputError
            If the record cannot be expressed, or Psi4 rejects it.
        qcengine.exceptions.RandomError, UnknownError
            If Psi4 was killed, or failed.
        """
        job = self._job(input_data, config)
        with tempfile.TemporaryDirectory(dir=config.scratch_directory) as name:
            folder = Path(name)
            (folder / "job.json").write_text(json.dumps(job))
            driver = Path(__file__).with_name("psi4_driver.py")
            (folder / "job.in").write_text(
                f"import runpy\nrunpy.run_path({str(driver)!r}, run_name='__main__')\n"
            )
            command = ["psi4", "-i", "job.in", "-o", "job.out", "-n", str(config.ncores)]
            done = subprocess.run(
                [*command, "-s", name], cwd=name, capture_output=True, text=True, check=False
            )
            if not (folder / "result.json").is_file():
                raise _failure(done, folder / "job.out")
            result = json.loads((folder / "result.json").read_text())
        value, driver_name = result["value"], job["driver"]
        properties = {"return_energy": result["energy"]}
        if result["basis_functions"] is not None:
            properties["calcinfo_nbasis"] = result["basis_functions"]
        return atomic_result(
            input_data,
            np.array(value).reshape(-1, 3) if driver_name == "gradient" else value,
            properties,
            creator="Psi4",
            version=result["version"],
            cores=config.ncores,
            variables=result["variables"],
        )

    @staticmethod
    def _job(data: AtomicInput, config: TaskConfig) -> dict[str, Any]:
        specification = data.specification
        driver = str(getattr(specification.driver, "value", ""))
        method, basis = str(specification.model.method), str(specification.model.basis)
        if driver not in {"energy", "gradient"}:
            raise InputError(f"psi4: driver energy or gradient, not {driver}")
        if not (_WORD.fullmatch(method) and _WORD.fullmatch(basis)):
            raise InputError(f"psi4: method {method!r} or basis {basis!r} is not a name")
        try:
            fragments = fragments_of(data.molecule)
        except DataError as error:
            raise InputError(f"psi4: {error}") from error
        return {
            "molecule": _geometry(fragments),
            "method": method,
            "basis": basis,
            "driver": driver,
            "keywords": {"guess": "sad", **specification.keywords},
            "ncores": config.ncores,
            "memory_bytes": int(config.memory * _GIBIBYTE * 0.8),
        }


def _geometry(fragments: tuple[Fragment, ...]) -> str:
    blocks = []
    for fragment in fragments:
        lines = [f"{fragment.charge} 1"]
        lines += [
            f"{symbol} {x:.12f} {y:.12f} {z:.12f}"
            for symbol, (x, y, z) in zip(fragment.symbols, fragment.coordinates, strict=True)
        ]
        blocks.append("\n".join(lines))
    return "\n--\n".join(blocks) + "\nunits angstrom\nsymmetry c1\nno_reorient\nno_com\n"


def _failure(done: subprocess.CompletedProcess[str], output: Path) -> Exception:
    text = output.read_text(errors="replace") if output.is_file() else ""
    tail = (text + done.stdout + done.stderr)[-2000:]
    kinds: tuple[tuple[bool, type[Exception], str], ...] = (
        (done.returncode < 0, RandomError, f"psi4 was killed by signal {-done.returncode}"),
        ("could not converge" in tail.lower(), UnknownError, "no convergence"),
        ("ConvergenceError" in tail, UnknownError, "no convergence"),
        ("ValidationError" in tail, InputError, "psi4 refuses the input"),
        ("BasisSetNotFound" in tail, InputError, "psi4 lacks the basis set"),
    )
    for applies, kind, reason in kinds:
        if applies:
            return kind(f"{reason}: {tail}")
    return _UNKNOWN(f"psi4 failed: {tail}")
