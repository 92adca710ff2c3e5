"""What an Interchange must be for GROMACS and AMBER files to hold it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

import numpy as np

from openff_bytepol.exceptions import ExportError
from openff_bytepol.interop.fixed_charge import FixedChargeSystem, Floats
from openff_bytepol.interop.periodic_box import box_vectors, check_cutoff

if TYPE_CHECKING:
    from openff.interchange import Interchange
    from openff.interchange.components.potentials import Collection

_BONDED: Final = {"Bonds", "Angles", "ProperTorsions", "ImproperTorsions", "Constraints"}

_REQUIRED: Final[dict[str, dict[str, object]]] = {
    "Bonds": {"expression": "k/2*(r-length)**2"},
    "Angles": {"expression": "k/2*(theta-angle)**2"},
    "ProperTorsions": {"expression": "k*(1+cos(periodicity*theta-phase))"},
    "ImproperTorsions": {"expression": "k*(1+cos(periodicity*theta-phase))"},
    "vdW": {
        "expression": "4*epsilon*((sigma/r)**12-(sigma/r)**6)",
        "mixing_rule": "lorentz-berthelot",
        "periodic_method": "cutoff",
        "nonperiodic_method": "no-cutoff",
        "scale_12": 0.0,
        "scale_13": 0.0,
        "scale_15": 1.0,
    },
    "Electrostatics": {
        "periodic_potential": "Ewald3D-ConductingBoundary",
        "nonperiodic_potential": "Coulomb",
        "scale_12": 0.0,
        "scale_13": 0.0,
        "scale_15": 1.0,
    },
}
"""Collection → what its attributes must be for the file formats to hold it."""


def check_collections(interchange: Interchange) -> None:
    """Refuse collections, functional forms and methods that the files cannot hold.

    Raises
    ------
    ExportError
        Naming the collection or its attribute.
    """
    missing = {"vdW", "Electrostatics"} - set(interchange.collections)
    if missing:
        raise ExportError(
            f"the Interchange has no {' and no '.join(sorted(missing))} collection; a "
            "fixed-charge export needs Lennard-Jones parameters and charges, as "
            "bytepol-fixed.offxml gives them"
        )
    for name, collection in interchange.collections.items():
        if _is_companion(collection):
            warnings.warn(
                "the files hold the fixed-charge projection of the polarizable force field, as "
                "bytepol-fixed.offxml has it; only OpenMM runs the polarizable one",
                stacklevel=4,
            )
            continue
        if name not in _BONDED | {"vdW", "Electrostatics"}:
            if collection.key_map:
                raise ExportError(
                    f"the collection {name} ({type(collection).__name__}) has no counterpart in "
                    "GROMACS and AMBER files; make the Interchange with a force field without it"
                )
            continue
        if collection.is_plugin:
            raise ExportError(
                f"the collection {name} comes from the plugin {type(collection).__name__}, "
                "whose functional form GROMACS and AMBER files cannot hold"
            )
        irrelevant = "periodic" if interchange.box is None else "nonperiodic"
        for attribute, value in _REQUIRED.get(name, {}).items():
            if attribute.startswith(irrelevant):
                continue
            found = getattr(collection, attribute)
            if found != value:
                raise ExportError(
                    f"{name}.{attribute} is {found!r}, and GROMACS and AMBER files can only "
                    f"hold {value!r}; use OpenMM or change it"
                )


def without_companions(interchange: Interchange) -> Interchange:
    """The Interchange without the polarizable collection that it may carry."""
    kept = {k: c for k, c in interchange.collections.items() if not _is_companion(c)}
    return interchange.model_copy(update={"collections": kept})


def _is_companion(collection: Collection) -> bool:
    """Whether the Interchange holds a fixed-charge projection beside this collection."""
    return bool(getattr(collection, "has_fixed_charge_projection", False))


def checked_box(interchange: Interchange, cutoff: float) -> Floats | None:
    """Box vectors as rows, Å.

    Raises
    ------
    ForceFieldError
        If they are not in reduced form.
    CutoffError
        If the cutoff (Å) is longer than half the shortest edge.
    """
    if interchange.box is None:
        return None
    box = box_vectors(interchange.box.m_as("angstrom"))
    check_cutoff(box, cutoff)
    return box


def check_positions(system: FixedChargeSystem) -> None:
    """Refuse missing positions, and molecules in two pieces at opposite faces of the box.

    Raises
    ------
    ExportError
        Naming the molecule.
    """
    n_atoms = sum(system.types[index].n_atoms for index in system.molecules)
    if len(system.positions) != n_atoms or not np.isfinite(system.positions).all():
        raise ExportError(
            f"the positions are not {n_atoms} points of finite numbers; set interchange.positions"
        )
    if system.box is None:
        return
    for index, molecule in enumerate(system.types):
        atoms = system.offsets[system.molecules == index][:, None, None] + molecule.connections
        ends = system.positions[atoms]
        lengths = np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=-1)
        if (lengths > np.diag(system.box).min() / 2.0).any():
            raise ExportError(
                f"a molecule {molecule.name} is cut by the box, with bonds across it, and OpenMM "
                "and AMBER compute bonds without periodicity; make the molecules whole"
            )
