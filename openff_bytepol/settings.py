"""Constants that belong to a model or to a simulation, not to a molecule."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

Scale = Annotated[float, Field(ge=0.0, le=1.0)]

Solver: TypeAlias = Literal["conserving", "fast"]

DIPOLE_TOLERANCES: Final[dict[Solver, float]] = {"conserving": 1e-5, "fast": 1e-3}
"""Errors of induced dipoles, debye (root mean square): one that keeps the energy of a simulation
without thermostat, and one for simulations with a thermostat."""


class NonbondedSettings(BaseModel):
    """Scale factors and fixed constants of the nonbonded energy.

    Pairs separated by one or two bonds never interact; pairs separated by four or
    more bonds interact fully, except that charge transfer acts only beyond 1-5.
    The defaults are those of our own models: AMBER and GROMACS can represent them
    exactly and stock OpenMM needs one ``AmoebaMultipoleForce``.

    Source of the form: ByteFF-Pol, arXiv:2508.08575.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    charge_14: Scale = 1.0 / 1.2
    """Factor on charge-charge energies of 1-4 pairs."""
    vdw_14: Scale = 0.5
    """Factor on repulsion and dispersion of 1-4 pairs."""
    induction_14: Scale = 0.0
    """Factor on the field that a charge makes at an atom three bonds away."""
    repulsion_s12: Annotated[float, Field(ge=0.0)] = 1.5
    """Length of the hard core (s12/r)^12, in Å·(kcal/mol)^(1/12)."""
    dispersion_damping: Annotated[float, Field(ge=0.0)] = 3.4
    """k in -C6/(k·R^6 + r^6), dimensionless."""
    dispersion_c8: Annotated[float, Field(ge=0.0)] = 0.0
    """s in -C8/(k^(4/3)·R^8 + r^8) with C8 = s·C6·R^2, dimensionless. ByteFF-Pol has no C8; C6 that
    are right for molecules in contact are then a third too strong for those further away."""
    thole: Annotated[float, Field(gt=0.0)] = 0.39
    """Thole damping a in 1 - exp(-a·r^3/sqrt(d_i·d_j)), dimensionless."""

    @model_serializer(mode="wrap")
    def _without_what_came_later(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Models without C8 keep the hash that they had before there was one."""
        fields: dict[str, Any] = dump(self)
        if not self.dispersion_c8:
            fields.pop("dispersion_c8", None)
        return fields


PUBLISHED_SETTINGS = NonbondedSettings(
    charge_14=0.5, vdw_14=0.5, induction_14=0.5, dispersion_damping=120.0
)
"""Settings of the published ByteFF-Pol checkpoints."""
