"""OFFXML files for any model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from openff_bytepol.constraints import WATER_HH, WATER_OH
from openff_bytepol.exceptions import ModelError, OutputExistsError

if TYPE_CHECKING:
    from openff_bytepol.nn.model import Model

_CUTOFF = "9.0 * angstrom"
_SWITCH_WIDTH = "1.0 * angstrom"

CONSTRAINTS = (
    {"smirks": "[#1:1]-[*:2]", "id": "hydrogen-bonds"},
    {"smirks": "[#1:1]-[#8X2H2+0:2]", "id": "water-OH", "distance": f"{WATER_OH} * angstrom"},
    {"smirks": "[#1:1]-[#8X2H2+0]-[#1:2]", "id": "water-HH", "distance": f"{WATER_HH} * angstrom"},
)
"""As `openff_bytepol.constraints` says: bonds to hydrogen have predicted lengths."""


def write_offxml(
    model: str | Path | Model,
    path: str | Path,
    *,
    fixed: bool = False,
    constraints: bool = True,
    overwrite: bool = False,
) -> Path:
    """Write a SMIRNOFF force field that uses a model.

    Parameters
    ----------
    model
        Name of a model, or directory of any. An alias is written as the model that it
        stands for, a directory as an absolute path. The hash of its weights is written beside
        it, and checked whenever the force field is used.
    path
        File to write, usually ending in ``.offxml``.
    fixed
        Write the fixed-charge projection instead of the polarizable force field.
    constraints
        Constrain bonds to hydrogen and make water rigid, as OpenFF's force fields do. Charges do
        not follow the geometry of a molecule: left free, strong hydrogen bonds stretch their
        bonds and narrow the angle of water by several degrees, which binds liquids too strongly.
    overwrite
        Replace the file if it exists.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ModelError
        If the model cannot be loaded, or is not on disk.
    OutputExistsError
        If the file exists and ``overwrite`` is false.

    Examples
    --------
    >>> write_offxml("OUT", "OUT/forcefield.offxml")
    >>> force_field = ForceField("OUT/forcefield.offxml")
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise OutputExistsError(f"{target} exists; pass overwrite=True to replace it")
    text = offxml_text(model, fixed=fixed, constraints=constraints)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    return target


def offxml_text(model: str | Path | Model, *, fixed: bool = False, constraints: bool = True) -> str:
    """Contents of the file that `write_offxml` writes."""
    from openff_bytepol.models import load_model

    loaded = load_model(model)
    name = _reference(model)
    root = ET.Element("SMIRNOFF", version="0.3", aromaticity_model="OEAroModel_MDL")
    ET.SubElement(root, "Author").text = "openff-bytepol"
    for tag, attributes in _sections(loaded, fixed=fixed).items():
        values = {"version": "0.3", "model": name, "sha256": loaded.sha256, **attributes}
        ET.SubElement(root, tag, values)
    if constraints:
        section = ET.SubElement(root, "Constraints", version="0.3")
        for constraint in CONSTRAINTS:
            ET.SubElement(section, "Constraint", constraint)
    ET.indent(root, "    ")
    body = ET.tostring(root, encoding="unicode", short_empty_elements=False)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def is_constrained(model: str | Path | Model) -> bool:
    """Whether a model is simulated with constraints: unless its own force field has none.

    That is ``forcefield.offxml`` in its directory. Those of imported checkpoints leave bonds free,
    as their authors simulate.

    Parameters
    ----------
    model
        Name, directory, or the model itself.
    """
    from openff_bytepol.models import list_models

    if not isinstance(model, (str, Path)):
        return True
    file = list_models().get(str(model), Path(model)) / "forcefield.offxml"
    return not file.is_file() or ET.parse(file).find("Constraints") is not None


def _reference(model: str | Path | Any) -> str:
    from openff_bytepol.models import list_models

    if not isinstance(model, (str, Path)):
        raise ModelError(
            f"model '{model.name}' is in memory only, and a force field needs one on disk; save "
            "it with openff_bytepol.models.save_model and pass its directory"
        )
    known = list_models()
    return known[str(model)].name if str(model) in known else str(Path(model).resolve())


def _sections(model: Model, *, fixed: bool) -> dict[str, dict[str, str]]:
    from openff_bytepol.projection.fixed_charge import CHARGE_14, VDW_14

    settings = model.config.settings
    sections: dict[str, dict[str, str]] = {
        "BytePolBonds": {},
        "BytePolAngles": {},
        "BytePolProperTorsions": {},
        "BytePolImproperTorsions": {},
        "BytePolvdW": {
            "scale14": str(VDW_14),
            "cutoff": _CUTOFF,
            "switch_width": _SWITCH_WIDTH,
            "periodic_method": "cutoff",
            "nonperiodic_method": "no-cutoff",
        },
        "BytePolElectrostatics": {
            "scale14": str(CHARGE_14),
            "cutoff": _CUTOFF,
            "periodic_potential": "Ewald3D-ConductingBoundary",
            "nonperiodic_potential": "Coulomb",
        },
    }
    if not fixed:
        sections["BytePolNonbonded"] = {
            "cutoff": _CUTOFF,
            "switch_width": _SWITCH_WIDTH,
            "periodic_method": "PME",
            "nonperiodic_method": "no-cutoff",
            "polarization": "mutual",
            "charge_scale14": str(settings.charge_14),
            "vdw_scale14": str(settings.vdw_14),
            "induction_scale14": str(settings.induction_14),
            "repulsion_s12": str(settings.repulsion_s12),
            "dispersion_damping": str(settings.dispersion_damping),
            **({"dispersion_c8": str(settings.dispersion_c8)} if settings.dispersion_c8 else {}),
            "thole": str(settings.thole),
        }
        sections["BytePolPolarizableTorsions"] = {}
    return sections
