"""A QCEngine program of one's own, and a way to run scripts that know it."""

from __future__ import annotations

import runpy
import sys
from importlib.metadata import version
from typing import Any, ClassVar

import qcengine
from qcengine.programs.model import ProgramHarness

from active_learning.programs import register
from active_learning.programs.results import atomic_result, whole_of
from openff_bytepol.qm import Level
from openff_bytepol.qm.single_point import single_point
from openff_bytepol.units import BOHR_IN_ANGSTROM, HARTREE_IN_KCAL

LEVEL = Level("gfn1-xtb", "gradient", "tblite", "gfn1-xtb", auxiliary_basis=None)


class MyHarness(ProgramHarness):
    """GFN1-xTB under the name ``gfn1``."""

    _defaults: ClassVar[dict[str, Any]] = {
        "name": "gfn1",
        "scratch": False,
        "thread_safe": True,
        "thread_parallel": False,
        "node_parallel": False,
        "managed_memory": False,
    }

    def found(self, raise_error: bool = False) -> bool:  # noqa: ARG002  (QCEngine passes it)
        return True

    def get_version(self) -> str:
        return version("tblite")

    def compute(self, input_data: Any, config: Any) -> Any:
        result = single_point(whole_of(input_data.molecule), LEVEL)
        energy = result.energy / HARTREE_IN_KCAL
        gradient = result.gradient / HARTREE_IN_KCAL * BOHR_IN_ANGSTROM
        dipole = result.dipole / BOHR_IN_ANGSTROM
        return atomic_result(
            input_data,
            gradient,
            {
                "return_energy": energy,
                "scf_dipole_moment": dipole.tolist(),
            },
            creator=self.name,
            version=self.get_version(),
            cores=config.ncores,
        )


def main() -> None:
    """Register, then run the script that follows on the command line."""
    register()
    qcengine.register_program(MyHarness())
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
