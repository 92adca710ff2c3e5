"""One Parquet schema per training target; units and meaning in the metadata of each field.

Dimers with an energy decomposition have theirs in
`openff_bytepol.training.targets.dimers`, molecules with everything labelled here in
`openff_bytepol.training.labels.schema`, parameters of single molecules in
`openff_bytepol.training.targets.anchors`.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from openff_bytepol.training.labels.schema import unit_field

VERSION: Final = "1"

_FLOATS: Final = pa.list_(pa.float64())


def _schema(kind: str, *fields: pa.Field) -> pa.Schema:
    common = [
        unit_field("subset", pa.string(), "", "set the entry comes from"),
        unit_field("name", pa.string(), "", "name within the set"),
        unit_field("level", pa.string(), "", "level of theory of the labels"),
    ]
    metadata = {"schema": f"openff-bytepol {kind}", "version": VERSION}
    return pa.schema([*common, *fields], metadata=metadata)


_MAPPED: Final = unit_field(
    "mapped_smiles", pa.string(), "", "SMILES whose map numbers give the atom order"
)
_GEOMETRY: Final = unit_field("coordinates", _FLOATS, "Å", "flattened (n_atoms, 3)")
_GEOMETRIES: Final = unit_field("coordinates", _FLOATS, "Å", "flattened (n, n_atoms, 3)")
_RELATIVE: Final = unit_field("energies", _FLOATS, "kcal/mol", "relative to the lowest, (n,)")

CLUSTERS: Final = _schema(
    "clusters",
    unit_field("smiles", pa.list_(pa.string()), "", "mapped SMILES of each molecule"),
    unit_field("coordinates", _FLOATS, "Å", "flattened, one molecule after another"),
    unit_field("total", pa.float64(), "kcal/mol", "interaction energy; NaN if unknown"),
    unit_field("three_body", pa.float64(), "kcal/mol", "its non-additive part; NaN if unknown"),
)
"""Three or more molecules."""

MONOMERS: Final = _schema(
    "monomers",
    _MAPPED,
    _GEOMETRIES,
    _RELATIVE,
    unit_field("forces", _FLOATS, "kcal/mol/Å", "flattened like coordinates; empty if unknown"),
)
"""Geometries of one molecule with energies and forces."""

TORSIONS: Final = _schema(
    "torsions",
    _MAPPED,
    unit_field("dihedral", pa.list_(pa.int32()), "", "the four atoms, from 0"),
    unit_field("angles", _FLOATS, "degree", "scanned angle, (n,)"),
    _GEOMETRIES,
    _RELATIVE,
)
"""A torsion scan of one molecule."""

RESPONSES: Final = _schema(
    "responses",
    _MAPPED,
    _GEOMETRY,
    unit_field("dipole", _FLOATS, "e·Å", "about the mean position, (3,); NaN where unknown"),
    unit_field(
        "polarizability", _FLOATS, "Å³", "static tensor, flattened (3, 3); NaN where unknown"
    ),
)
"""Dipole moment and static polarizability of one geometry."""

POTENTIALS: Final = _schema(
    "potentials",
    _MAPPED,
    _GEOMETRY,
    unit_field("points", _FLOATS, "Å", "where the potential is known, flattened (n, 3)"),
    unit_field("potential", _FLOATS, "kcal/mol/e", "electrostatic potential there, (n,)"),
)
"""Electrostatic potential round one geometry."""
