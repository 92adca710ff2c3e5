"""The parameter files of ByteFF-Pol: NAME.json beside NAME.itp.

The JSON holds nonbonded parameters per atom in nm and kJ/mol, the ITP (GROMACS) the
bonded terms. ``NAME.atp`` holds the atom types that GROMACS asks for, without parameters,
and ``NAME_nb_params.json`` the constants of the functional form. Layout:
https://github.com/ByteDance-Seed/byteff2.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import torch

from openff_bytepol.exceptions import DataError, ExportError, ParameterError
from openff_bytepol.interop.byteff_pol_itp import atom_type_lines, itp_lines, read_itp
from openff_bytepol.interop.outputs import write_files
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.settings import PUBLISHED_SETTINGS, NonbondedSettings
from openff_bytepol.units import (
    OPENMM_C6,
    OPENMM_CT_EPSILON,
    OPENMM_ENERGY,
    OPENMM_LENGTH,
    OPENMM_POLARIZABILITY,
    OPENMM_S12,
)

_ATOMS: Final = {
    "charge": ("charges", 1.0),
    "alpha": ("polarizabilities", OPENMM_POLARIZABILITY),
    "pol_damping": ("dampings", OPENMM_POLARIZABILITY),
    "lamb": ("lambdas", 1.0),
    "eps": ("epsilons", OPENMM_ENERGY),
    "Rvdw": ("radii", OPENMM_LENGTH),
    "C6": ("c6", OPENMM_C6),
    "ct_eps": ("ct_epsilons", OPENMM_CT_EPSILON),
    "ct_lamb": ("ct_lambdas", 1.0),
}
"""Key of the JSON → parameter and the factor from our unit to theirs."""

_CONSTANTS: Final = {
    "s12": ("repulsion_s12", OPENMM_S12),
    "disp_damping": ("dispersion_damping", 1.0),
    "disp_c8": ("dispersion_c8", 1.0),
    "thole": ("thole", 1.0),
}
"""Key of the constants → setting and the factor from our unit to theirs; theirs have no C8."""
_SCALES: Final = ("charge_14", "vdw_14", "induction_14")


def read_byteff_pol_files(
    itp: Path | str, *, settings: NonbondedSettings | None = None
) -> ParameterSet:
    """Parameters of one molecule from ``NAME.itp`` and ``NAME.json`` beside it.

    Parameters
    ----------
    itp
        Path of the ITP file.
    settings
        Constants of the functional form. By default those of ``NAME_nb_params.json`` if it
        is there, otherwise of the published checkpoints.

    Returns
    -------
    ParameterSet
        float64. Impropers as the ITP lists them: three rows per centre.

    Raises
    ------
    DataError
        If a file is missing or does not have this layout.
    """
    itp = Path(itp)
    molecule = read_itp(itp)
    atoms = _read_json(itp.with_suffix(".json"))
    if settings is None:
        settings = _read_settings(_constants_path(itp))
    n_atoms = len(molecule.atomic_numbers)
    for key in _ATOMS:
        if len(atoms.get(key, ())) != n_atoms:
            raise DataError(
                f"{itp.with_suffix('.json')} has {len(atoms.get(key, ()))} values of {key!r}; "
                f"{itp} has {n_atoms} atoms"
            )
    return ParameterSet(
        atomic_numbers=molecule.atomic_numbers,
        molecule_index=torch.zeros(n_atoms, dtype=torch.int64),
        **{
            field: torch.tensor(atoms[key], dtype=torch.float64) / factor
            for key, (field, factor) in _ATOMS.items()
        },
        **molecule.terms,
        settings=settings,
    )


def write_byteff_pol_files(
    parameters: ParameterSet,
    directory: Path | str,
    name: str,
    *,
    other_scaling: bool = False,
    overwrite: bool = False,
) -> list[Path]:
    """Write the parameters of one molecule in the layout of ByteFF-Pol.

    Parameters
    ----------
    parameters
        Of one molecule, without ensemble axis.
    directory
        Folder of the files.
    name
        Name of the molecule and of the files.
    other_scaling
        Write parameters whose 1-4 scale factors differ from those built into the code
        that reads these files (0.5 each), or whose dispersion has a C8 term, which that code
        does not know; its energies will not be those of the model. `read_byteff_pol_files`
        restores both.
    overwrite
        Replace files that exist.

    Returns
    -------
    list of Path
        ``NAME.json``, ``NAME.itp``, ``NAME.atp`` and ``NAME_nb_params.json``; all or none.

    Raises
    ------
    ExportError
        If the scale factors differ or there is a C8 term, and ``other_scaling`` is false.
    OutputExistsError
        If a file exists and ``overwrite`` is false.
    ParameterError
        If this is not one molecule, or there is an ensemble axis.
    """
    if parameters.n_members is not None or parameters.n_molecules != 1:
        raise ParameterError("these files hold one molecule without ensemble axis")
    settings = parameters.settings
    if not other_scaling:
        _check_energies(settings, name)
    parameters = parameters.detach().to("cpu", torch.float64)
    itp = Path(directory) / f"{name}.itp"
    values = {
        key: (getattr(parameters, field) * factor).tolist()
        for key, (field, factor) in _ATOMS.items()
    }
    dump = settings.model_dump()
    constants = {
        key: dump[field] * factor for key, (field, factor) in _CONSTANTS.items() if field in dump
    }
    metadata = {"exp6": True, **constants, **{scale: dump[scale] for scale in _SCALES}}
    contents = {
        itp.with_suffix(".json"): json.dumps(values, indent=2),
        itp: "\n".join([*itp_lines(parameters, name), ""]),
        itp.with_suffix(".atp"): "\n".join([*atom_type_lines(parameters), ""]),
        _constants_path(itp): json.dumps({"metadata": metadata}, indent=2),
    }
    return write_files(contents, overwrite=overwrite)


def _check_energies(settings: NonbondedSettings, name: str) -> None:
    """Refuse settings that the code that reads these files does not have."""
    reasons = []
    if any(getattr(settings, scale) != getattr(PUBLISHED_SETTINGS, scale) for scale in _SCALES):
        reasons.append("scales all 1-4 interactions by 0.5")
    if settings.dispersion_c8:
        reasons.append("has no C8 in its dispersion energy")
    if reasons:
        raise ExportError(
            f"{name}: the code that reads these files {' and '.join(reasons)}, unlike this model; "
            "pass other_scaling=True to write the files nevertheless"
        )


def _constants_path(itp: Path) -> Path:
    return itp.with_name(f"{itp.stem}_nb_params.json")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise DataError(f"{path} is not a JSON object")
    return values


def _read_settings(path: Path) -> NonbondedSettings:
    if not path.is_file():
        return PUBLISHED_SETTINGS
    metadata = _read_json(path).get("metadata", {})
    values = {
        field: float(f"{metadata[key] / factor:.12g}")  # undoes the rounding of the unit
        for key, (field, factor) in _CONSTANTS.items()
        if key in metadata
    }
    values |= {scale: metadata[scale] for scale in _SCALES if scale in metadata}
    return NonbondedSettings(**(PUBLISHED_SETTINGS.model_dump() | values))
