"""SMIRNOFF sections of a bytepol force field.

A section names the model, its hash and the settings of one part of the energy. It holds
no SMIRKS: parameters come from the model when an Interchange is made. Every section
repeats the model, since SMIRNOFF sections are independent of each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from openff.toolkit import unit
from openff.toolkit.typing.engines.smirnoff.parameters import (
    ConstraintHandler,
    ParameterAttribute,
    ParameterHandler,
)
from openff.toolkit.utils.exceptions import IncompatibleParameterError, SMIRNOFFSpecError

if TYPE_CHECKING:
    from openff.toolkit import Topology

DEFAULT_CUTOFF: Final = 9.0 * unit.angstrom
DEFAULT_SWITCH_WIDTH: Final = 1.0 * unit.angstrom


def _text(value: Any) -> str:
    """Converter of attributes that are names.

    The toolkit has by then turned whatever reads like a number or a unit into one, "m/s"
    for instance, and what was written is lost.
    """
    if not isinstance(value, str):
        raise SMIRNOFFSpecError(
            f"{value!r} was read as a quantity where a name, path or hash is expected; "
            "write a path with a leading './' or in full"
        )
    return value


def _one_of(*allowed: str) -> Callable[[Any], str]:
    def converter(value: Any) -> str:
        if value not in allowed:
            raise SMIRNOFFSpecError(f"{value!r} is not one of {', '.join(allowed)}")
        return str(value)

    return converter


def _length(default: Any) -> ParameterAttribute:
    return ParameterAttribute(default=default, unit=unit.angstrom)


def _number() -> ParameterAttribute:
    """A setting of the model; whoever writes it must write the model's own value."""
    return ParameterAttribute(default=None, converter=float)


class BytePolHandler(ParameterHandler):
    """Base class of all sections: which model, and the hash of its weights."""

    _INFOTYPE = None

    model = ParameterAttribute(converter=_text)
    """Name of a shipped model, or path of a model directory."""
    sha256 = ParameterAttribute(converter=_text)
    """SHA-256 of the weights; a model with another hash is refused."""
    out_of_domain = ParameterAttribute(default="warn", converter=_one_of("warn", "error", "ignore"))
    """What to do about molecules far from the training data, where the model has a calibration;
    the strictest of a force field's sections counts."""

    def __init__(self, **kwargs: Any) -> None:
        from openff_bytepol.smirnoff.hooks import extend_interchange

        super().__init__(**kwargs)
        extend_interchange()

    def __setstate__(self, state: dict[str, Any]) -> None:
        from openff_bytepol.smirnoff.hooks import extend_interchange

        self.__dict__.update(state)
        extend_interchange()

    def check_handler_compatibility(self, other: ParameterHandler) -> None:
        """Two sections with one tag must agree in every attribute.

        Raises
        ------
        IncompatibleParameterError
            If they differ.
        """
        for name in self._get_parameter_attributes():
            ours, theirs = getattr(self, name), getattr(other, name)
            if ours != theirs:
                raise IncompatibleParameterError(
                    f"two <{self.TAGNAME}> sections have different {name}: {ours} and {theirs}"
                )

    def find_matches(self, entity: Topology, unique: bool = False) -> Any:  # noqa: ARG002
        """Predicted parameters of a topology, as ``ForceField.label_molecules`` shows them."""
        from openff_bytepol.smirnoff.labels import LABELLERS

        return LABELLERS[self.TAGNAME](self, entity)


class BytePolBondHandler(BytePolHandler):
    """``<BytePolBonds>``: k/2·(r - length)²."""

    _TAGNAME = "BytePolBonds"


class BytePolAngleHandler(BytePolHandler):
    """``<BytePolAngles>``: k/2·(theta - angle)²."""

    _TAGNAME = "BytePolAngles"


class BytePolProperTorsionHandler(BytePolHandler):
    """``<BytePolProperTorsions>``: sum over n = 1…4 of k·[1 + cos(n·phi - phase)].

    The barriers are refitted for the fixed-charge projection.
    """

    _TAGNAME = "BytePolProperTorsions"


class BytePolImproperTorsionHandler(BytePolHandler):
    """``<BytePolImproperTorsions>``: k·[1 + cos(2·phi - pi)], central atom first."""

    _TAGNAME = "BytePolImproperTorsions"


class BytePolvdWHandler(BytePolHandler):
    """``<BytePolvdW>``: Lennard-Jones 12-6 of the fixed-charge projection."""

    _TAGNAME = "BytePolvdW"

    scale14 = _number()
    cutoff = _length(DEFAULT_CUTOFF)
    switch_width = _length(DEFAULT_SWITCH_WIDTH)
    periodic_method = ParameterAttribute(default="cutoff", converter=_one_of("cutoff"))
    nonperiodic_method = ParameterAttribute(default="no-cutoff", converter=_one_of("no-cutoff"))


class BytePolElectrostaticsHandler(BytePolHandler):
    """``<BytePolElectrostatics>``: point charges of the fixed-charge projection."""

    _TAGNAME = "BytePolElectrostatics"

    scale14 = _number()
    cutoff = _length(DEFAULT_CUTOFF)
    periodic_potential = ParameterAttribute(
        default="Ewald3D-ConductingBoundary", converter=_one_of("Ewald3D-ConductingBoundary")
    )
    nonperiodic_potential = ParameterAttribute(default="Coulomb", converter=_one_of("Coulomb"))


class BytePolNonbondedHandler(BytePolHandler):
    """``<BytePolNonbonded>``: the polarizable nonbonded energy.

    In OpenMM it takes the place of the fixed-charge projection.
    """

    _TAGNAME = "BytePolNonbonded"

    cutoff = _length(DEFAULT_CUTOFF)
    switch_width = _length(DEFAULT_SWITCH_WIDTH)
    periodic_method = ParameterAttribute(default="PME", converter=_one_of("PME"))
    nonperiodic_method = ParameterAttribute(default="no-cutoff", converter=_one_of("no-cutoff"))
    polarization = ParameterAttribute(default="mutual", converter=_one_of("mutual"))
    charge_scale14 = _number()
    vdw_scale14 = _number()
    induction_scale14 = _number()
    repulsion_s12 = _number()
    dispersion_damping = _number()
    dispersion_c8 = _number()
    thole = _number()


class BytePolPolarizableTorsionHandler(BytePolHandler):
    """``<BytePolPolarizableTorsions>``: torsions with the barriers of the polarizable model.

    In OpenMM they take the place of the refitted ones.
    """

    _TAGNAME = "BytePolPolarizableTorsions"


class BytePolConstraintHandler(BytePolHandler, ConstraintHandler):
    """``<BytePolConstraints>``: constraints by SMIRKS, with predicted bond lengths.

    A standard ``<Constraints>`` section means the same; it is read as one of these.
    """

    _TAGNAME = "BytePolConstraints"
    _INFOTYPE = ConstraintHandler.ConstraintType

    def find_matches(self, entity: Topology, unique: bool = False) -> Any:
        return ConstraintHandler.find_matches(self, entity, unique=unique)


HANDLERS: Final = (
    BytePolBondHandler,
    BytePolAngleHandler,
    BytePolProperTorsionHandler,
    BytePolImproperTorsionHandler,
    BytePolvdWHandler,
    BytePolElectrostaticsHandler,
    BytePolConstraintHandler,
    BytePolNonbondedHandler,
    BytePolPolarizableTorsionHandler,
)
"""All our handlers; those of an OFFXML file are chosen by its sections."""
