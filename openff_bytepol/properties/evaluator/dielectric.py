"""Static dielectric constant of polarizable liquids, from Evaluator's dipole moments."""

from __future__ import annotations

from typing import Any

from openff.evaluator.attributes import UNDEFINED
from openff.evaluator.forcefield.system import ParameterizedSystem
from openff.evaluator.protocols.analysis import AverageDielectricConstant
from openff.evaluator.utils.observables import Observable, ObservableArray
from openff.evaluator.workflow import workflow_protocol
from openff.evaluator.workflow.attributes import InputAttribute

from openff_bytepol.properties.dielectric import clausius_mossotti
from openff_bytepol.properties.evaluator.build import box_of


@workflow_protocol()
class BytePolDielectricConstant(AverageDielectricConstant):
    """Dipole fluctuations plus the electronic part, ε = ε_∞ + (⟨M²⟩ − ⟨M⟩²)/(3 ε₀ V kT).

    ε_∞ follows from molecular polarizabilities; see
    `openff_bytepol.properties.dielectric`. It is 1 for fixed charges.
    """

    parameterized_system = InputAttribute(
        docstring="The system, for the polarizabilities of its molecules.",
        type_hint=ParameterizedSystem,
        default_value=UNDEFINED,
    )

    def _bootstrap_function(self, **kwargs: ObservableArray) -> Observable:
        box = box_of(self.parameterized_system)
        total = sum(kind.count * kind.polarizability for kind in box.kinds)
        volume = float(kwargs["volumes"].value.m_as("angstrom ** 3").mean())
        fluctuations: Any = super()._bootstrap_function(**kwargs)
        electronic = clausius_mossotti(total, volume) - 1.0
        return Observable(value=fluctuations.value + electronic)
