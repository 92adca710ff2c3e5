"""PySCF and tblite as QCEngine programs: energies and gradients."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from qcengine.exceptions import InputError, ResourceError, UnknownError
from qcengine.programs.model import ProgramHarness

from active_learning.programs.results import (
    atomic_result,
    level_of,
    real_and_ghosts,
    whole_of,
)
from openff_bytepol.exceptions import BytePolError, ConvergenceError, DataError
from openff_bytepol.qm.single_point import energy_with_ghosts, single_point
from openff_bytepol.units import BOHR_IN_ANGSTROM, HARTREE_IN_KCAL

if TYPE_CHECKING:
    from qcelemental.models.v2 import AtomicInput, AtomicResult
    from qcengine.config import TaskConfig


def run_limited(config: TaskConfig, function: Any, *arguments: Any, **options: Any) -> Any:
    """Call with the task's cores and memory; errors as QCEngine's.

    Raises
    ------
    qcengine.exceptions.InputError
        What was asked cannot be computed; trying again is useless.
    qcengine.exceptions.UnknownError
        It did not converge.
    qcengine.exceptions.ResourceError
        Out of memory.
    """
    from threadpoolctl import threadpool_limits

    if find_spec("pyscf"):
        from pyscf import lib

        lib.num_threads(config.ncores)
    try:
        with threadpool_limits(config.ncores):
            return function(*arguments, **options)
    except DataError as error:
        raise InputError(str(error)) from error
    except ConvergenceError as error:
        raise UnknownError(f"no convergence: {error}") from error
    except MemoryError as error:
        raise ResourceError(f"out of memory: {error}") from error
    except BytePolError as error:
        raise UnknownError(str(error)) from error


class MonomerHarness(ProgramHarness):  # type: ignore[misc]
    """Energy and gradient of one molecule by `qm.single_point`."""

    def found(self, raise_error: bool = False) -> bool:
        """Whether the program is installed."""
        present = find_spec(self.name) is not None
        if raise_error and not present:
            raise ModuleNotFoundError(f"{self.name}: pip install 'openff-bytepol[qc]'")
        return present

    def get_version(self) -> str:
        """Of the installed package."""
        from importlib.metadata import version

        self.found(raise_error=True)
        return version(self.name)

    def compute(self, input_data: AtomicInput, config: TaskConfig) -> AtomicResult:
        """Run; see `run_limited` for errors."""
        driver = str(getattr(input_data.specification.driver, "value", ""))
        if driver not in {"energy", "gradient"}:
            raise InputError(f"{self.name}: driver energy or gradient, not {driver}")
        if driver == "energy" and not np.all(input_data.molecule.real):
            return self._with_ghosts(input_data, config)
        result = run_limited(config, self._run, input_data)
        energy = result.energy / HARTREE_IN_KCAL
        gradient = result.gradient / HARTREE_IN_KCAL * BOHR_IN_ANGSTROM
        dipole = result.dipole / BOHR_IN_ANGSTROM
        properties = {
            "return_energy": energy,
            "scf_total_energy": energy,
            "scf_dipole_moment": dipole.tolist(),
            "return_gradient": gradient.tolist(),
        }
        if result.basis_functions is not None:
            properties["calcinfo_nbasis"] = result.basis_functions
        return atomic_result(
            input_data,
            energy if driver == "energy" else np.asarray(gradient),
            properties,
            creator=self.name,
            version=self.get_version(),
            cores=config.ncores,
        )

    def _with_ghosts(self, data: AtomicInput, config: TaskConfig) -> AtomicResult:
        energy, functions = run_limited(
            config,
            energy_with_ghosts,
            *real_and_ghosts(data.molecule),
            level_of(data, self.name, "gradient"),
        )
        value = energy / HARTREE_IN_KCAL
        return atomic_result(
            data,
            value,
            {"return_energy": value, "scf_total_energy": value, "calcinfo_nbasis": functions},
            creator=self.name,
            version=self.get_version(),
            cores=config.ncores,
        )

    def _run(self, data: AtomicInput) -> Any:
        level = level_of(data, self.name, "gradient")
        return single_point(whole_of(data.molecule), level)


class PySCFHarness(MonomerHarness):
    """PySCF (https://pyscf.org): HF and density functionals with D3(BJ), D4 or VV10."""

    _defaults: ClassVar[dict[str, Any]] = {
        "name": "pyscf",
        "scratch": False,
        "thread_safe": False,
        "thread_parallel": True,
        "node_parallel": False,
        "managed_memory": False,
    }


class TBLiteHarness(MonomerHarness):
    """tblite (https://tblite.readthedocs.io): ``gfn2-xtb`` and ``gfn1-xtb``."""

    _defaults: ClassVar[dict[str, Any]] = {
        "name": "tblite",
        "scratch": False,
        "thread_safe": True,
        "thread_parallel": True,
        "node_parallel": False,
        "managed_memory": False,
    }
