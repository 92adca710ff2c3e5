"""Transport properties, which Evaluator does not have by itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final

from openff.evaluator.attributes import UNDEFINED
from openff.evaluator.datasets import PhysicalProperty, PropertyPhase
from openff.evaluator.datasets.thermoml import thermoml_property
from openff.evaluator.layers.simulation import SimulationSchema
from openff.units import Unit

if TYPE_CHECKING:
    from openff.evaluator.workflow.schemas import WorkflowSchema

    from openff_bytepol.properties.evaluator.schemas import RunLengths


class TransportProperty(PhysicalProperty, ABC):
    """A property of a liquid at constant volume, from its dynamics."""

    analysis: ClassVar[str]
    """Name of the protocol that finds the value."""

    @classmethod
    @abstractmethod
    def default_unit(cls) -> Unit:
        """Unit of values in data sets."""

    @classmethod
    def workflow_schema(
        cls, n_molecules: int, lengths: RunLengths, *, converge: bool = False
    ) -> WorkflowSchema:
        """Workflow: pack, minimise, equilibrate, simulate at constant volume, analyse.

        Parameters
        ----------
        n_molecules
            In the liquid.
        lengths
            Of the simulations.
        converge
            Simulate on until the target uncertainty is met.
        """
        from openff_bytepol.properties.evaluator.transport_workflow import transport_workflow

        return transport_workflow(cls.analysis, n_molecules, lengths, converge=converge)

    @classmethod
    def default_simulation_schema(
        cls,
        absolute_tolerance: Any = UNDEFINED,
        relative_tolerance: float = UNDEFINED,
        n_molecules: int = 500,
    ) -> SimulationSchema:
        """Schema as for the properties of Evaluator; see `schemas.simulation_schema`."""
        from openff_bytepol.properties.evaluator.schemas import simulation_schema

        return simulation_schema(
            cls,
            n_molecules=n_molecules,
            absolute_tolerance=absolute_tolerance,
            relative_tolerance=relative_tolerance,
        )


class SelfDiffusion(TransportProperty):
    """Self-diffusion coefficient of one component, corrected for the size of the box."""

    analysis = "AnalyseSelfDiffusion"

    def __init__(self, *args: Any, component: str = "", **kwargs: Any) -> None:
        """Make a property.

        Parameters
        ----------
        component
            SMILES of the component that diffuses; may be left out in a pure liquid.
        args, kwargs
            As for ``PhysicalProperty``.
        """
        super().__init__(*args, **kwargs)
        self.metadata = {"component": component}

    @classmethod
    def default_unit(cls) -> Unit:
        return Unit("meter ** 2 / second")


@thermoml_property("Viscosity, Pa*s", supported_phases=PropertyPhase.Liquid)
class ShearViscosity(TransportProperty):
    """Shear viscosity, from the autocorrelation of the pressure tensor (Green–Kubo)."""

    analysis = "AnalyseViscosity"

    @classmethod
    def default_unit(cls) -> Unit:
        return Unit("pascal * second")


@thermoml_property("Electrical conductivity, S/m", supported_phases=PropertyPhase.Liquid)
class IonicConductivity(TransportProperty):
    """Ionic conductivity with the correlations between ions (Einstein–Helfand)."""

    analysis = "AnalyseConductivity"

    @classmethod
    def default_unit(cls) -> Unit:
        return Unit("siemens / meter")


TRANSPORT_PROPERTIES: Final = (SelfDiffusion, ShearViscosity, IonicConductivity)
