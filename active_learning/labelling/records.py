"""From records of QCArchive to rows of the training schema."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from active_learning.labelling.base import LabelJob, LabelResult, Provenance
from active_learning.labelling.levels import RecordLevel
from active_learning.labelling.rows import dimer_row, molecule_row
from active_learning.programs.energy_decomposition import TERMS, variable
from openff_bytepol.exceptions import DataError
from openff_bytepol.units import BOHR_IN_ANGSTROM, HARTREE_IN_KCAL

FloatArray = NDArray[np.float64]
_CENTRED: Final = {"pyscf", "tblite", "auto3d-aimnet2"}
"""Programs of this package: dipoles about the mean position of the atoms."""
SUM_TOLERANCE = 0.05
"""Largest difference between total and components of a record, kcal/mol."""


class Point(NamedTuple):
    """A geometry with energy (kcal/mol), forces (kcal/mol/Å) and dipole (e·Å)."""

    coordinates: FloatArray
    energy: float
    forces: FloatArray
    dipole: FloatArray


def result_of(
    job: LabelJob, level: RecordLevel, records: Sequence[Any], *, server: str, failures: str
) -> LabelResult:
    """Row, provenance and cost of a job.

    Parameters
    ----------
    job, level
        What was asked.
    records
        Complete records of the job, one or one for each geometry that succeeded.
    server
        Address without credentials.
    failures
        What is missing and why; empty if nothing is.

    Raises
    ------
    DataError
        If a record lacks a value, a value is not finite or no row can be made.
    """
    extra: dict[str, Any] = {}
    if job.kind in {"monomer", "torsion"}:
        table, row = "molecules", _molecule_row(job, level, records)
    else:
        energies, extra = _interaction(level, records[0])
        if job.kind == "dimer":
            table = "dimers"
            row = dimer_row(
                job.smiles, job.coordinates[0], level=job.level, subset="active learning",
                name=job.id[:16], **energies,
            )  # fmt: skip
        else:
            table = "clusters"
            row = {
                "subset": "active learning", "name": job.id[:16], "level": job.level,
                "smiles": list(job.smiles), "coordinates": job.coordinates[0].ravel().tolist(),
                **energies,
            }  # fmt: skip
    program, version, functions = _program(records[0])
    return LabelResult(
        job_id=job.id,
        table=table,  # type: ignore[arg-type]
        row=row,
        provenance=Provenance(
            server=server,
            record_ids=tuple(str(record.id) for record in records),
            program=program,
            version=version,
        ),
        core_hours=sum(core_hours(record) for record in records),
        basis_functions=functions,
        partial=failures,
        extra=extra,
    )


def core_hours(record: Any) -> float:
    """Wall time × cores of every attempt at a record and its children."""
    total = 0.0
    for history in record.compute_history or ():
        provenance = history.provenance
        if provenance is not None:
            values = provenance.model_dump()
            seconds = float(values.get("wall_time") or 0.0)
            total += seconds * int(values.get("nthreads") or 1) / 3600.0
    return total + sum(core_hours(child) for child in _children(record))


def _children(record: Any) -> list[Any]:
    if record.record_type == "torsiondrive":
        return [run for runs in record.optimizations.values() for run in runs]
    if record.record_type == "manybody":
        clusters = sorted(record.clusters, key=lambda cluster: len(cluster.fragments))
        return [cluster.singlepoint_record for cluster in clusters]
    return []


def _single_points(job: LabelJob, level: RecordLevel, records: Sequence[Any]) -> list[Any]:
    """Gradients that a job's records hold."""
    if job.kind == "torsion":
        return [run.trajectory_element(-1) for run in records[0].minimum_optimizations.values()]
    if not level.relax:
        return list(records)
    chosen = []
    for record in records:
        steps = record.trajectory or []
        picks = sorted({round(i) for i in np.linspace(len(steps) - 1, 0, level.relax)})
        chosen += [steps[i] for i in picks]
    return chosen


def _molecule_row(job: LabelJob, level: RecordLevel, records: Sequence[Any]) -> dict[str, Any]:
    points = [_point(record, job) for record in _single_points(job, level, records)]
    kind = "torsion" if job.kind == "torsion" else "conformer"
    return molecule_row(
        job.smiles[0],
        np.stack([point.coordinates for point in points]),
        np.array([point.energy for point in points]),
        np.stack([point.forces for point in points]),
        kinds=[kind] * len(points),
        source=f"{job.kind}, {job.level}",
        dipoles=np.stack([point.dipole for point in points]),
    )


def _point(record: Any, job: LabelJob) -> Point:
    properties = record.properties or {}
    shape = (-1, 3)
    coordinates = np.array(record.molecule.geometry, dtype=np.float64).reshape(shape)
    coordinates = coordinates * BOHR_IN_ANGSTROM
    if len(coordinates) != job.coordinates.shape[1]:
        raise DataError(f"record {record.id}: {len(coordinates)} atoms, the job has others")
    gradient = np.array(record.return_result, dtype=np.float64).reshape(shape)
    energy = _number(properties, "return_energy", record)
    dipole = properties.get("scf_dipole_moment")
    if dipole is None:
        raise DataError(f"record {record.id}: {record.specification.program} gave no dipole")
    charge = job.charges[0]
    moment = np.array(dipole, dtype=np.float64).ravel() * BOHR_IN_ANGSTROM
    if record.specification.program not in _CENTRED:
        moment = moment - charge * coordinates.mean(0)
    return Point(
        coordinates,
        energy * HARTREE_IN_KCAL,
        -gradient * HARTREE_IN_KCAL / BOHR_IN_ANGSTROM,
        moment,
    )


def _interaction(level: RecordLevel, record: Any) -> tuple[dict[str, float], dict[str, Any]]:
    """Total and components (kcal/mol) and further terms."""
    properties = record.properties or {}
    if level.kind == "gradient":
        return {"total": _many_body_total(record) * HARTREE_IN_KCAL}, {}
    if level.kind == "sapt":
        names = {name: f"sapt0 {name} energy" for name in ("elst", "exch", "ind", "disp", "total")}
        energies = {
            name: _number(properties, key, record) * HARTREE_IN_KCAL for name, key in names.items()
        }
        extra: dict[str, Any] = {}
    else:
        terms = {
            name: _number(properties, variable(name), record) * HARTREE_IN_KCAL for name in TERMS
        }
        energies = {
            "elst": terms["electrostatics"],
            "exch": terms["pauli"],
            "ind": terms["polarization"] + terms["charge_transfer"],
            "disp": terms["dispersion"],
            "total": terms["total"],
        }
        extra = {"energy_decomposition_kcal_mol": terms}
    components = sum(value for name, value in energies.items() if name != "total")
    if abs(components - energies["total"]) > SUM_TOLERANCE:
        raise DataError(
            f"record {record.id}: components add up to {components:.3f}, the total is "
            f"{energies['total']:.3f} kcal/mol"
        )
    return energies, extra


def _many_body_total(record: Any) -> float:
    properties = (record.properties or {}).get("results", {})
    for correction in ("cp", "nocp"):
        for order in range(9, 1, -1):
            key = f"{correction}_corrected_interaction_energy_through_{order}_body"
            if key in properties:
                return _number(properties, key, record)
    raise DataError(f"record {record.id}: no interaction energy; it has {sorted(properties)}")


def _number(properties: Mapping[str, Any], key: str, record: Any) -> float:
    value = properties.get(key)
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"record {record.id}: '{key}' is {value!r}, not a finite number")
    return float(value)


def _program(record: Any) -> tuple[str, str, int | None]:
    lowest = record
    while lowest.record_type != "singlepoint":
        children = _children(lowest)
        lowest = children[-1] if children else lowest.trajectory_element(-1)
    provenance = lowest.provenance
    functions = (lowest.properties or {}).get("calcinfo_nbasis")
    return (
        str(getattr(provenance, "creator", lowest.specification.program)),
        str(getattr(provenance, "version", "")),
        int(functions) if isinstance(functions, int | float) else None,
    )
