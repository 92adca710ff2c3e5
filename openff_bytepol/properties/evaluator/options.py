"""Options of an estimation request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from openff.evaluator.attributes import UNDEFINED
from openff.evaluator.client import RequestOptions
from openff.evaluator.datasets import PhysicalProperty

from openff_bytepol.exceptions import PropertyError
from openff_bytepol.properties.evaluator.layer import LAYER
from openff_bytepol.properties.evaluator.schemas import (
    REWEIGHTED_PROPERTIES,
    RunLengths,
    reweighting_schema,
    simulation_schema,
)

_REWEIGHTING: Final = "ReweightingLayer"


def estimation_options(
    properties: Iterable[PhysicalProperty],
    *,
    n_molecules: int = 500,
    lengths: RunLengths | None = None,
    absolute_tolerances: dict[type[PhysicalProperty], Any] | None = None,
    relative_tolerance: float = UNDEFINED,
    reuse: bool = False,
) -> RequestOptions:
    """Options with a schema for every kind of property in a data set.

    Parameters
    ----------
    properties
        Such as a ``PhysicalPropertyDataSet``.
    n_molecules
        In the liquids.
    lengths
        Of the simulations.
    absolute_tolerances
        Kind of property → target uncertainty, a quantity. Simulations of other kinds run for one
        iteration.
    relative_tolerance
        For kinds without an absolute one: fraction of the measurement's uncertainty.
    reuse
        Try to reweight simulations that are stored already, of other models too, and simulate
        only what cannot be had so.

    Returns
    -------
    RequestOptions
        For ``EvaluatorClient.request_estimate``.

    Raises
    ------
    PropertyError
        If there is no schema for a kind of property, or a property has no uncertainty.
    """
    options = RequestOptions()
    options.calculation_layers = [_REWEIGHTING, LAYER] if reuse else [LAYER]
    absolute = absolute_tolerances or {}
    entries = list(properties)
    for entry in entries:
        if entry.uncertainty == UNDEFINED:
            raise PropertyError(
                f"{type(entry).__name__} of {entry.substance} has no uncertainty, which Evaluator "
                "needs; set one, zero if it is unknown"
            )
    for kind in sorted({type(entry) for entry in entries}, key=lambda kind: kind.__name__):
        target = absolute.get(kind, UNDEFINED)
        schema = simulation_schema(
            kind,
            n_molecules=n_molecules,
            lengths=lengths,
            absolute_tolerance=target,
            relative_tolerance=relative_tolerance if target == UNDEFINED else UNDEFINED,
        )
        options.add_schema(LAYER, kind, schema)
        if reuse and kind in REWEIGHTED_PROPERTIES:
            options.add_schema(_REWEIGHTING, kind, reweighting_schema(kind))
    return options
