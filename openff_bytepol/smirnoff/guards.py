"""Checks around ``Interchange`` that its plugin interface has no place for.

Interchange builds the standard sections of a force field without asking plugins, and
hands plugins neither the force field nor ``charge_from_molecules``. Left alone, it would
drop charges given by the user, overwrite standard parameters with predicted ones, or lose
constraints, all silently. So ``Interchange.from_smirnoff`` is wrapped, once one of our
sections exists, to look at force fields that hold such sections and pass on all others
untouched. JSON files of Interchanges with plugin collections, which Interchange writes but
cannot read, become readable.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import gc
import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openff_bytepol.exceptions import CutoffError, ForceFieldError, UserChargesError
from openff_bytepol.smirnoff.registration import TAG_PREFIX

if TYPE_CHECKING:
    from openff.interchange import Interchange
    from openff.toolkit import ForceField, Quantity

_CHARGE_SECTIONS: Final = (
    "Electrostatics",
    "LibraryCharges",
    "NAGLCharges",
    "ChargeIncrementModel",
    "ToolkitAM1BCC",
)
_REPLACED: Final = {
    "BytePolBonds": ("Bonds",),
    "BytePolAngles": ("Angles",),
    "BytePolProperTorsions": ("ProperTorsions",),
    "BytePolImproperTorsions": ("ImproperTorsions",),
    "BytePolvdW": ("vdW", "VirtualSites"),
    "BytePolElectrostatics": (*_CHARGE_SECTIONS, "VirtualSites"),
    "BytePolNonbonded": ("vdW", *_CHARGE_SECTIONS, "VirtualSites", "GBSA"),
}
"""Section of ours → sections that it excludes."""


def guard_interchange() -> None:
    """Wrap ``Interchange.from_smirnoff`` and make plugin collections readable from JSON."""
    from openff.interchange import Interchange

    original = Interchange.from_smirnoff.__func__
    if hasattr(original, "guards_bytepol"):
        return
    signature = inspect.signature(original)

    @functools.wraps(original)
    def from_smirnoff(*args: Any, **kwargs: Any) -> Interchange:
        bound = signature.bind(*args, **kwargs)
        force_field = bound.arguments["force_field"]
        if not any(tag.startswith(TAG_PREFIX) for tag in force_field.registered_parameter_handlers):
            return original(*args, **kwargs)
        check_force_field(force_field, bound.arguments.get("charge_from_molecules"))
        bound.arguments["force_field"] = _with_predicted_constraints(force_field)
        with _paused_garbage_collection():
            interchange = original(*bound.args, **bound.kwargs)
        check_cutoff(interchange.box, interchange["vdW"].cutoff)
        return interchange

    from_smirnoff.guards_bytepol = True  # type: ignore[attr-defined]
    Interchange.from_smirnoff = classmethod(from_smirnoff)
    _read_plugin_collections()


def check_force_field(force_field: ForceField, charge_from_molecules: object) -> None:
    """Refuse what a bytepol force field would silently ignore or overwrite.

    Raises
    ------
    UserChargesError
        If the user gives charges.
    ForceFieldError
        If the force field has other sections for what the model predicts, or virtual sites.
    """
    if charge_from_molecules is not None:
        raise UserChargesError(
            "charge_from_molecules cannot be used with a bytepol force field: its charges, "
            "polarizabilities and dispersion come from one model; leave the argument out"
        )
    sections = force_field.registered_parameter_handlers
    for ours, others in _REPLACED.items():
        clashing = [tag for tag in others if ours in sections and tag in sections]
        if clashing:
            raise ForceFieldError(
                f"the force field has both <{ours}> and <{clashing[0]}>, which cannot act "
                "together; load bytepol force fields alone (metal ions and water included), and "
                "join systems of other force fields to bytepol-fixed.offxml with "
                "Interchange.combine"
            )
    missing = {"BytePolvdW", "BytePolElectrostatics", "BytePolProperTorsions"} - set(sections)
    if "BytePolNonbonded" in sections and missing:
        raise ForceFieldError(
            f"<BytePolNonbonded> needs the sections {', '.join(sorted(missing))} beside it"
        )


def check_cutoff(box: Quantity | None, cutoff: Quantity) -> None:
    """Refuse a cutoff longer than half the shortest width of the box.

    Parameters
    ----------
    box
        Box vectors as rows, or None without periodicity.
    cutoff
        A length.

    Raises
    ------
    CutoffError
        If it is too long.
    """
    if box is None:
        return
    widths = 1.0 / np.linalg.norm(np.linalg.inv(box.m_as("angstrom")), axis=0)
    distance = cutoff.m_as("angstrom")
    if distance > widths.min() / 2:
        raise CutoffError(
            f"the cutoff of {distance:g} Å is longer than half the shortest box width "
            f"({widths.min():.4g} Å); use a larger box, or a shorter cutoff in every section of "
            "the force field that has one"
        )


@contextlib.contextmanager
def _paused_garbage_collection() -> Iterator[None]:
    """Make many objects that all stay without searching them for garbage again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _with_predicted_constraints(force_field: ForceField) -> ForceField:
    """A view of the force field whose standard constraints use predicted bond lengths."""
    from openff_bytepol.smirnoff.handlers import BytePolConstraintHandler

    handlers = dict(force_field._parameter_handlers)
    if "Constraints" not in handlers or "BytePolBonds" not in handlers:
        return force_field
    if "BytePolConstraints" in handlers:
        raise ForceFieldError(
            "the force field has both <Constraints> and <BytePolConstraints>; put all constraints "
            "in one of them"
        )
    bonds = handlers["BytePolBonds"]
    constraints = BytePolConstraintHandler(version="0.3", model=bonds.model, sha256=bonds.sha256)
    constraints._parameters = handlers.pop("Constraints")._parameters
    handlers[constraints.TAGNAME] = constraints
    view = copy.copy(force_field)
    view._parameter_handlers = handlers
    return view


def _read_plugin_collections() -> None:
    """Let ``Interchange.model_validate_json`` read collections of plugins.

    Upstream knows the standard collections only, by name.
    """
    from openff.interchange import Interchange
    from openff.interchange.components.potentials import validate_collections
    from pydantic import WrapValidator

    def validate(value: Any, handler: Any, info: Any) -> dict[str, Any]:
        from openff.interchange.plugins import load_smirnoff_plugins

        plugins = {c.model_fields["type"].default: c for c in load_smirnoff_plugins()}
        return {
            name: plugins[name].model_validate(data)
            if name in plugins and plugins[name].model_fields["is_plugin"].default
            else validate_collections({name: data}, handler, info)[name]
            for name, data in value.items()
        }

    Interchange.model_fields["collections"].metadata = [WrapValidator(validate)]
    Interchange.model_rebuild(force=True)
