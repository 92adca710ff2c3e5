"""AIMNet2 as the QCEngine program ``auto3d-aimnet2``: a teacher on any QCArchive server."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from qcengine.exceptions import InputError

from active_learning.programs.monomers import MonomerHarness
from active_learning.programs.results import whole_of
from openff_bytepol.qm import SinglePoint

if TYPE_CHECKING:
    from qcelemental.models.v2 import AtomicInput

_PACKAGE: Final = "Auto3D"
METHOD: Final = "aimnet2"
PROGRAM: Final = "auto3d-aimnet2"
"""QCEngine's own ``aimnet2`` runs another package."""


class AIMNet2Harness(MonomerHarness):
    """ωB97M-D3/def2-TZVPP as learned by AIMNet2 (https://doi.org/10.1039/D4SC08572H).

    Weights come with PyPI's ``Auto3D``, whose version is recorded. Method ``aimnet2``, no
    basis set, no keywords. Dipoles are those of its charges.
    """

    _defaults: ClassVar[dict[str, Any]] = {
        "name": PROGRAM,
        "scratch": False,
        "thread_safe": False,
        "thread_parallel": True,
        "node_parallel": False,
        "managed_memory": False,
    }

    def found(self, raise_error: bool = False) -> bool:
        """Whether the weights and torch are installed."""
        present = all(find_spec(name) is not None for name in (_PACKAGE, "torch"))
        if raise_error and not present:
            raise ModuleNotFoundError(f"{PROGRAM}: pip install --no-deps Auto3D==2.3.1")
        return present

    def get_version(self) -> str:
        """Of the package that holds the weights."""
        from importlib.metadata import version

        self.found(raise_error=True)
        return version(_PACKAGE)

    def _run(self, data: AtomicInput) -> SinglePoint:
        from rdkit import Chem

        from active_learning.labelling.teacher import evaluate

        model, keywords = data.specification.model, data.specification.keywords
        if str(model.method).lower() != METHOD or model.basis or keywords:
            raise InputError(f"{PROGRAM}: the method is {METHOD}, without basis set and keywords")
        molecule = whole_of(data.molecule)
        table = Chem.GetPeriodicTable()
        numbers = np.array([table.GetAtomicNumber(s) for s in molecule.symbols], dtype=np.int64)
        surface = evaluate(METHOD, numbers, molecule.coordinates[None], molecule.charge)
        return SinglePoint(
            energy=float(surface.energies[0]),
            gradient=-surface.forces[0],
            dipole=surface.dipoles[0],
            program=PROGRAM,
            version=self.get_version(),
            method=METHOD,
            basis=None,
        )
