"""ALMO-EDA as the QCEngine program ``almo-eda``.

The record's molecule holds two fragments or more. The energy driver returns the interaction
energy; the terms are variables ``almo-eda <term> energy`` (hartree), such as ``almo-eda
charge transfer energy``. Keywords: ``counterpoise``, ``dispersion_free``, ``engine``
(``pyscf`` or ``gpu4pyscf``) and those of PySCF.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Final

from qcengine.exceptions import InputError
from qcengine.programs.model import ProgramHarness

from active_learning.programs.monomers import run_limited
from active_learning.programs.results import atomic_result, fragments_of, level_of
from openff_bytepol.qm.almo import decompose
from openff_bytepol.qm.gpu import decompose_on_gpu
from openff_bytepol.units import HARTREE_IN_KCAL

if TYPE_CHECKING:
    from qcelemental.models.v2 import AtomicInput, AtomicResult
    from qcengine.config import TaskConfig

TERMS: Final = (
    "electrostatics",
    "classical_electrostatics",
    "pauli",
    "dispersion",
    "polarization",
    "charge_transfer",
    "total",
    "superposition_error",
)
KEYWORDS: Final = frozenset({"counterpoise", "dispersion_free", "engine"})


def variable(term: str) -> str:
    """Name of a term in a record."""
    return f"almo-eda {term.replace('_', ' ')} energy"


class EnergyDecompositionHarness(ProgramHarness):  # type: ignore[misc]
    """Second-generation ALMO-EDA on PySCF or gpu4pyscf."""

    _defaults: ClassVar[dict[str, Any]] = {
        "name": "almo-eda",
        "scratch": False,
        "thread_safe": False,
        "thread_parallel": True,
        "node_parallel": False,
        "managed_memory": False,
    }

    def found(self, raise_error: bool = False) -> bool:
        """Whether PySCF is installed."""
        present = find_spec("pyscf") is not None
        if raise_error and not present:
            raise ModuleNotFoundError("almo-eda needs PySCF: pip install 'openff-bytepol[qc]'")
        return present

    def get_version(self) -> str:
        """Of this package, which holds the method."""
        from importlib.metadata import version

        return version("openff-bytepol")

    def compute(self, input_data: AtomicInput, config: TaskConfig) -> AtomicResult:
        """Run; see `monomers.run_limited` for errors."""
        driver = str(getattr(input_data.specification.driver, "value", ""))
        if driver != "energy":
            raise InputError(f"almo-eda: driver energy, not {driver}")
        result = run_limited(config, self._run, input_data)
        values = {variable(name): getattr(result, name) / HARTREE_IN_KCAL for name in TERMS}
        return atomic_result(
            input_data,
            result.total / HARTREE_IN_KCAL,
            {
                "return_energy": result.total / HARTREE_IN_KCAL,
                "calcinfo_nbasis": result.basis_functions,
            },
            creator=f"almo-eda ({result.program} {result.version})",
            version=self.get_version(),
            cores=config.ncores,
            variables=values,
        )

    @staticmethod
    def _run(data: AtomicInput) -> Any:
        level = level_of(data, "pyscf", "almo-eda", KEYWORDS)
        keywords = data.specification.keywords
        engine = keywords.get("engine", "pyscf")
        if engine not in {"pyscf", "gpu4pyscf"}:
            raise InputError(f"almo-eda: engine pyscf or gpu4pyscf, not {engine}")
        fragments = fragments_of(data.molecule)
        if engine == "gpu4pyscf":
            if keywords.get("counterpoise") or keywords.get("dispersion_free", "hf") != "hf":
                raise InputError(
                    "almo-eda: gpu4pyscf has neither counterpoise nor other functionals"
                )
            return decompose_on_gpu(fragments, level)
        return decompose(
            fragments,
            level,
            counterpoise=bool(keywords.get("counterpoise", False)),
            dispersion_free=str(keywords.get("dispersion_free", "hf")),
        )
