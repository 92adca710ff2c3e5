"""Files of measured properties as data sets of Evaluator."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from openff.evaluator.datasets import (
    MeasurementSource,
    PhysicalProperty,
    PhysicalPropertyDataSet,
    PropertyPhase,
)
from openff.evaluator.properties import (
    Density,
    DielectricConstant,
    EnthalpyOfMixing,
    EnthalpyOfVaporization,
    ExcessMolarVolume,
)
from openff.evaluator.substances import Component, ExactAmount, MoleFraction
from openff.evaluator.substances import Substance as EvaluatorSubstance
from openff.evaluator.thermodynamics import ThermodynamicState
from openff.units import Quantity

from openff_bytepol.exceptions import PropertyError
from openff_bytepol.properties.dataset import Measurement, read_measurements
from openff_bytepol.properties.evaluator.transport_properties import (
    IonicConductivity,
    SelfDiffusion,
    ShearViscosity,
)

if TYPE_CHECKING:
    from openff_bytepol.properties.substance import Substance

KINDS: Final[dict[str, type[PhysicalProperty]]] = {
    "density": Density,
    "dielectric_constant": DielectricConstant,
    "enthalpy_of_mixing": EnthalpyOfMixing,
    "enthalpy_of_vaporization": EnthalpyOfVaporization,
    "excess_molar_volume": ExcessMolarVolume,
    "self_diffusion": SelfDiffusion,
    "viscosity": ShearViscosity,
    "conductivity": IonicConductivity,
}
"""Name in files → class of Evaluator."""


def data_set(
    source: str | Path | Iterable[Measurement], *, n_molecules: int = 500
) -> PhysicalPropertyDataSet:
    """Measured properties for ``EvaluatorClient.request_estimate``.

    Unknown uncertainties become zero, since Evaluator needs a number.

    Parameters
    ----------
    source
        CSV file as for `openff_bytepol.properties.dataset.read_measurements`, the one that
        ``bytepol estimate`` takes, or its measurements.
    n_molecules
        In boxes with salts, whose ions are given by number so that the box is neutral.

    Returns
    -------
    PhysicalPropertyDataSet
        Every property with a value; ``id`` numbers lines from ``1``.

    Raises
    ------
    DataError
        If the file makes no sense.
    PropertyError
        If a property is not one of `KINDS`, or has no value.
    """
    rows = read_measurements(source) if isinstance(source, (str, Path)) else list(source)
    found = PhysicalPropertyDataSet()
    for number, row in enumerate(rows, 1):
        entry = _property(row, n_molecules)
        entry.id = str(number)
        found.add_properties(entry)
    return found


def _property(row: Measurement, n_molecules: int) -> PhysicalProperty:
    if row.property not in KINDS:
        raise PropertyError(
            f"Evaluator has no {row.property} (of {row.name}); it has {', '.join(KINDS)}. Use "
            "`bytepol estimate` for it"
        )
    kind = KINDS[row.property]
    unit = kind.default_unit()
    value, uncertainty = row.in_unit(f"{unit}")
    if math.isnan(value):
        raise PropertyError(
            f"{row.property} of {row.name} has no value; Evaluator needs one to compare with"
        )
    return kind(
        thermodynamic_state=ThermodynamicState(
            Quantity(row.state.temperature, "kelvin"), Quantity(row.state.pressure, "atmosphere")
        ),
        phase=PropertyPhase.Liquid,
        substance=_substance(row.substance, n_molecules),
        value=value * unit,
        uncertainty=(0.0 if math.isnan(uncertainty) else uncertainty) * unit,
        source=MeasurementSource(reference=row.source),
    )


def _substance(substance: Substance, n_molecules: int) -> EvaluatorSubstance:
    made = EvaluatorSubstance()
    components = substance.components
    if any(part.molal or "." in part.smiles for part in components):
        molecules, counts = substance.molecules(n_molecules)
        for molecule, count in zip(molecules, counts, strict=True):
            made.add_component(Component(molecule.to_smiles()), ExactAmount(count))
        return made
    total = sum(part.amount for part in components)
    for part in components:
        made.add_component(Component(part.smiles), MoleFraction(part.amount / total))
    return made
