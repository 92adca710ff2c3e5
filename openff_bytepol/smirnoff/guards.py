"""What a bytepol force field refuses when an Interchange is made from it."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Final

import numpy as np

from openff_bytepol.exceptions import (
    CutoffError,
    ForceFieldError,
    OutOfDomainError,
    OutOfDomainWarning,
    UserChargesError,
)

if TYPE_CHECKING:
    from openff.toolkit import ForceField, Quantity, Topology

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
    "BytePolPolarizableTorsions": ("ProperTorsions",),
    "BytePolNonbonded": ("vdW", *_CHARGE_SECTIONS, "VirtualSites", "GBSA"),
}
"""Section of ours → sections that it excludes."""

_POLARIZABLE: Final = {
    "BytePolNonbonded",
    "BytePolPolarizableTorsions",
    "BytePolvdW",
    "BytePolElectrostatics",
    "BytePolProperTorsions",
}
"""Sections that belong together."""


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
    missing = _POLARIZABLE - set(sections)
    if missing and {"BytePolNonbonded", "BytePolPolarizableTorsions"} & set(sections):
        raise ForceFieldError(
            f"a polarizable force field also needs the sections {', '.join(sorted(missing))}"
        )


def check_domain(force_field: ForceField, topology: Topology) -> None:
    """Warn about, or refuse, molecules far from what the model was trained on.

    Raises
    ------
    OutOfDomainError
        If a section of the force field says ``out_of_domain="error"`` and a molecule is.
    """
    from openff_bytepol.smirnoff.handlers import BytePolHandler
    from openff_bytepol.smirnoff.prediction import predict_topology

    sections = [
        handler
        for handler in force_field._parameter_handlers.values()
        if isinstance(handler, BytePolHandler)
    ]
    policies = {section.out_of_domain for section in sections}
    if policies == {"ignore"}:
        return
    placed = [
        molecule
        for model, sha256 in dict.fromkeys((s.model, s.sha256) for s in sections)
        for molecule, _ in predict_topology(model, sha256, topology)
    ]
    for molecule in dict.fromkeys(placed):
        verdict = molecule.verdict
        if verdict is None or verdict.domain != "out":
            continue
        text = (
            f"molecule {molecule.molecule.to_smiles(explicit_hydrogens=False)} is far from what "
            f"the model was trained on ({'; '.join(verdict.reasons)}): its parameters "
            "may be wrong"
        )
        if "error" in policies:
            raise OutOfDomainError(
                f'{text}; train on such molecules, or write out_of_domain="warn" in every '
                "section of the force field"
            )
        warnings.warn(text, OutOfDomainWarning, stacklevel=4)


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


def with_predicted_constraints(force_field: ForceField) -> ForceField:
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
